"""Are there two groups? Two means, a mixture of two Gaussians of one covariance, and the valley between two modes.

Everything starts from the data alone, never from chance, and does not depend on the order of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from bezoar.detect.numerics.covariance import Points
from bezoar.evidence import Real

STARTS = (0.03, 0.1, 0.5, 0.9, 0.97)
"""Where a first split along an axis is tried: groups of a hundredth are as welcome as halves."""
SMALLEST = 1e-3
"""A group of fewer expected rows has run empty."""


@dataclass(frozen=True, eq=False)
class Split:
    """Two groups of rows: `second` (m,) says who is in the second, `centres` (2, q) are their means.

    `within` is the mean squared distance to the own centre.
    """

    second: NDArray[np.bool_]
    centres: Real
    within: float

    @property
    def share(self) -> float:
        """Share of the rows in the second group."""
        return float(self.second.mean())


@dataclass(frozen=True, eq=False)
class Mixture:
    """Two Gaussians of unit covariance: weights (2,), means (2, q), log odds (m,) of the second group.

    `gain` is twice the log-likelihood that two groups gain over one, for each row on average.
    """

    weights: Real
    means: Real
    log_odds: Real
    gain: float


def two_means(points: Points, *, steps: int = 100) -> Split | None:
    """The best of several two-means splits of the rows (m, q), columns in order of variance; None where all are equal.

    Starts split along each column at several quantiles, since a small group is no local optimum reached from halves.
    """
    total = points.sum(0, dtype=np.float64)
    square = float(np.einsum("ij,ij->", points, points, dtype=np.float64))
    tried = (_lloyd(points, start, 3, total, square) for start in _starts(points))
    best = min((found for found in tried if found), key=lambda split: split.within, default=None)
    return None if best is None else _lloyd(points, best.second, steps, total, square)


def two_gaussians(points: Points, start: NDArray[np.bool_], *, steps: int = 200, tolerance: float = 1e-6) -> Mixture:
    """Fit a mixture of two unit-covariance Gaussians to rows (m, q) by expectation maximisation from a first split.

    Ends when a step gains less than `tolerance` for each row, or a group has run empty.
    """
    count, mean = len(points), points.mean(0, dtype=np.float64)
    square = float(np.einsum("ij,ij->", points, points, dtype=np.float64)) / count
    alone = -0.5 * (square - float(mean @ mean))
    second, before = start.astype(np.float64), -np.inf
    while True:
        share = float(second.mean())
        weights = np.array([1 - share, share])
        upper = (second.astype(np.float32) @ points).astype(np.float64) / (share * count)
        means = np.stack([(mean - share * upper) / (1 - share), upper])
        norms = (means**2).sum(1)
        # With one covariance the log odds are linear, and the first group's part of the likelihood needs sums only.
        log_odds = points @ (means[1] - means[0]) + np.log(share / (1 - share)) - 0.5 * (norms[1] - norms[0])
        first = np.log(1 - share) - 0.5 * (square + norms[0]) + float(mean @ means[0])
        gain = 2 * (first + float(np.logaddexp(0, log_odds).mean()) - alone)
        second = expit(log_odds)
        steps -= 1
        left = float(second.mean())
        if gain - before < tolerance or steps < 0 or min(left, 1 - left) * count < SMALLEST:
            return Mixture(weights, means, log_odds, gain)
        before = gain


def valley(values: Real, *, bins: int = 64) -> float:
    """How deep a valley lies between two modes of values (m,): the log of how many times as dense the lower mode is.

    Values are counted in bins between the 0.5% and 99.5% quantiles, then in windows of a sixteenth, an eighth and a
    quarter of that range. For every window, the fullest windows on either side, clear of it, are looked up; the lower
    of the two and the window are compared by the ends of their intervals of two standard errors (square roots of
    counts), so that a difference that may be chance counts as none. Below 0 for one mode, however skewed or heavy
    its tail; 0 where nothing varies.
    """
    if len(values) < 2:
        return 0.0
    low, high = np.quantile(values, [0.005, 0.995])
    if not high > low:
        return 0.0
    # What lies outside is left out: gathered at the ends, tails would look like modes.
    counts, _ = np.histogram(values, bins=bins, range=(float(low), float(high)))
    return max(_deepest(counts, bins // part) for part in (16, 8, 4))


def _deepest(counts: NDArray[np.int64], width: int) -> float:
    """The deepest valley between windows of `width` bins that do not overlap it."""
    window = np.convolve(counts, np.ones(width), mode="valid")
    left = np.maximum.accumulate(window)[: -2 * width]
    right = np.maximum.accumulate(window[::-1])[::-1][2 * width :]
    peak, floor = np.minimum(left, right), window[width:-width]
    at_least = peak + 1 - 2 * np.sqrt(peak + 1)
    at_most = floor + 1 + 2 * np.sqrt(floor + 1)
    return float(np.log(np.maximum(at_least, 0.5) / at_most).max())


def _starts(points: Points) -> list[NDArray[np.bool_]]:
    cuts = np.quantile(points, STARTS, axis=0)
    starts = [points[:, column] > cut for row in cuts for column, cut in enumerate(row)]
    return [start for start in starts if 0 < start.sum() < len(start)]


def _lloyd(points: Points, second: NDArray[np.bool_], steps: int, total: Real, square: float) -> Split | None:
    """Lloyd's iterations from a split; None where a group runs empty. `total` and `square` are sums over the rows."""
    count = len(points)
    while True:
        size = int(second.sum())
        if size in (0, count):
            return None
        upper = (second.astype(np.float32) @ points).astype(np.float64)
        centres = np.stack([(total - upper) / (count - size), upper / size])
        apart = centres[1] - centres[0]
        moved = points @ apart.astype(np.float32) > float(centres.mean(0) @ apart)
        steps -= 1
        if steps < 0 or np.array_equal(moved, second):
            between = (count - size) * (centres[0] @ centres[0]) + size * (centres[1] @ centres[1])
            return Split(second, centres, max((square - float(between)) / count, 0.0))
        second = moved
