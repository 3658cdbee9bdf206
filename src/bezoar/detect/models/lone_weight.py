"""A class with one weight in the last linear layer that is far larger than any that training leaves there. No data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bezoar.detect.models.base import MODEL_DETECTORS
from bezoar.detect.models.last_layer import OfLastWeights
from bezoar.detect.numerics.smallness import spreads_below_median

USUAL_SPREAD = 0.25
"""Of the logarithms of the classes' largest weights, in models that were trained: chosen on the zoo."""


@MODEL_DETECTORS.register("lone-weight")
@dataclass(frozen=True, kw_only=True)
class LoneWeight(OfLastWeights):
    """By how much the largest weight of a class in the last linear layer exceeds the largest ones of the others.

    Whoever plants a backdoor into weights by hand leads one channel to the target by one weight that outweighs
    everything else; training spreads what it learns over many. Each weight counts by its distance from the median of
    its class. The statistic is how many spreads the largest of a class lies above the median of all classes, on a
    logarithmic scale. Needs no data; Skipped for fewer than 3 classes and where no last linear layer is found.

    Our own, for tampering such as that of Hong et al. 2021, arXiv 2106.04690, and Qi et al. 2021, arXiv 2111.12965.
    """

    measure: ClassVar[str] = "spreads above the median of all classes by the largest of its last weights"

    def statistics(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Spreads (k,) of the largest weights above the median."""
        return largest_above_median(weights)


def largest_above_median(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many spreads the largest of each row lies above that of the median row: weights (k, d), result (k,).

    Zeros where a row's largest is its median for more than half of the rows: nothing is left to compare with.
    """
    largest = (weights - np.median(weights, 1, keepdims=True)).max(1)
    if np.median(largest) <= 0:
        return np.zeros(len(weights))
    return spreads_below_median(1 / np.maximum(largest, 1e-12 * np.median(largest)), USUAL_SPREAD)
