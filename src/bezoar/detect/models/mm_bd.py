"""MM-BD: a class whose logit can be made to exceed all others by far more than that of any other class. No data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from bezoar.data.dataset import Dataset
from bezoar.detect.inversion.quiet import untouched
from bezoar.detect.models.base import MODEL_DETECTORS, ModelScores, Progress, unheard
from bezoar.detect.numerics.smallness import spreads_below_median
from bezoar.records import Skipped

FEWEST_CLASSES = 3
MEASURE = "spreads above the median of all classes"


@MODEL_DETECTORS.register("mm-bd")
@dataclass(frozen=True, kw_only=True)
class MaximumMargin:
    """The largest margin over the other classes that any image reaches, class by class, by ascent from noise.

    Each class begins with `starts` random images. The statistic is how many spreads the margin lies above the median of
    all classes, on a logarithmic scale. Needs no data; 3 classes at least, else Skipped.

    Wang, Xiang, Miller and Kesidis 2022 (arXiv 2205.06900). Deviations: Adam with images kept in 0..1 in place of plain
    ascent; spreads in place of the p-value under a fitted distribution, so that all detectors are calibrated alike.
    """

    black_box: ClassVar[bool] = False

    starts: int = 8
    steps: int = 150
    rate: float = 0.02

    def inspect(
        self,
        model: nn.Module,
        trusted: Dataset | None,
        shape: tuple[int, ...],
        classes: int,
        *,
        seed: int,
        progress: Progress = unheard,
    ) -> ModelScores | Skipped:
        """Spreads above the median (k,). `trusted` is not used."""
        if classes < FEWEST_CLASSES:
            return Skipped(f"margins are compared among at least {FEWEST_CLASSES} classes")
        generator = torch.Generator().manual_seed(seed)
        images = torch.rand(classes * self.starts, *shape, generator=generator).requires_grad_()
        goals = torch.arange(classes).repeat_interleave(self.starts)
        optimizer = torch.optim.Adam([images], lr=self.rate)
        with untouched(model):
            for step in range(self.steps):
                optimizer.zero_grad()
                (-_margins(model, images, goals).sum()).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                images.data.clamp_(0, 1)
                progress(step + 1, self.steps)
            with torch.no_grad():
                largest = _margins(model, images, goals).reshape(classes, self.starts).amax(1)
        margins = largest.numpy().astype(np.float64).clip(1e-6)
        return ModelScores(spreads_below_median(1 / margins, 0.1), measure=MEASURE, from_samples=False)


def _margins(model: nn.Module, images: Tensor, goals: Tensor) -> Tensor:
    """By how much (n,) the goal's logit exceeds the highest of the others."""
    logits = model(images.contiguous(memory_format=torch.channels_last) if images.ndim == 4 else images)
    others = logits.scatter(1, goals[:, None], -torch.inf).amax(1)
    margins: Tensor = logits.gather(1, goals[:, None])[:, 0] - others
    return margins
