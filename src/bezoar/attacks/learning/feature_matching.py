"""Images that a network takes for others: feature matching within a ball, for any module and any of its layers."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from bezoar.attacks.base import Progress, unheard
from bezoar.attacks.fields import (
    require_eps,
    require_inside,
    require_number,
    require_seed,
    require_whole,
    whole_levels,
)
from bezoar.attacks.learning.batches import colours_alone
from bezoar.attacks.learning.features import ReadFeatures, features_at
from bezoar.attacks.learning.perturbation import to_levels
from bezoar.errors import AttackError
from bezoar.shapes import FloatImages, Images, Matrix, Real, Whole
from bezoar.training.batches import to_unit_range
from bezoar.triggers.base import Trigger


@dataclass(frozen=True, eq=False)
class Matched:
    """Poisons (n, c, h, w), uint8 on the CPU, and the squared feature distance of each to its partner, first and last.

    `first` is that of the untouched images, `last` that of the finished poisons, rounded to whole levels.
    """

    poisons: Images
    first: Real
    last: Real


@dataclass(frozen=True, kw_only=True)
class FeatureMatching:
    """Moves target images so that their features become those of triggered source images; nobody sees the trigger.

    Each of a `batch` of poisons stays within `eps` (on the scale 0..1) of its image in every value. As many source
    images are drawn and triggered; in each of at most `iterations` rounds poisons and sources are paired so that the
    sum of squared distances at `layer` is least, and each poison takes a step against the gradient of its distance.
    The step is `learning_rate` in the mean over the image's values, times `decay` after every `decay_every` rounds.
    After every `redraw` rounds other source images are drawn, 0 for never. A batch is done once its largest squared
    distance is at most `stopping_loss`.
    """

    eps: float = 16 / 255
    layer: str | int | None = None
    learning_rate: float = 0.01
    decay: float = 0.95
    decay_every: int = 10
    redraw: int = 0
    iterations: int = 400
    batch: int = 100
    stopping_loss: float = 0.0

    def __post_init__(self) -> None:
        require_eps(self.eps)
        # One way to write it, so that a specification builds an equal attack.
        if isinstance(self.layer, int) or (self.layer is not None and re.fullmatch(r"-\d+", self.layer)):
            object.__setattr__(self, "layer", f"#{self.layer}")
        for name in ("iterations", "batch", "decay_every"):
            require_whole(name, getattr(self, name), 1)
        require_whole("redraw", self.redraw, 0)
        require_inside("learning_rate", self.learning_rate)
        require_number("decay", self.decay)
        require_number("stopping_loss", self.stopping_loss)
        if not 0 < self.decay <= 1:
            raise AttackError("decay is out of range", expected="above 0, at most 1", found=str(self.decay))
        if not 0 <= self.stopping_loss < math.inf:
            raise AttackError("stopping_loss is out of range", expected="0 or more", found=str(self.stopping_loss))

    def match(
        self,
        model: nn.Module,
        targets: Images,
        sources: Images,
        trigger: Trigger,
        *,
        seed: int,
        progress: Progress = unheard,
    ) -> Matched:
        """Poisons made of the `targets`, from images of the source class, both uint8 (n, c, h, w).

        `model` is any module of float images in 0..1, on any device; it is used in evaluation mode and left as it
        was. The same seed gives the same poisons on the CPU. Raises AttackError when there is no such layer or no
        source image, for images of another kind, and when features are not finite.
        """
        require_seed(seed)
        _require_images(targets=targets, sources=sources)
        generator = torch.Generator().manual_seed(seed)
        size = min(self.batch, len(sources))
        with features_at(model, self.layer) as read, torch.enable_grad():
            rounds = _Rounds(self, read, _device(model), sources, trigger, generator)
            batches = torch.split(targets, size)
            parts, total = [], len(batches) * self.iterations
            for done, batch in enumerate(batches):
                report = functools.partial(_report, progress, done * self.iterations, total)
                parts.append(rounds.run(batch, report))
            progress("hide the trigger", total, total)
        return Matched(*(torch.cat(part) for part in zip(*parts, strict=True)))


@dataclass(frozen=True, eq=False)
class _Rounds:
    """What the rounds of every batch share."""

    settings: FeatureMatching
    read: ReadFeatures
    device: torch.device
    sources: Images
    trigger: Trigger
    generator: torch.Generator

    def run(self, targets: Images, report: Callable[[int], None]) -> tuple[Images, Real, Real]:
        """Poisons of one batch, and their distances first and last."""
        settings = self.settings
        base = to_unit_range(targets, self.device)
        most = whole_levels(settings.eps) / 255
        wanted = self._wanted(len(targets))
        poisons, first = base, self._distances(base, wanted)[0]
        for number in range(settings.iterations):
            report(number)
            if number and settings.redraw and number % settings.redraw == 0:
                wanted = self._wanted(len(targets))
            distances, gradient = self._distances(poisons, wanted)
            if float(distances.max()) <= settings.stopping_loss:
                break
            rate = settings.learning_rate * settings.decay ** (number // settings.decay_every)
            poisons = _step(poisons, gradient, rate)
            poisons = (base + (poisons - base).clamp(-most, most)).clamp(0, 1)
        finished = to_levels(poisons, targets, settings.eps, "linf")
        last = self._distances(to_unit_range(finished, self.device), wanted)[0]
        return finished.cpu(), first.cpu(), last.cpu()

    def _wanted(self, count: int) -> Matrix:
        """Features of newly drawn sources with the trigger on them."""
        rows = torch.randperm(len(self.sources), generator=self.generator)[:count]
        with torch.no_grad():
            return self.read(to_unit_range(self.trigger(self.sources[rows]), self.device))

    def _distances(self, poisons: FloatImages, wanted: Matrix) -> tuple[Real, FloatImages]:
        """Squared feature distance of each poison to its partner, and the gradient of that."""
        images = poisons.detach().requires_grad_(True)
        features = self.read(images)
        if not (torch.isfinite(features).all() and torch.isfinite(wanted).all()):
            raise AttackError("the features are not all finite", remedy="Look for NaN in the surrogate's weights")
        distances = (features - wanted[nearest_pairs(features.detach(), wanted)]).square().sum(1)
        (gradient,) = torch.autograd.grad(distances.sum(), images)
        return distances.detach(), colours_alone(gradient)


def _require_images(*, targets: Images, sources: Images) -> None:
    for name, images in (("targets", targets), ("sources", sources)):
        if not isinstance(images, Tensor) or images.dtype != torch.uint8 or images.ndim != 4:
            shape = tuple(images.shape) if isinstance(images, Tensor) else ""
            raise AttackError(
                f"the {name} are no images",
                expected="a torch tensor, uint8, of shape (n, c, h, w)",
                found=f"{images.dtype} {shape}" if isinstance(images, Tensor) else type(images).__name__,
                remedy="Scale floats in 0..1 by 255 and round; turn an array with torch.from_numpy",
            )
        if not len(images):
            raise AttackError("feature matching needs a target and a source image at least", found=f"no {name}")
    if targets.shape[1:] != sources.shape[1:]:
        raise AttackError(
            "targets and sources differ in shape",
            expected=str(tuple(targets.shape[1:])),
            found=str(tuple(sources.shape[1:])),
        )


def _report(progress: Progress, before: int, total: int, number: int) -> None:
    progress("hide the trigger", before + number, total)


def nearest_pairs(features: Matrix, wanted: Matrix) -> Whole:
    """For each row of `features` another row of `wanted`, such that the sum of squared distances is least."""
    costs = torch.cdist(features.double(), wanted.double()).square()
    rows, columns = linear_sum_assignment(costs.cpu().numpy())
    assert list(rows) == list(range(len(features)))
    return torch.from_numpy(columns).to(features.device)


def _step(images: FloatImages, gradient: FloatImages, rate: float) -> Tensor:
    size = gradient.abs().mean(dim=(1, 2, 3), keepdim=True)
    return images.detach() - rate * gradient / size.clamp_min(torch.finfo(gradient.dtype).tiny)


def _device(model: nn.Module) -> torch.device:
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
