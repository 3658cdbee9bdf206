"""Changes of colours that lead to a class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.detect.inversion.form import Form
from bezoar.detect.inversion.forms import Colours
from bezoar.detect.models.base import MODEL_DETECTORS, ModelScores, Progress, unheard
from bezoar.detect.models.inversions import InversionDetector
from bezoar.detect.numerics.smallness import spreads_below_median
from bezoar.records import Skipped


@MODEL_DETECTORS.register("colour-inversion")
@dataclass(frozen=True, kw_only=True)
class ColourInversion(InversionDetector):
    """Changes of colours: sees filters and casts, and encoders that write into an image by its colours.

    Searched as the other forms are, on fewer steps of more images, for few numbers are learnt. Blue makes airplanes of
    all things in innocent networks too: nowhere does the twin matter more.

    No published inversion is limited to this family. Liu et al. 2019, ABS (CCS), look for filters by descent on an
    image's quantiles.
    """

    steps: int = 100
    images: int = 16

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
        return super().inspect(model, trusted, shape, classes, seed=seed, progress=progress)

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
