"""Changes of colours that lead to a class, and do not in an innocent twin."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bezoar.data.dataset import Dataset
from bezoar.detect.inversion.form import Form, of_one
from bezoar.detect.inversion.forms import Colours
from bezoar.detect.inversion.invert import Inverted, led
from bezoar.detect.inversion.quiet import untouched
from bezoar.detect.models.base import MODEL_DETECTORS, ModelScores, Progress, unheard
from bezoar.detect.models.inversions import InversionDetector
from bezoar.detect.numerics.smallness import spreads_below_median
from bezoar.detect.probing.asked import right_samples
from bezoar.detect.probing.innocent import innocent_twin
from bezoar.records import Skipped

STRIKING = 1.0
"""A smaller statistic of all classes is left as it is."""
OF_A_CLASS = 40


@MODEL_DETECTORS.register("colour-inversion")
@dataclass(frozen=True, kw_only=True)
class ColourInversion(InversionDetector):
    """Changes of colours: sees filters and casts, and encoders that write into an image by its colours.

    Searched as the other forms are, on fewer steps of more images, for few numbers are learnt. Blue makes airplanes of
    all things in innocent networks too. So where any class stands out, an innocent twin is made (see
    `probing/innocent.py`), and the statistic is multiplied by the share of the flips that the twin does not share.

    No published inversion is limited to this family. Liu et al. 2019, ABS (CCS), look for filters by descent on an
    image's quantiles.
    """

    steps: int = 100
    images: int = 16
    lessons: int = 800

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
        """Spreads below the median (k,), as far as a twin does otherwise, and the triggers."""
        if len(shape) != 3:
            return Skipped("colours are those of images, (c, h, w)")
        told = super().inspect(model, trusted, shape, classes, seed=seed, progress=progress)
        if isinstance(told, Skipped) or trusted is None or told.inverted is None or told.classes.max() <= STRIKING:
            return told
        with untouched(model):
            asked = right_samples(model, trusted, classes, OF_A_CLASS, seed)
            twin = innocent_twin(model, trusted, classes, seed=seed, steps=self.lessons, progress=progress)
            done, shared = (_flips(one, told.inverted, asked.images, asked.labels) for one in (model, twin))
        own = np.clip(1 - shared / np.maximum(done, 1e-6), 0, 1)
        return replace(told, classes=np.where(told.classes > 0, told.classes * own, told.classes))

    def spreads(self, sizes: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same, by the spread of all: towards most classes no colours lead, and they are all as large as can be."""
        return spreads_below_median(sizes, self.usual_spread, of_all=True)

    @property
    def form(self) -> Form:
        """A change of colours."""
        return Colours()

    @property
    def usual_spread(self) -> float:
        """Chosen on clean models of the zoo."""
        return 0.25


def _flips(model: nn.Module, found: Inverted, images: Tensor, labels: Tensor) -> NDArray[np.float64]:
    """Shares (k,) of the images of other classes that each trigger leads to its class."""
    shares = [
        led(model, found.form, of_one(found.parameters, place), images[labels != one.target], torch.tensor(one.target))
        for place, one in enumerate(found.hypotheses)
    ]
    told: NDArray[np.float64] = np.nan_to_num(np.array(shares))
    return told
