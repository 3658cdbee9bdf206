"""How many of the clean samples a model answers right, and whether it hardly gets more than guessing would."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from bezoar.confirm.flips import Carriers, Flags, mean_of_classes
from bezoar.data.dataset import Dataset
from bezoar.metrics.intervals import wilson
from bezoar.records import Rate

MOST_ASKED = 2000
CHANCE_TIMES, OF_THE_WAY = 2.5, 0.2
"""Hardly more than guessing is less than so many times as much, and than so much of the way from there to all right.

Where names are in another order, or classes are others, one or two may agree by chance: so many classes' worth.
"""
SURE = 2.5
"""Standard errors by which few samples must miss the middle between guessing and all right before they say anything."""


@dataclass(frozen=True, eq=False)
class Answers:
    """Which clean samples (n,) a model of so many `classes` answers right, and their `labels` (n,)."""

    right: Flags
    labels: NDArray[np.int64]
    classes: int

    @property
    def accuracy(self) -> Rate:
        """The share of right ones."""
        return wilson(int(self.right.sum()), len(self.right))

    @property
    def doubt(self) -> str:
        """What speaks against these samples being any that the model knows; "" where nothing does.

        Classes count alike, so that one who always gives the commonest answer is at chance, however common it is.
        Samples of a single class say nothing: a weak model may not know that one.
        """
        if len(np.unique(self.labels)) < 2:
            return ""
        share, error = mean_of_classes(self.right, self.labels)
        chance = 1 / self.classes
        most = min(CHANCE_TIMES * chance, chance + OF_THE_WAY * (1 - chance))
        if share >= most or share + SURE * error >= (1 + chance) / 2:
            return ""
        return (
            f"The model answers hardly more of the clean samples right than guessing would ({share:.1%} beside "
            f"{chance:.1%}, every class counted alike): are their classes others than the model's, or in another "
            "order, or were its samples preprocessed otherwise?"
        )


def answers(model: nn.Module, clean: Dataset, seed: int) -> Answers:
    """Ask the model about the clean samples, 2,000 at most."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(clean))[:MOST_ASKED])
    carriers = Carriers.of(clean, rows)
    return Answers(carriers.answers(model) == carriers.labels, carriers.labels, len(clean.class_names))
