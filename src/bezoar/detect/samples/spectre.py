"""SPECTRE: whitened by a robust covariance, poison stands out in the directions in which most is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from bezoar.detect.numerics.covariance import (
    Points,
    Rows,
    chi_square_quantile,
    inverse_root,
    mean_and_covariance,
    robust_gaussian,
)
from bezoar.detect.numerics.eigen import reduced
from bezoar.detect.numerics.mixture import two_means
from bezoar.detect.samples.by_class import MINORITY, ClassJudgement, ClassStructure, judge_classes, layer_of
from bezoar.detect.scores import SAMPLE_DETECTORS, Scores
from bezoar.errors import UsageError
from bezoar.evidence import Evidence, Real
from bezoar.records import Skipped

ROWS_PER_DIRECTION = 20
"""A robust covariance of fewer rows for each direction is noise."""
INSIDE = 0.999
"""Rows within this quantile of a Gaussian are of the bulk."""


@SAMPLE_DETECTORS.register("spectre")
@dataclass(frozen=True)
class Spectre:
    """Quantum entropy (QUE) scores of the features of each class after robust whitening.

    Hayase et al. 2021, arXiv 2104.11315: the features of a class are projected on their k leading directions, whitened
    by a robust mean and covariance, and scored by a quadratic form that weighs every direction by the exponential of
    `alpha` times the variance left over in it (alpha 4 as in the paper). k is the one, among doublings up to `most`,
    with the largest mean score; that mean is the statistic of the class, near 1 where all is explained. `layer` is that
    whose features are used, the deepest by default.

    Deviations: the paper's robust covariance and its choice of k are told the poison rate. Here no rate is known: the
    covariance is that of the closest share `keep` of the class, reweighted (`robust_gaussian`), so that up to 1 - keep
    of the class may be poison. Where about half is, the tighter half passes for the bulk; if that is the odd one by
    its distance from other classes (`ClassStructure.second_is_odd`), the scores change sign about their mean.
    """

    alpha: float = 4.0
    most: int = 64
    keep: float = 0.5
    layer: str | None = None

    def __post_init__(self) -> None:
        if self.most < 1 or self.alpha < 0 or not 0.5 <= self.keep <= 1:
            raise UsageError("spectre: most at least 1, alpha at least 0, keep from 0.5 to 1", found=repr(self))

    def score(self, evidence: Evidence, *, trusted: Evidence | None = None, seed: int) -> Scores | Skipped:
        """Scores by id. Skipped without features; `trusted` and `seed` are not used."""
        matrix = layer_of(evidence, self.layer)
        if isinstance(matrix, Skipped):
            return matrix
        structure = ClassStructure(matrix, evidence)
        return judge_classes(
            evidence, lambda label, rows: self._judge(structure, label, rows), least=ROWS_PER_DIRECTION
        )

    def _judge(self, structure: ClassStructure, label: int, rows: Rows) -> ClassJudgement | None:
        group = mean_and_covariance(structure.matrix, rows)
        points = reduced(structure.matrix, rows, group, min(self.most, len(rows) // ROWS_PER_DIRECTION), whiten=False)
        split = two_means(points) if points.shape[1] else None
        starts = () if split is None else (split.second, ~split.second)
        tried = [self._whitened(points[:, :count], starts) for count in _doublings(points.shape[1])]
        if not tried:
            return None
        scored = [que_scores(white, self.alpha) for white in tried]
        best = max(range(len(scored)), key=lambda place: float(scored[place].mean()))
        values, strength = scored[best], float(scored[best].mean())
        inside = (tried[best] ** 2).sum(1) <= chi_square_quantile(INSIDE, tried[best].shape[1])
        halves = MINORITY < inside.mean() < 1 - MINORITY
        if halves and not structure.second_is_odd(label, rows[inside], rows[~inside]):
            values = strength - values
        return ClassJudgement(values, strength)

    def _whitened(self, points: Points, starts: Sequence[NDArray[np.bool_]]) -> Real:
        bulk = robust_gaussian(points, keep=self.keep, starts=starts)
        return np.asarray((points - bulk.mean) @ inverse_root(bulk.covariance))


def que_scores(white: Real, alpha: float) -> Real:
    """QUE scores (m,) of whitened rows (m, k): x'Qx / tr Q with Q = exp(alpha (S - I) / (|S| - 1)), S their covariance.

    |S| is the largest eigenvalue. Where that is 1 or less nothing is left over, and Q weighs all directions alike.
    """
    width = white.shape[1]
    left = np.cov(white, rowvar=False, bias=True).reshape(width, width)
    excess = float(np.linalg.eigvalsh(left)[-1]) - 1
    weigh = expm(alpha * (left - np.eye(width)) / excess) if excess > 1e-6 else np.eye(width)
    return np.asarray(np.einsum("ij,ij->i", white @ weigh, white) / np.trace(weigh))


def _doublings(most: int) -> list[int]:
    """1, 2, 4, ... up to `most`, and `most` itself."""
    counts = [2**power for power in range(most.bit_length()) if 2**power <= most]
    return sorted({*counts, most} - {0})
