"""Training gradients as an attacker uses them: their size and direction, and poisons crafted to have a wanted one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.attacks.learning.batches import colours_alone
from bezoar.errors import AttackError
from bezoar.shapes import FloatImages, Images, Real, Whole
from bezoar.training.batches import to_unit_range

Gradient: TypeAlias = tuple[Tensor, ...]
"""One tensor for each trainable parameter."""

DECAYS = (3 / 8, 5 / 8, 7 / 8)
"""Shares of all steps after which the step size is divided by ten (Geiping et al. 2020)."""


@dataclass(frozen=True)
class Crafting:
    """How perturbations are optimised; `levels` of 255 bound them, `step_size` is a share of that bound."""

    levels: int
    steps: int
    step_size: float
    batch: int
    shift: int
    flips: bool


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that training would change. Raises AttackError when there are none."""
    found = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not found:
        raise AttackError(
            "the surrogate has no trainable parameters, so there is no training gradient",
            remedy="Give a model whose parameters require gradients",
        )
    return found


def training_gradient(
    model: nn.Module, images: FloatImages, labels: Whole, *, differentiable: bool = False
) -> Gradient:
    """Gradient of the mean cross-entropy by the trainable parameters; `differentiable` by the images in turn."""
    loss = F.cross_entropy(model(images), labels)
    return torch.autograd.grad(loss, trainable(model), create_graph=differentiable, materialize_grads=True)


def mean_gradient(model: nn.Module, inputs: Images, label: int, *, batch: int) -> Gradient:
    """The training gradient of many uint8 images, all labelled `label`, a batch at a time."""
    device = trainable(model)[0].device
    total = [torch.zeros_like(parameter) for parameter in trainable(model)]
    for part in torch.split(inputs, batch):
        gradient = training_gradient(model, to_unit_range(part, device), _labels(len(part), label, device))
        for whole, one in zip(total, gradient, strict=True):
            whole.add_(one, alpha=len(part) / len(inputs))
    return tuple(total)


def gradient_norms(model: nn.Module, inputs: Images, label: int, *, heard: Callable[[int, int], None]) -> Real:
    """Norm of the training gradient of each uint8 image alone, labelled `label`: (n,) float64 on the CPU.

    `heard(done, of)` is called after each.
    """
    device = trainable(model)[0].device
    norms = torch.empty(len(inputs), dtype=torch.float64)
    for row, image in enumerate(torch.split(inputs, 1)):
        gradient = training_gradient(model, to_unit_range(image, device), _labels(1, label, device))
        norms[row] = float(_squares(gradient)) ** 0.5
        heard(row + 1, len(inputs))
    return norms


def similarity(gradient: Gradient, wanted: Gradient) -> Tensor:
    """Cosine of the angle between two gradients, all parameters taken together."""
    product = torch.stack([(one * other).sum() for one, other in zip(gradient, wanted, strict=True)]).sum()
    return product / (_squares(gradient) * _squares(wanted)).sqrt().clamp_min(1e-20)


def _squares(gradient: Gradient) -> Tensor:
    return torch.stack([part.square().sum() for part in gradient]).sum()


def _labels(count: int, label: int, device: torch.device) -> Whole:
    return torch.full((count,), label, device=device)


def varied(images: FloatImages, draws: Tensor, *, shift: int, flips: bool) -> FloatImages:
    """Images shifted by up to `shift` pixels and mirrored in half the cases, differentiably by the images.

    `draws` (n, 3) in 0..1 decide on the shift downwards, to the right, and on the mirroring. Shifts are by
    fractions of a pixel (bilinear), beyond the edge the image is mirrored.
    """
    if not shift and not flips:
        return images
    height, width = images.shape[2:]
    sides = torch.where((draws[:, 2] < 0.5) & flips, -1.0, 1.0)
    moves = (2 * draws[:, :2] - 1) * shift * 2
    maps = torch.zeros(len(images), 2, 3, device=images.device)
    maps[:, 0, 0], maps[:, 1, 1] = sides, 1
    maps[:, 0, 2], maps[:, 1, 2] = moves[:, 1] / width, moves[:, 0] / height
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


class Perturbations:
    """Perturbations of some images of one class, on their way to a wanted training gradient.

    Signed Adam, no value leaving the bound, as Geiping et al. 2020, arXiv 2009.02276, section 3.3. The alpha of
    RGBA images is left alone.
    """

    def __init__(self, originals: Images, label: int, crafting: Crafting, *, seed: int, device: torch.device) -> None:
        self.crafting = crafting
        self.generator = torch.Generator().manual_seed(seed)
        self.originals = to_unit_range(originals, device)
        self.labels = _labels(len(originals), label, device)
        self.bound = crafting.levels / 255
        start = (2 * torch.rand(self.originals.shape, generator=self.generator) - 1) * self.bound
        self.values = nn.Parameter(self._allowed(start.to(device)))
        self.optimizer = torch.optim.Adam([self.values], lr=crafting.step_size * self.bound)
        milestones = [round(share * crafting.steps) for share in DECAYS]
        self.schedule = torch.optim.lr_scheduler.MultiStepLR(self.optimizer, milestones, gamma=0.1)

    def step(self, model: nn.Module, wanted: Gradient) -> None:
        """One step on every image, towards a training gradient of the direction `wanted` by this model."""
        signs = []
        draws = torch.rand(len(self.labels), 3, generator=self.generator).to(self.labels.device)
        for rows in torch.split(torch.arange(len(self.labels), device=self.labels.device), self.crafting.batch):
            values = self.values[rows].detach().requires_grad_()
            images = varied(
                self.originals[rows] + values, draws[rows], shift=self.crafting.shift, flips=self.crafting.flips
            )
            gradient = training_gradient(model, images, self.labels[rows], differentiable=True)
            signs.append(torch.autograd.grad(1 - similarity(gradient, wanted), values)[0].sign())
        self.values.grad = torch.cat(signs)
        self.optimizer.step()
        self.schedule.step()
        with torch.no_grad():
            self.values.copy_(self._allowed(self.values))

    def images(self) -> Images:
        """The perturbed images, uint8 on the CPU, within `levels` of the originals."""
        values = (self.originals + self.values.detach()) * 255
        return values.round_().clamp_(0, 255).to(torch.uint8).cpu()

    def _allowed(self, values: Tensor) -> Tensor:
        within = colours_alone(values.clamp(-self.bound, self.bound))
        return (self.originals + within).clamp_(0, 1) - self.originals
