"""How many of some trusted samples a trigger turns, for checks that try one trigger after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from bezoar.confirm.flips import Carriers, Change, Flags, flips
from bezoar.data.dataset import Dataset
from bezoar.repair.given import drawn


@dataclass(frozen=True, eq=False)
class Turning:
    """A model, samples that it is asked about, and which of them (n,) it gets right."""

    model: nn.Module
    carriers: Carriers
    right: Flags

    @staticmethod
    def asked(model: nn.Module, data: Dataset, most: int, seed: int) -> Turning:
        """On at most so many samples of `data`, drawn by the seed."""
        some = drawn(data, most, seed)
        carriers = Carriers.of(some, np.arange(len(some), dtype=np.int64))
        return Turning(model, carriers, carriers.answers(model) == carriers.labels)

    def rate(self, trigger: Change, target: int, sources: Sequence[int] = ()) -> float:
        """The share that the trigger turns to the target, of `sources` if any are named; NaN where none could be."""
        labels = self.carriers.labels
        among = np.isin(labels, sources) if sources else np.ones(len(labels), dtype=bool)
        return flips(self.model, self.carriers, trigger, target, self.right).rate_among(among)

    def share(self, trigger: Change, target: int) -> float:
        """The same of all samples, 0 where none could be turned."""
        return float(np.nan_to_num(self.rate(trigger, target)))

    def most_to(self, trigger: Change, classes: int) -> tuple[float, int]:
        """The largest share that the trigger turns to any of so many classes, and which."""
        told, labels = self.carriers.answers(self.model, trigger), self.carriers.labels
        counted = [self.right & (labels != target) for target in range(classes)]
        shares = [float((told[rows] == target).mean()) if rows.any() else 0.0 for target, rows in enumerate(counted)]
        target = int(np.argmax(shares))
        return shares[target], target
