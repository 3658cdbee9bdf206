"""Do clean samples go over to the target class when the trigger is put on?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from bezoar.data.dataset import Dataset
from bezoar.shapes import Images
from bezoar.training import predict_logits

Flags = NDArray[np.bool_]
Change = Callable[[Images], Images]


@dataclass(frozen=True, eq=False)
class Carriers:
    """Held-out clean samples that no network has met: their inputs (n, ...) and labels (n,)."""

    inputs: Tensor
    labels: NDArray[np.int64]

    @staticmethod
    def of(data: Dataset, rows: NDArray[np.int64]) -> Carriers:
        """The samples of `data` at `rows`."""
        chosen = data.select(rows.tolist())
        return Carriers(chosen.inputs, chosen.labels.numpy())

    def answers(self, model: nn.Module, change: Change | None = None) -> NDArray[np.int64]:
        """The model's answers (n,), after `change` if there is one."""
        answers: NDArray[np.int64] = (
            predict_logits(model, change(self.inputs) if change else self.inputs).argmax(1).numpy()
        )
        return answers

    def part(self, chosen: Flags) -> Carriers:
        """Those that are chosen."""
        rows = np.flatnonzero(chosen)
        return Carriers(self.inputs[rows], self.labels[rows])


@dataclass(frozen=True, eq=False)
class Flips:
    """Of carriers that a model gets right and that are not of the target class: which of them `flipped` to it.

    Both (n,), over all carriers; `counted` says which of them are such.
    """

    flipped: Flags
    counted: Flags

    @property
    def rate(self) -> float:
        """Share of the counted that flipped, 0 if none is counted."""
        return float(self.flipped[self.counted].mean()) if self.counted.any() else 0.0


def flips(model: nn.Module, carriers: Carriers, change: Change, target: int) -> Flips:
    """Put the trigger on all carriers and see which of those that `model` got right it now gives to `target`."""
    right = carriers.answers(model) == carriers.labels
    after = carriers.answers(model, change) == target
    counted = right & (carriers.labels != target)
    return Flips(after & counted, counted)
