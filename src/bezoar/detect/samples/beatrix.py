"""Beatrix: poison has other correlations between features than its class has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bezoar.detect.numerics.covariance import Points, Rows, finite, row_blocks
from bezoar.detect.numerics.kernels import squared_mmd
from bezoar.detect.samples.by_class import (
    LEAST,
    ClassJudgement,
    drawn,
    in_order_of_ids,
    judge_classes,
    layer_of,
)
from bezoar.detect.scores import SAMPLE_DETECTORS, Scores
from bezoar.errors import UsageError
from bezoar.evidence import Evidence, Matrix, Real
from bezoar.records import Skipped

SAMPLED = 20_000
"""Medians are taken over at most so many samples of a class."""
COMPARED = 400
"""The kernel test compares at most so many samples with as many."""
TAIL = 0.05
"""The share of a class, the most deviating, that is compared with its calmer half."""


@dataclass(frozen=True, eq=False)
class Entries:
    """Which entries of the Gram matrix are looked at: pairs (first, second) of columns, and the orders of row norms."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    orders: tuple[int, ...]

    def of(self, features: Points) -> Points:
        """The entries (m, pairs + orders * d) of rows (m, d): products of pairs, then norms of Gram rows by order."""
        norms = [features * row_norm(features, order) for order in self.orders]
        return np.concatenate([features[:, self.first] * features[:, self.second], *norms], axis=1)


@SAMPLE_DETECTORS.register("beatrix")
@dataclass(frozen=True)
class Beatrix:
    """Deviations of a sample's Gram matrices, of several orders, from those of its class.

    Ma et al. 2022, arXiv 2209.11715: from the features v of a sample the Gram matrix of order p is (v^p v^p')^(1/p);
    each entry is compared with the median of the class, in median absolute deviations, and what lies beyond `width` of
    them is summed. The statistic of a class is a kernel test (maximum mean discrepancy) between its deviating samples
    and the others. `layer` is that whose features are used, the deepest by default.

    Deviations: evidence holds one vector for each sample, without places in a picture, so that every order of the Gram
    matrix has the same entries v_i v_j. Of those `pairs` are drawn by the seed, and the orders enter by the p-norms of
    the matrix's rows, v_i |v|_p. The paper has 30 clean samples of each class for its medians. So does this where
    `trusted` holds 10 or more of a class, and otherwise takes the class itself, most of which must then be clean: where
    about half is poison the medians are those of the half that varies less, the statistic may still be high, but the
    scores can point at the wrong half. Deviations are counted in MAD and not as shares of the bounds, which blow up
    features that are mostly 0; `width` is 3 instead of 10, since sums over many entries are told apart below that
    already. Tested are the upper 5% of a class against its calmer half, by the plain unbiased discrepancy.
    """

    orders: tuple[int, ...] = (1, 2, 4, 8)
    pairs: int = 512
    width: float = 3.0
    layer: str | None = None

    def __post_init__(self) -> None:
        if not self.orders or min(self.orders) < 1 or self.pairs < 1 or self.width < 0:
            raise UsageError("beatrix: orders and pairs at least 1, width at least 0", found=repr(self))

    def score(self, evidence: Evidence, *, trusted: Evidence | None = None, seed: int) -> Scores | Skipped:
        """Scores by id. Skipped without features."""
        matrix = layer_of(evidence, self.layer)
        if isinstance(matrix, Skipped):
            return matrix
        entries = self._entries(matrix.shape[1], seed)
        known = _trusted_matrix(trusted, self.layer, matrix.shape[1])

        def judge(label: int, rows: Rows) -> ClassJudgement | None:
            told = _clean(known, trusted, label)
            usual = _rows(matrix, drawn(evidence, rows, SAMPLED, seed)) if told is None else told
            values = self._deviations(matrix, rows, entries, usual)
            if values is None:
                return None
            return ClassJudgement(values, _test(matrix, rows, values, evidence, seed))

        return judge_classes(evidence, judge, least=2 * LEAST)

    def _entries(self, width: int, seed: int) -> Entries:
        """All pairs of columns, or `pairs` of them drawn."""
        first, second = np.triu_indices(width)
        if len(first) > self.pairs:
            chosen = np.sort(np.random.default_rng(seed).choice(len(first), self.pairs, replace=False))
            first, second = first[chosen], second[chosen]
        return Entries(first, second, self.orders)

    def _deviations(self, matrix: Matrix, rows: Rows, entries: Entries, usual: Points) -> Real | None:
        """Mean deviation beyond `width` of each row; None where nothing varies."""
        bounds = usual_bounds(entries.of(usual))
        if bounds is None:
            return None
        median, deviation = bounds
        values = np.empty(len(rows))
        for place, block in row_blocks(matrix, rows):
            beyond = np.abs(entries.of(block) - median) / deviation - np.float32(self.width)
            values[place] = np.maximum(beyond, 0).mean(1, dtype=np.float64)
        return finite(values)


def row_norm(features: Points, order: int) -> Points:
    """The p-norm (m, 1) of each row, with its largest entry divided out so that high orders don't overflow."""
    size = np.abs(features)
    largest = np.maximum(size.max(1, keepdims=True), np.finfo(np.float32).tiny)
    return np.asarray(largest * ((size / largest) ** order).sum(1, keepdims=True) ** (1.0 / order), dtype=np.float32)


def usual_bounds(entries: Points) -> tuple[Points, Points] | None:
    """Median and scaled median absolute deviation of each column; None where nothing varies.

    A deviation is at least a quarter of the median one, lest features that are nearly always 0 decide everything.
    """
    median = np.median(entries, axis=0)
    deviation = np.asarray(1.4826 * np.median(np.abs(entries - median), axis=0), dtype=np.float32)
    some = deviation[deviation > 0]
    return (median, np.maximum(deviation, 0.25 * np.median(some))) if len(some) else None


def _test(matrix: Matrix, rows: Rows, values: Real, evidence: Evidence, seed: int) -> float:
    """Kernel discrepancy between the features of the most deviating samples and of the calmer half."""
    ordered = in_order_of_ids(evidence, rows)
    places = np.searchsorted(rows, ordered)
    order = places[np.argsort(values[places], kind="stable")]
    tail, half = order[-max(10, int(TAIL * len(rows))) :], order[: len(rows) // 2]
    generator = np.random.default_rng(seed)
    calm = generator.choice(half, min(len(half), COMPARED), replace=False)
    odd = generator.choice(tail, min(len(tail), COMPARED), replace=False)
    return squared_mmd(_rows(matrix, rows[odd]), _rows(matrix, rows[calm]))


def _trusted_matrix(trusted: Evidence | None, layer: str | None, width: int) -> Matrix | None:
    if trusted is None or not trusted.layers:
        return None
    matrix = layer_of(trusted, layer)
    return None if isinstance(matrix, Skipped) or matrix.shape[1] != width else matrix


def _clean(matrix: Matrix | None, trusted: Evidence | None, label: int) -> Points | None:
    """Features of the trusted samples of a class, where there are enough."""
    if matrix is None or trusted is None or label >= trusted.classes:
        return None
    rows = trusted.members(label)
    return _rows(matrix, rows) if len(rows) >= LEAST else None


def _rows(matrix: Matrix, rows: Rows) -> Points:
    return np.array(matrix[rows], dtype=np.float32)
