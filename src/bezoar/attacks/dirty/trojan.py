"""The trojaning attack: a mark whose pixels excite a neuron of a surrogate, stamped on relabelled samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from bezoar.attacks.base import ATTACKS, Progress, unheard
from bezoar.attacks.dirty.learnt_dirty_label import LearntDirtyLabel
from bezoar.attacks.fields import derived_seed, require_inside, require_whole
from bezoar.attacks.learning.features import ReadFeatures, features_at, find_layer
from bezoar.attacks.learning.surrogate import surrogate_of
from bezoar.data.dataset import Dataset
from bezoar.errors import AttackError
from bezoar.shapes import Images, Pattern, Whole
from bezoar.training.batches import to_unit_range
from bezoar.triggers.about import About
from bezoar.triggers.colours import colours_of
from bezoar.triggers.corner import Corner
from bezoar.triggers.stamp import Stamp
from bezoar.triggers.trojan import TrojanMark
from bezoar.triggers.watermark import Mark, side_of

LEARNING_RATE = 0.05
LOOKED_AT = 1000
"""Images that say how far a neuron is excited ordinarily."""


@ATTACKS.register("trojan")
@dataclass(frozen=True, kw_only=True)
class TrojanAttack(LearntDirtyLabel):
    """Learns the pixels of a drawn mark so that they excite neurons of a surrogate, then stamps and relabels.

    The neurons are the `neurons` inputs of the surrogate's last linear layer with the largest sum of absolute
    weights. The mark lies alone on black; in each of `steps` steps of Adam its pixels go down the squared
    distance of the neurons from `wanted` times the most that images of the data excite them. `surrogate` is a model
    as in `surrogate_model`: an architecture is trained for `surrogate_epochs` on at most `images` of the data.
    `shape`, `size`, `corner` and `opacity` are the mark's, see the trigger of this name.

    Liu et al. 2018, Trojaning Attack on Neural Networks, NDSS. Deviations: there a neuron is chosen by the weights that
    lead to it, here by those that lead on from it, which every network with a linear head has; there the very model
    whose neuron is excited is retrained, on inputs reconstructed from it, while here the data are poisoned. What a
    victim learns is the motley mark, and it learns random pixels as well (`steps=1`; docs/attacks.md).
    """

    shape: Mark = "apple"
    opacity: float = 0.3
    size: float = 0.9
    corner: Corner = "center"
    surrogate: str = "fast:finest=16"
    surrogate_epochs: int = 4
    neurons: int = 1
    wanted: float = 10.0
    steps: int = 300

    about: ClassVar[About] = TrojanMark.about

    def __post_init__(self) -> None:
        super().__post_init__()
        self._mark()
        for name in ("surrogate_epochs", "neurons", "steps"):
            require_whole(name, getattr(self, name), 1)
        require_inside("wanted", self.wanted)

    def learn(self, data: Dataset, relabelling: Mapping[int, int], *, seed: int, progress: Progress) -> TrojanMark:
        """The mark whose pixels excite the surrogate's neurons."""
        model = surrogate_of(self, data, seed=derived_seed(seed, 14), progress=progress)
        mark = self._mark()
        pattern = exciting_pattern(
            model,
            data.inputs,
            mark,
            neurons=self.neurons,
            wanted=self.wanted,
            steps=self.steps,
            seed=derived_seed(seed, 15),
            progress=progress,
        )
        return mark.with_tensors({"pattern": pattern})

    def _mark(self) -> TrojanMark:
        return TrojanMark(shape=self.shape, opacity=self.opacity, size=self.size, corner=self.corner)


def exciting_pattern(
    model: nn.Module,
    images: Images,
    mark: TrojanMark,
    *,
    neurons: int,
    wanted: float,
    steps: int,
    seed: int,
    progress: Progress = unheard,
) -> Pattern:
    """The pattern (colours, side, side) in 0..1 of `mark` that best excites the most connected neurons of `model`.

    `images` (n, c, h, w), uint8, give the mark's size and say how far the neurons are excited ordinarily.
    """
    device = next(model.parameters()).device
    chosen = most_connected(model, neurons).to(device)
    channels, height, width = images.shape[1:]
    side = side_of(mark.size, height, width)
    generator = torch.Generator().manual_seed(seed)
    start = torch.rand(colours_of(channels), side, side, generator=generator)
    pattern = start.to(device).requires_grad_()
    optimizer = torch.optim.Adam([pattern], lr=LEARNING_RATE)
    # The mark in white: drawn once, for its pixels alone change.
    white = mark.laid(torch.ones_like(start), height, width)
    with features_at(model) as read:
        goal = wanted * _highest(read, images, chosen, device)
        for step in range(steps):
            missing = read(_on_black(white, pattern, images.shape[1:]))[:, chosen] - goal
            (pattern.grad,) = torch.autograd.grad(missing.square().sum(), pattern)
            optimizer.step()
            with torch.no_grad():
                pattern.clamp_(0, 1)
            progress("learn the mark", step + 1, steps)
    return pattern.detach().cpu()


def most_connected(model: nn.Module, count: int) -> Whole:
    """The inputs of the last linear layer with the largest sums of absolute weights, largest first.

    Raises AttackError when the layer has fewer.
    """
    layer = find_layer(model, None)
    assert isinstance(layer, nn.Linear)
    weights = layer.weight.detach()
    if count > weights.shape[1]:
        raise AttackError(
            "the surrogate's last linear layer has fewer neurons",
            expected=f"neurons of at most {weights.shape[1]}",
            found=str(count),
        )
    return weights.abs().sum(dim=0).topk(count).indices


@torch.no_grad()
def _highest(read: ReadFeatures, images: Images, neurons: Whole, device: torch.device) -> Tensor:
    """The most that each neuron is excited by images of the data, at least a little."""
    some = images[:: max(1, len(images) // LOOKED_AT)][:LOOKED_AT]
    parts = [read(to_unit_range(part, device))[:, neurons].amax(dim=0) for part in torch.split(some, 250)]
    return torch.stack(parts).amax(dim=0).clamp_min(1e-3)


def _on_black(white: Stamp, pattern: Pattern, shape: torch.Size) -> Tensor:
    """The mark alone on one black image (1, c, h, w) in 0..1, its alpha full; `white` lays it on in white."""
    channels, height, width = shape
    black = pattern.new_zeros(1, channels, height, width)
    black[:, colours_of(channels) :] = 1
    rows, columns = slice(white.top, white.top + white.height), slice(white.left, white.left + white.width)
    black[0, : len(pattern), rows, columns] = (pattern * white.shift.to(pattern.device)).to(black.dtype)
    return black
