"""Spectral signatures: a share of poison stretches its class along one direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bezoar.detect.numerics.covariance import Rows, mean_and_covariance
from bezoar.detect.numerics.eigen import leading_directions, project
from bezoar.detect.samples.by_class import ClassJudgement, judge_classes, layer_of
from bezoar.detect.scores import SAMPLE_DETECTORS, Scores
from bezoar.evidence import Evidence, Matrix
from bezoar.records import Skipped


@SAMPLE_DETECTORS.register("spectral")
@dataclass(frozen=True)
class SpectralSignatures:
    """Squared projection of a sample's features on the top singular direction of its class, centred.

    Tran et al. 2018, arXiv 1811.00636, algorithm 1: the features of each class are centred by its own mean. `layer` is
    that whose features are used, the deepest by default. Works where the poison is a small share of its class; where
    it is half of it, both halves lie equally far out.

    Deviations: the direction comes from the covariance in one pass instead of from a singular value decomposition, and
    is the same. The paper takes the 1.5 times poison rate highest scores of every class away and so has no
    statistic of a class: here it is the log of the ratio of the largest variance to the second.

    Scores stay in the units of the features and are not divided by the variance of the class: that poison stretches its
    class is seen in how far out all of it lies, more than in the order within.
    """

    layer: str | None = None

    def score(self, evidence: Evidence, *, trusted: Evidence | None = None, seed: int) -> Scores | Skipped:
        """Scores by id. Skipped without features; `trusted` and `seed` are not used."""
        matrix = layer_of(evidence, self.layer)
        if isinstance(matrix, Skipped):
            return matrix
        return judge_classes(evidence, lambda _, rows: _judge(matrix, rows))


def _judge(matrix: Matrix, rows: Rows) -> ClassJudgement | None:
    group = mean_and_covariance(matrix, rows)
    found = leading_directions(group.covariance, 2)
    if not len(found.variances):
        return None
    along = project(matrix, rows, group.mean, found.vectors[:, :1])[:, 0].astype(np.float64)
    second = found.variances[1] if len(found.variances) > 1 else found.variances[0] * 1e-6
    return ClassJudgement(along**2, float(np.log(found.variances[0] / second)))
