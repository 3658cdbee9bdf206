"""Are there two groups? Two means, a mixture of two Gaussians of one covariance, and the valley between two modes.

Everything starts from the data alone, never from chance, and does not depend on the order of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from bezoar.detect.numerics.covariance import BLOCK, Points
from bezoar.evidence import Real

STARTS = (0.03, 0.1, 0.5, 0.9, 0.97)
"""Where a first split along an axis is tried: groups of a hundredth are as welcome as halves."""
TRIAL = 3
"""Steps of every start before all but the best are given up."""
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


@dataclass(frozen=True, eq=False)
class _Planes:
    """Planes that split rows (m, q) in two: those with row @ normals > offsets, (q, s) and (s,), are second."""

    normals: Points
    offsets: Points

    def second(self, points: Points) -> NDArray[np.bool_]:
        """Who is second (m, s) by each plane."""
        return np.asarray(points @ self.normals > self.offsets)


@dataclass(frozen=True, eq=False)
class _Halves:
    """What planes make of `count` rows: how many are second (s,), and the centres of both groups (s, q)."""

    count: int
    sizes: Real
    first: Real
    second: Real

    @property
    def empty(self) -> NDArray[np.bool_]:
        """Where a group has run empty (s,)."""
        return np.asarray((self.sizes == 0) | (self.sizes == self.count))


def two_means(points: Points, *, steps: int = 100) -> Split | None:
    """The best of several two-means splits of the rows (m, q), columns in order of variance; None where all are equal.

    Starts split along each column at several quantiles, since a small group is no local optimum reached from halves.
    After TRIAL of Lloyd's steps, which all starts take together, the best goes on.
    """
    total = points.sum(0, dtype=np.float64)
    square = float(np.einsum("ij,ij->", points, points, dtype=np.float64))
    planes = _starts(points)
    for _ in range(TRIAL):
        planes = _between(_halves(points, planes, total))
    within = _within(_halves(points, planes, total), square)
    if not np.isfinite(within).any():
        return None
    best = int(np.argmin(within))
    return _lloyd(points, _Planes(planes.normals[:, [best]], planes.offsets[[best]]), steps, total, square)


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


def _starts(points: Points) -> _Planes:
    """Planes across each column at the quantiles STARTS."""
    ordered = np.sort(np.ascontiguousarray(points.T), axis=1)
    cuts = np.quantile(ordered, STARTS, axis=1)
    return _Planes(np.tile(np.eye(points.shape[1], dtype=np.float32), len(STARTS)), cuts.ravel().astype(np.float32))


def _halves(points: Points, planes: _Planes, total: Real) -> _Halves:
    """What the planes split, block by block. `total` is the sum of the rows."""
    count, sizes = len(points), np.zeros(len(planes.offsets))
    sums = np.zeros((len(sizes), points.shape[1]))
    for start in range(0, count, BLOCK):
        block = points[start : start + BLOCK]
        second = planes.second(block).astype(np.float32)
        sums += second.T @ block
        sizes += second.sum(0)
    left = np.maximum(count - sizes, 1)
    return _Halves(count, sizes, (total - sums) / left[:, None], sums / np.maximum(sizes, 1)[:, None])


def _between(halves: _Halves) -> _Planes:
    """The planes midway between the centres, by which 2-means assigns the rows anew; empty groups stay empty."""
    apart = halves.second - halves.first
    offsets = np.einsum("ij,ij->i", (halves.first + halves.second) / 2, apart)
    offsets[halves.empty] = np.inf
    return _Planes(apart.T.astype(np.float32), offsets.astype(np.float32))


def _within(halves: _Halves, square: float) -> Real:
    """Mean squared distance (s,) to the own centre; infinite where a group has run empty."""
    first, second = (halves.first**2).sum(1), (halves.second**2).sum(1)
    between = (halves.count - halves.sizes) * first + halves.sizes * second
    return np.where(halves.empty, np.inf, np.maximum((square - between) / halves.count, 0.0))


def _lloyd(points: Points, plane: _Planes, steps: int, total: Real, square: float) -> Split | None:
    """Lloyd's iterations from one plane, until nobody changes sides; None where a group runs empty."""
    halves = _halves(points, plane, total)
    for _ in range(steps):
        moved = _between(halves)
        after = _halves(points, moved, total)
        if np.array_equal(after.sizes, halves.sizes) and np.array_equal(after.second, halves.second):
            break
        plane, halves = moved, after
    within = float(_within(halves, square)[0])
    centres = np.concatenate([halves.first, halves.second])
    return Split(plane.second(points)[:, 0], centres, within) if np.isfinite(within) else None
