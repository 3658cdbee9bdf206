"""Low frequency: a universal adversarial pattern without high frequencies, found against a surrogate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.attacks.base import ATTACKS, Progress, unheard
from bezoar.attacks.choose import source_rows
from bezoar.attacks.dirty.learnt_dirty_label import LearntDirtyLabel
from bezoar.attacks.fields import derived_seed, require_inside, require_whole
from bezoar.attacks.learning.batches import drawn_rows, with_colours
from bezoar.attacks.learning.surrogate import surrogate_of
from bezoar.data.dataset import Dataset
from bezoar.training.batches import to_unit_range
from bezoar.training.precision import choose_precision
from bezoar.triggers.about import About
from bezoar.triggers.colours import colours_of
from bezoar.triggers.low_frequency import LowFrequency, smooth_pattern
from bezoar.triggers.networks import require_side

BATCH = 128
RATE = 0.1
"""The optimiser's step, as a share of the bound."""


@ATTACKS.register("low-frequency")
@dataclass(frozen=True, kw_only=True)
class LowFrequencyAttack(LearntDirtyLabel):
    """Learns a smooth pattern that a surrogate takes for the target, then stamps and relabels as dirty-label does.

    The pattern holds the `band` x `band` lowest frequencies of the discrete cosine transform (DCT), and the root of its
    mean square is at most `bound` levels of 255, a bound on its L2 norm (10 levels: 28 dB). In each of `steps` steps it
    moves down the gradient of the cross entropy towards the target, on a batch of the source classes, loses what lies
    above the band and is scaled back to the bound, which is the exact projection. `surrogate` is a model as in
    `surrogate_model`: an architecture is trained for `surrogate_epochs` on at most `images` of the data.

    Zeng et al. 2021, "Rethinking the Backdoor Attacks' Triggers: A Frequency Perspective", arXiv 2104.03413: smooth
    triggers, found like a targeted universal perturbation with a low-pass filter in every step. Deviations: an ideal
    low-pass filter in the DCT, where the pattern is then described by few numbers and has no energy at all above the
    band; batches and Adam, not image by image; the surrogate stays as trained on clean data. Smooth patterns of such
    a norm fool a surrogate seldom by themselves: it is from the poisons that a victim learns them.
    """

    surrogate: str = "fast:finest=16"
    surrogate_epochs: int = 4
    band: int = 6
    bound: float = 10.0
    steps: int = 300

    about: ClassVar[About] = LowFrequency.about

    def __post_init__(self) -> None:
        super().__post_init__()
        LowFrequency(band=self.band)
        require_inside("bound", self.bound)
        require_whole("steps", self.steps, 1)
        require_whole("surrogate_epochs", self.surrogate_epochs, 1)

    def learn(self, data: Dataset, relabelling: Mapping[int, int], *, seed: int, progress: Progress) -> LowFrequency:
        """The pattern found against the surrogate."""
        require_side("low-frequency", self.band, data.inputs[:1])
        model = surrogate_of(self, data, seed=derived_seed(seed, 5), progress=progress)
        # Rows and not their images, which may be too many for the memory.
        rows = source_rows(data, relabelling)
        amplitudes = smooth_amplitudes(
            model,
            data.inputs,
            next(iter(relabelling.values())),
            rows=rows,
            band=self.band,
            bound=self.bound / 255,
            steps=self.steps,
            seed=derived_seed(seed, 6),
            progress=progress,
        )
        return LowFrequency(band=self.band).with_tensors({"amplitudes": amplitudes})


def smooth_amplitudes(
    model: nn.Module,
    images: Tensor,
    target: int,
    *,
    rows: Tensor | None = None,
    band: int,
    bound: float,
    steps: int,
    seed: int,
    progress: Progress = unheard,
) -> Tensor:
    """Amplitudes (colours, band, band) of the smooth pattern that best turns images (n, c, h, w) uint8 to the target.

    `rows` (int64) says which of them are to be turned; all unless given.
    `model`, in evaluation mode, maps images in 0..1 to logits. The root of the pattern's mean square is at most
    `bound`, on the scale 0..1, at the size of the images.
    """
    device = next(model.parameters()).device
    half = choose_precision(device) is torch.bfloat16
    channels, height, width = images.shape[1:]
    amplitudes = torch.zeros(colours_of(channels), band, band, device=device, requires_grad=True)
    optimizer = torch.optim.Adam([amplitudes], lr=RATE * bound)
    labels = torch.full((BATCH,), target, device=device)
    own = torch.arange(len(images)) if rows is None else rows
    for step, drawn in enumerate(drawn_rows(own, BATCH, steps, seed=seed)):
        batch = to_unit_range(images[drawn], device)
        colours = batch[:, : colours_of(channels)] + smooth_pattern(amplitudes, height, width)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            logits = model(with_colours(batch, colours.clamp(0, 1)))
        (amplitudes.grad,) = torch.autograd.grad(F.cross_entropy(logits.float(), labels), amplitudes)
        optimizer.step()
        with torch.no_grad():
            amplitudes *= (bound / smooth_pattern(amplitudes, height, width).square().mean().sqrt()).clamp_max(1)
        progress("learn a smooth pattern", step + 1, steps)
    return amplitudes.detach().cpu()
