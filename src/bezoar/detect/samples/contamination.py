"""SCAn: is a class better told by two groups that vary as the other classes do than by one?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bezoar.detect.numerics.covariance import Rows, inverse_root, mean_and_covariance, row_blocks
from bezoar.detect.numerics.eigen import leading_directions, project
from bezoar.detect.numerics.mixture import Mixture, two_gaussians, two_means
from bezoar.detect.samples.by_class import (
    LEAST,
    ClassJudgement,
    ClassStructure,
    judge_classes,
    layer_of,
)
from bezoar.detect.scores import SAMPLE_DETECTORS, Scores
from bezoar.errors import UsageError
from bezoar.evidence import Evidence, Matrix, Real
from bezoar.records import Skipped


@SAMPLE_DETECTORS.register("scan")
@dataclass(frozen=True)
class StatisticalContamination:
    """Likelihood ratio of two groups against one in each class, all groups with one covariance: SCAn.

    Tang et al. 2021, arXiv 1908.00686: a feature is a class mean plus a variation whose covariance all classes share;
    a class that holds poison has two means. The groups are untangled by expectation maximisation, whose boundary is
    Fisher's linear discriminant. The statistic is twice the log-likelihood gained, for each sample. With `normalised`
    it is the paper's: its distance from the median over the classes in units of the median absolute deviation
    (1.4826 MAD), which needs at least 4 classes, and of which most must be clean. `layer` is that whose features are
    used, the deepest by default.

    Deviations: the paper estimates the shared covariance from clean data. So does this where `trusted` is given;
    otherwise it is estimated from all samples, and `rounds - 1` times anew about the two means found in each class, so
    that poison doesn't widen it. Groups have weights, and memberships are soft. Of the shared-covariance space only the
    `components` directions along which the class varies most are searched. The likelihood is divided by the number of
    samples instead of being brought to a chi-square's scale: features are not Gaussian, so it grows with the samples in
    clean classes too. The normalised statistic keeps its sign: a class that is more like one group than others
    is not suspicious. Which of the two groups is odd the paper leaves open: see `ClassStructure.second_is_odd`. A score
    is the log odds of being in it, weighed by how far the statistic of the class exceeds the median over classes, so
    that the classes that are like the others stay near 0.
    """

    components: int = 16
    rounds: int = 2
    normalised: bool = False
    layer: str | None = None

    def __post_init__(self) -> None:
        if self.components < 1 or self.rounds < 1:
            raise UsageError("scan: components and rounds must be at least 1", found=repr(self))

    def score(self, evidence: Evidence, *, trusted: Evidence | None = None, seed: int) -> Scores | Skipped:
        """Scores by id. Skipped without features, or without a class of enough samples; `seed` is not used."""
        matrix = layer_of(evidence, self.layer)
        if isinstance(matrix, Skipped):
            return matrix
        structure = ClassStructure(matrix, evidence)
        root = self._root(structure, trusted)
        found = judge_classes(evidence, lambda label, rows: self._judge(structure, label, rows, root))
        if isinstance(found, Skipped):
            return found
        weighed = _weighed(found, evidence)
        return _normalised(weighed) if self.normalised else weighed

    def _root(self, structure: ClassStructure, trusted: Evidence | None) -> Real:
        """The matrix (d, d) that whitens the variation within classes."""
        known = _trusted_covariance(trusted, self.layer, structure.matrix.shape[1])
        if known is not None:
            return inverse_root(known)
        root = inverse_root(structure.shared)
        for _ in range(self.rounds - 1):
            root = inverse_root(structure.shared - self._between(structure.matrix, structure.evidence, root))
        return root

    def _judge(self, structure: ClassStructure, label: int, rows: Rows, root: Real) -> ClassJudgement | None:
        mixture = untangle(structure.matrix, rows, root, self.components)
        if mixture is None:
            return None
        second = mixture.log_odds > 0
        if second.all() or not second.any():
            return ClassJudgement(np.zeros(len(rows)), mixture.gain)
        odd = structure.second_is_odd(label, rows[~second], rows[second])
        return ClassJudgement(mixture.log_odds if odd else -mixture.log_odds, mixture.gain)

    def _between(self, matrix: Matrix, evidence: Evidence, root: Real) -> Real:
        """The part of the shared covariance that is due to two means in a class (d, d)."""
        part = np.zeros_like(root)
        for label in range(evidence.classes):
            rows = evidence.members(label)
            mixture = untangle(matrix, rows, root, self.components) if len(rows) >= LEAST else None
            if mixture is not None:
                apart = _means_apart(matrix, rows, mixture)
                share = len(rows) / len(evidence) * float(np.prod(mixture.weights))
                part += share * np.outer(apart, apart)
        return part


def untangle(matrix: Matrix, rows: Rows, root: Real, components: int) -> Mixture | None:
    """Two groups of the chosen rows once `root` (d, d) has whitened the shared covariance; None if all are equal."""
    group = mean_and_covariance(matrix, rows)
    found = leading_directions(root @ group.covariance @ root, components)
    if not len(found.variances):
        return None
    points = project(matrix, rows, group.mean, root @ found.vectors)
    split = two_means(points)
    return None if split is None else two_gaussians(points, split.second)


def _trusted_covariance(trusted: Evidence | None, layer: str | None, width: int) -> Real | None:
    """Covariance within classes of trusted samples, where they are enough to have one."""
    if trusted is None or not trusted.layers or len(trusted) < 2 * width:
        return None
    matrix = layer_of(trusted, layer)
    return None if isinstance(matrix, Skipped) or matrix.shape[1] != width else ClassStructure(matrix, trusted).shared


def _means_apart(matrix: Matrix, rows: Rows, mixture: Mixture) -> Real:
    """The second group's mean less the first's (d,), by soft membership."""
    second = 1 / (1 + np.exp(-np.clip(mixture.log_odds, -500, 500)))
    sums = np.zeros((2, matrix.shape[1]))
    for place, block in row_blocks(matrix, rows):
        sums += np.stack([1 - second[place], second[place]]) @ block
    return np.asarray(sums[1] / max(second.sum(), 1e-9) - sums[0] / max((1 - second).sum(), 1e-9))


def _weighed(scores: Scores, evidence: Evidence) -> Scores:
    """The same with each class's scores multiplied by the share of its statistic that exceeds the median class."""
    assert scores.classes is not None
    excess = 1 - float(np.nanmedian(scores.classes)) / np.maximum(scores.classes, 1e-9)
    weights = np.nan_to_num(np.clip(excess, 0.01, 1.0))
    return Scores(scores.ids, scores.values * weights[evidence.labels], scores.classes, scores.notes)


def _normalised(scores: Scores) -> Scores | Skipped:
    """The same scores with the statistic of each class in median absolute deviations from the median."""
    assert scores.classes is not None
    told = scores.classes[~np.isnan(scores.classes)]
    if len(told) < 4:
        return Skipped("a class can be compared with the others only where there are 4 or more")
    median = float(np.median(told))
    deviation = 1.4826 * float(np.median(np.abs(told - median)))
    return Scores(scores.ids, scores.values, (scores.classes - median) / max(deviation, 1e-9), scores.notes)
