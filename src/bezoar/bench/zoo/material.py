"""What a subject of the zoo is made of: training data, the defender's clean samples, and test data, all disjoint."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from bezoar.attacks import Poisoned
from bezoar.bench.config import filled_in
from bezoar.bench.zoo.config import Subject, ZooData
from bezoar.data import open_data
from bezoar.data.dataset import Dataset
from bezoar.errors import DataError

TESTED = 2_000
"""Test samples on which subjects are measured."""


@dataclass(frozen=True, eq=False)
class Material:
    """Samples to train on, under right labels; others for whoever inspects or repairs the model; and test samples."""

    training: Dataset
    clean: Dataset
    test: Dataset


class Shelf:
    """The data of a zoo, each opened once."""

    def __init__(self) -> None:
        self._opened: dict[tuple[str, str], Dataset] = {}

    def material(self, data: ZooData, seed: int) -> Material:
        """The parts for a subject with this seed. Raises DataError where there are too few samples."""
        whole, test = self._open(data.source, data.train_split), self._open(data.source, data.test_split)
        wanted = data.samples + data.clean
        if len(whole) < wanted:
            raise DataError(f"{data.name} has too few samples", expected=f"{wanted:,}", found=f"{len(whole):,}")
        order = np.random.default_rng([seed, 1]).permutation(len(whole))
        first = np.random.default_rng([seed, 2]).permutation(len(test))[:TESTED]
        return Material(
            training=replace(whole.select(order[: data.samples].tolist()), name=data.name),
            clean=replace(whole.select(order[data.samples : wanted].tolist()), name=f"{data.name}, clean"),
            test=replace(test.select(first.tolist()), name=f"{data.name}, test"),
        )

    def _open(self, source: str, split: str) -> Dataset:
        if (source, split) not in self._opened:
            self._opened[source, split] = open_data(filled_in(source), split=split)
        return self._opened[source, split]


def poisoned_data(subject: Subject, training: Dataset) -> Poisoned | None:
    """The training data of a subject as its attack makes them; None where it has none."""
    return subject.build_attack().poison(training, seed=subject.seed) if subject.attack else None


def with_wrong_labels(data: Dataset, share: float, seed: int) -> Dataset:
    """The data with this share of labels changed to any other class."""
    generator = np.random.default_rng([seed, 3])
    labels = data.labels.numpy().copy()
    rows = generator.permutation(len(labels))[: round(share * len(labels))]
    labels[rows] = (labels[rows] + generator.integers(1, len(data.class_names), len(rows))) % len(data.class_names)
    return replace(data, labels=torch.from_numpy(labels))
