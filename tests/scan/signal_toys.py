"""Planted scores of 100 ants, 100 bees and 30 cats, of which the first 20 bees are poison."""

from __future__ import annotations

import numpy as np

from bezoar.detect.scores import Scores
from bezoar.evidence import Evidence
from bezoar.scan.calibration import Reference, reference_of
from bezoar.scan.signals import Answers

CLASSES = ("ant", "bee", "cat")
SIZES = (100, 100, 30)
POISON = np.arange(100, 120)
"""Rows of the first 20 bees."""


def reference(scale: float = 1.0, smallest: int = 60) -> Reference:
    return reference_of([scale * number / 100 for number in range(100)], 4, smallest=smallest)


def bare_evidence() -> Evidence:
    labels = np.repeat(np.arange(3), SIZES)
    return Evidence(tuple(f"id {row}" for row in range(len(labels))), labels, CLASSES)


def answers(**scores: Scores) -> Answers:
    return Answers(scores, ())


def planted(
    statistics: tuple[float, ...] | None, *, rows: np.ndarray = POISON, far: float = 9.0, seed: int = 0
) -> Scores:
    evidence = bare_evidence()
    values = np.random.default_rng(seed).normal(size=len(evidence))
    values[rows] += far
    return Scores(evidence.ids, values, None if statistics is None else np.array(statistics))
