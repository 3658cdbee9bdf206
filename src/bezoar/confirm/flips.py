"""Do clean samples go over to the target class when the trigger is put on?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bezoar.data.dataset import Dataset
from bezoar.shapes import Images
from bezoar.training import predict_logits

Rows: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]
Change: TypeAlias = Callable[[Images], Images]

VALUES_AT_A_TIME = 1 << 24
"""Triggers are put on so many values at a time: a float copy of all carriers is never made."""
LEAST_FLIPS, LEAST_GAIN = 0.3, 0.2
"""A trigger works that turns this share of samples, and this much more than its strongest control does."""
FEWEST_COUNTED = 10
"""Of fewer carriers no rate of a class is told."""


@dataclass(frozen=True, eq=False)
class Carriers:
    """Samples that a network is asked about: their inputs (n, ...) and labels (n,)."""

    inputs: Tensor
    labels: NDArray[np.int64]

    @staticmethod
    def of(data: Dataset, rows: Rows) -> Carriers:
        """The samples of `data` at `rows`."""
        index = torch.from_numpy(rows)
        return Carriers(data.inputs[index], data.labels[index].numpy())

    def answers(self, model: nn.Module, change: Change | None = None) -> NDArray[np.int64]:
        """The model's answers (n,), after `change` if there is one. `change` is given some samples at a time."""
        values = int(np.prod(self.inputs.shape[1:]))
        parts = torch.split(self.inputs, max(1, VALUES_AT_A_TIME // max(1, values))) if len(self.inputs) else ()
        told = [predict_logits(model, change(part) if change else part).argmax(1).numpy() for part in parts]
        return np.concatenate(told) if told else np.zeros(0, dtype=np.int64)

    def certainty(self, model: nn.Module) -> NDArray[np.float64]:
        """How sure the model is of each (n,): the probability of its likeliest answer."""
        chances = torch.softmax(predict_logits(model, self.inputs).double(), 1)
        sure: NDArray[np.float64] = chances.amax(1).numpy()
        return sure

    def part(self, chosen: Flags) -> Carriers:
        """Those that are chosen."""
        rows = np.flatnonzero(chosen)
        return Carriers(self.inputs[torch.from_numpy(rows)], self.labels[rows])


@dataclass(frozen=True, eq=False)
class Flips:
    """Of carriers that a model gets right and that are not of the target class: which of them `flipped` to it.

    Both (n,), over all carriers; `counted` says which of them are such. Only counted ones are flipped.
    """

    flipped: Flags
    counted: Flags

    @property
    def rate(self) -> float:
        """Share of the counted that flipped, NaN if none is counted."""
        return self.rate_among(self.counted)

    def rate_among(self, chosen: Flags) -> float:
        """Share of the counted among `chosen` that flipped, NaN if none is counted."""
        counted = self.counted & chosen
        return float(self.flipped[counted].mean()) if counted.any() else float("nan")

    def by_class(self, labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
        """Flip rate of each class (k,), NaN where fewer than 10 carriers count."""
        among = (labels == label for label in range(classes))
        enough = (one if (self.counted & one).sum() >= FEWEST_COUNTED else np.zeros_like(one) for one in among)
        return np.array([self.rate_among(one) for one in enough])


def flips(model: nn.Module, carriers: Carriers, change: Change, target: int, right: Flags | None = None) -> Flips:
    """Put the trigger on all carriers and see which of those that `model` got right it now gives to `target`.

    `right` (n,) says which those are, for one who has asked the model before.
    """
    right = carriers.answers(model) == carriers.labels if right is None else right
    counted = right & (carriers.labels != target)
    return Flips((carriers.answers(model, change) == target) & counted, counted)


def above_chance(right: Flags, labels: NDArray[np.int64]) -> bool:
    """Whether answers, `right` or not (n,), are clearly better than a guess.

    The mean over classes of the share of right answers exceeds one in the number of classes by two standard errors. So
    one who answers the commonest class is at chance, however common it is. False with fewer than two classes.
    """
    present = len(np.unique(labels))
    if present < 2:
        return False
    share, error = mean_of_classes(right, labels)
    return share - 2 * error > 1 / present


def mean_of_classes(right: Flags, labels: NDArray[np.int64]) -> tuple[float, float]:
    """The mean over classes of the share of right answers, and its standard error; there must be some."""
    _, where = np.unique(labels, return_inverse=True)
    counts, hits = np.bincount(where), np.bincount(where, right)
    # One hit and one miss more: rates of 0 and 1 among few samples are not certain.
    softened = (hits + 1) / (counts + 2)
    error = float(np.sqrt((softened * (1 - softened) / counts).sum())) / len(counts)
    return float((hits / counts).mean()), error
