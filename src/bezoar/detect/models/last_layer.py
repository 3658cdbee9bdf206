"""Classes whose weights in the last linear layer are larger, on average, than those of the others. No data."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.detect.inversion.quiet import untouched
from bezoar.detect.models.base import MODEL_DETECTORS, ModelScores, Progress, unheard
from bezoar.detect.numerics.smallness import MAD_TO_DEVIATION
from bezoar.records import Skipped
from bezoar.training.channels import device_of, modules_met, weight_of

FEWEST_CLASSES = 3
LEAST_SPREAD = 0.25
"""Training keeps the means of classes closer together than chance would: chosen on models of the zoo for choosing."""


class OfLastWeights:
    """Judges classes by their weights in the last linear layer; no samples are asked for."""

    black_box: ClassVar[bool] = False
    measure: ClassVar[str]

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
        """Statistics (k,) of the classes. `trusted` is not used."""
        if classes < FEWEST_CLASSES:
            return Skipped(f"weights are compared among at least {FEWEST_CLASSES} classes")
        weights = last_weights(model, shape, classes, seed)
        if isinstance(weights, Skipped):
            return weights
        return ModelScores(self.statistics(weights), measure=self.measure, from_samples=False)

    @abstractmethod
    def statistics(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """How suspicious each class (k,) is by its row of weights (k, d)."""


@MODEL_DETECTORS.register("last-layer")
@dataclass(frozen=True, kw_only=True)
class LastLayer(OfLastWeights):
    """By how much the mean weight of a class in the last linear layer exceeds that of the others.

    The statistic is how many spreads it lies above the median of all classes. The last layer is the last linear layer,
    or convolution, met by an input that gives as many numbers as there are classes. Needs no data; Skipped for fewer
    than 3 classes and where no such layer is found. A class that the training set simply had more of has larger
    weights too: a mean that stands out says that the class was favoured, not by what.

    Fields, Samragh, Javaheripi, Koushanfar and Javidi 2021 (arXiv 2109.02836). Deviation: spreads in place of Dixon's Q
    test, so that all detectors are calibrated alike.
    """

    measure: ClassVar[str] = "spreads above the median of all classes"

    def statistics(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Spreads (k,) of the means above the median."""
        return means_above_median(weights)


def last_weights(model: nn.Module, shape: tuple[int, ...], classes: int, seed: int) -> NDArray[np.float64] | Skipped:
    """Weights (k, d) of the last linear layer, or convolution, met by an input that gives a number for each class."""
    noise = torch.rand(2, *shape, generator=torch.Generator().manual_seed(seed)).to(device_of(model))
    with untouched(model):
        met = modules_met(model, noise, (nn.Linear, nn.Conv2d))
    name = next((one for one in reversed(met) if len(weight_of(model, one)) == classes), None)
    if name is None:
        return Skipped(f"no linear layer gives a number for each of the {classes} classes")
    weights: NDArray[np.float64] = weight_of(model, name).detach().flatten(1).double().cpu().numpy()
    return weights


def means_above_median(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many spreads each row's mean lies above the median row's: weights (k, d), result (k,).

    The spread is the median absolute deviation, scaled to a standard deviation, but not less than `LEAST_SPREAD` of
    what means of independent weights would have: their deviation within rows over the root of d. Zeros where all
    means are equal.
    """
    means = weights.mean(1)
    above = means - np.median(means)
    by_chance = float(np.sqrt(weights.var(1).mean() / weights.shape[1]))
    spread = max(MAD_TO_DEVIATION * float(np.median(np.abs(above))), LEAST_SPREAD * by_chance)
    result: NDArray[np.float64] = above / spread if spread > 0 else np.zeros_like(above)
    return result
