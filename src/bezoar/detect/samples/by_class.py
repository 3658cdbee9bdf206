"""What detectors that look at one class after the other share: which features, which rows, and the bookkeeping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bezoar.detect.numerics.covariance import (
    Gaussian,
    Rows,
    class_means,
    mean_and_covariance,
    row_blocks,
    shared_covariance,
    whitener,
)
from bezoar.detect.scores import Scores
from bezoar.errors import UsageError
from bezoar.evidence import Evidence, Labels, Matrix, Real
from bezoar.records import Skipped

LEAST = 10
"""A class with fewer samples has no structure to speak of."""
MINORITY = 0.3
"""Up to this share of a class, the smaller of two groups is the odd one."""
FEWEST_OTHERS = 3
"""Among fewer other classes no distance is the usual one."""


@dataclass(frozen=True, eq=False)
class ClassJudgement:
    """Scores (m,) of the samples of one class in the order of its rows, and the statistic of the class."""

    values: Real
    statistic: float


def judge_classes(
    evidence: Evidence,
    judge: Callable[[int, Rows], ClassJudgement | None],
    *,
    least: int = LEAST,
) -> Scores | Skipped:
    """Let `judge` see each class in turn, its label and rows, and put its scores back in their places.

    A class of fewer than `least` samples, or one of which `judge` makes nothing, gets the statistic NaN, and its
    samples the score 0. Skipped where that is the lot of every class.
    """
    values, statistics = np.zeros(len(evidence)), np.full(evidence.classes, np.nan)
    for label in range(evidence.classes):
        rows = evidence.members(label)
        if len(rows) >= least and (found := judge(label, rows)) is not None:
            values[rows], statistics[label] = found.values, found.statistic
    if np.isnan(statistics).all():
        return Skipped(f"no class has {least} samples or more that differ")
    return Scores(evidence.ids, values, statistics)


def layer_of(evidence: Evidence, name: str | None) -> Matrix | Skipped:
    """Features (n, d) of the layer called `name`, the deepest without a name; Skipped where there are none.

    Raises UsageError for a layer that the evidence doesn't have, though it has others.
    """
    if not evidence.layers or not len(evidence):
        return Skipped("no features of a probe were gathered")
    chosen = name if name is not None else list(evidence.layers)[-1]
    if chosen not in evidence.layers:
        raise UsageError(
            f"there is no layer {chosen!r}", expected="one of " + ", ".join(evidence.layers), remedy="Leave layer out"
        )
    return evidence.layers[chosen]


def in_order_of_ids(evidence: Evidence, rows: Rows) -> Rows:
    """The rows sorted by id, so that what is drawn from them doesn't depend on the order in which they came."""
    return np.array(sorted(rows.tolist(), key=evidence.ids.__getitem__), dtype=np.int64)


def drawn(evidence: Evidence, rows: Rows, count: int, seed: int) -> Rows:
    """At most `count` of the rows, the same samples for the same seed whatever the order of the rows."""
    if len(rows) <= count:
        return rows
    return np.sort(np.random.default_rng(seed).choice(in_order_of_ids(evidence, rows), count, replace=False))


@dataclass(frozen=True, eq=False)
class ClassStructure:
    """Where the classes lie in a layer's features, for comparing a part of one class with the other classes.

    Nothing is computed before it is asked for, and then once, but for `own`.
    """

    matrix: Matrix
    evidence: Evidence
    _pooled: dict[int, Real] = field(default_factory=dict, init=False, repr=False)

    def own(self, label: int) -> Gaussian:
        """Mean and covariance of a class, computed at every call.

        Classes asked for here first are pooled on the way: `means_and_counts` and `shared` don't read them again.
        """
        group = mean_and_covariance(self.matrix, self.evidence.members(label))
        if label not in self._pooled:
            self._pooled[label] = group.mean
            scatter = self._scatter
            scatter += group.covariance * group.count
        return group

    @cached_property
    def _scatter(self) -> Real:
        return np.zeros((self.matrix.shape[1], self.matrix.shape[1]))

    def _pool_all(self) -> bool:
        """Whether classes were pooled; then the others are now, too."""
        if not self._pooled:
            return False
        for label in set(np.unique(self.evidence.labels).tolist()) - set(self._pooled):
            self.own(label)
        return True

    @cached_property
    def means_and_counts(self) -> tuple[Real, Labels]:
        """Mean (k, d) and number (k,) of the samples of each class."""
        if self._pool_all():
            counts = np.bincount(self.evidence.labels, minlength=self.evidence.classes).astype(np.int64)
            nothing = np.zeros(self.matrix.shape[1])
            return np.stack([self._pooled.get(label, nothing) for label in range(len(counts))]), counts
        return class_means(self.matrix, self.evidence.labels, self.evidence.classes)

    @cached_property
    def shared(self) -> Real:
        """Covariance (d, d) within classes, pooled over all samples."""
        if self._pool_all():
            return np.asarray(self._scatter / len(self.evidence))
        return shared_covariance(self.matrix, self.evidence.labels, self.means_and_counts[0])

    def second_is_odd(self, label: int, first: Rows, second: Rows) -> bool:
        """Which of two groups of rows of a class is the odd one: True for the second.

        A group of at most MINORITY of the two is. Of two of much the same size, it is the one whose distance from the
        other classes (the median squared Mahalanobis distance of means, by the covariance that the other classes share)
        is, as a ratio, farther from the distance that is usual among those: what a trigger adds is foreign to all
        classes, and what is left of an old class draws nearer to them. Among fewer than 3 others no distance is usual,
        and the group that lies farther away is odd. So it is not assumed that poison is the minority, unless there is
        no other class.
        """
        share = len(second) / (len(first) + len(second))
        others = self._others(label) if min(share, 1 - share) > MINORITY else None
        if others is None:
            return share <= 0.5
        means, root = others
        whitened = means @ root
        distances = [_median_distance(whitened, self._mean(rows) @ root) for rows in (first, second)]
        if len(means) < FEWEST_OTHERS:
            return distances[1] > distances[0]
        places = range(len(means))
        usual = np.median([_median_distance(np.delete(whitened, place, 0), whitened[place]) for place in places])
        departures = np.abs(np.log(np.maximum(distances, 1e-12) / max(float(usual), 1e-12)))
        return bool(departures[1] > departures[0])

    def _others(self, label: int) -> tuple[Real, Real] | None:
        """Means of the other classes and what whitens the covariance that they share; None without other classes."""
        means, counts = self.means_and_counts
        others = (counts > 0) & (np.arange(len(counts)) != label)
        if not others.any():
            return None
        # Pooled beforehand or in one pass over all, but not class by class only now.
        shared = self.shared
        own = self.own(label)
        left = shared * len(self.evidence) - own.covariance * own.count
        return means[others], whitener(left / (len(self.evidence) - own.count))

    def _mean(self, rows: Rows) -> Real:
        total = np.zeros(self.matrix.shape[1])
        for _, block in row_blocks(self.matrix, rows):
            total += block.sum(0, dtype=np.float64)
        return total / len(rows)


def _median_distance(means: Real, point: Real) -> float:
    """Median squared distance of a point (d,) from means (k, d)."""
    return float(np.median(((means - point) ** 2).sum(1)))
