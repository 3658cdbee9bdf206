"""Means and covariances of chosen rows of a large matrix, in passes that hold d x d numbers and one block of rows.

A matrix may be float16 and memory-mapped. Blocks become float32, sums are kept in float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import gammainc, gammaincinv

from bezoar.errors import DataError
from bezoar.evidence import Labels, Matrix, Real

BLOCK = 4096
"""Rows that are converted at a time."""
TRIAL = 3
"""Concentration steps of every start, before all but the best are given up."""

Rows = NDArray[np.int64]
Points = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Mean (d,) and covariance (d, d), with the number of rows they rest on."""

    count: int
    mean: Real
    covariance: Real


def row_blocks(matrix: Matrix, rows: Rows) -> Iterator[tuple[slice, Points]]:
    """Blocks (at most BLOCK, d) of the chosen rows as new float32 arrays, each with its place among `rows`."""
    for start in range(0, len(rows), BLOCK):
        place = slice(start, min(start + BLOCK, len(rows)))
        # Chosen by number they are a copy already, and a second one would cost as much as reading them.
        yield place, np.asarray(matrix[rows[place]], dtype=np.float32)


def mean_and_covariance(matrix: Matrix, rows: Rows) -> Gaussian:
    """Mean and covariance (divided by the count) of the chosen rows, in one pass.

    The first block's mean, as near as float32 has it, is taken off beforehand, so that far away data lose no digits.
    Raises DataError without rows, and where a value is not finite.
    """
    if not len(rows):
        raise DataError("no rows to take a covariance of", expected="at least one row")
    shift: Points | None = None
    width = matrix.shape[1]
    total, gram = np.zeros(width), np.zeros((width, width))
    for _, block in row_blocks(matrix, rows):
        ones = np.ones(len(block), dtype=np.float32)
        if shift is None:
            shift = ones @ block / np.float32(len(block))
        block -= shift
        total += ones @ block
        gram += block.T @ block
    assert shift is not None
    offset = total / len(rows)
    covariance = gram / len(rows) - np.outer(offset, offset)
    return Gaussian(len(rows), shift + offset, finite(covariance))


def finite(numbers: Real) -> Real:
    """The same numbers; DataError where one of them is not finite."""
    if not np.isfinite(numbers).all():
        raise DataError("features are not all finite", remedy="Gather the evidence anew: a layer overflowed")
    return numbers


def class_means(matrix: Matrix, labels: Labels, classes: int) -> tuple[Real, Labels]:
    """Means (classes, d) and counts (classes,), in one pass over the matrix; a class without samples has mean 0."""
    sums = np.zeros((classes, matrix.shape[1]))
    for place, block in row_blocks(matrix, np.arange(len(labels))):
        member = np.zeros((classes, len(block)), dtype=np.float32)
        member[labels[place], np.arange(len(block))] = 1.0
        sums += member @ block
    counts = np.bincount(labels, minlength=classes).astype(np.int64)
    return finite(sums) / np.maximum(counts, 1)[:, None], counts


def shared_covariance(matrix: Matrix, groups: Labels, means: Real) -> Real:
    """The covariance (d, d) about each row's own group mean, pooled over all groups and divided by the rows.

    `groups` (n,) is the row of `means` (g, d) that a sample belongs to.
    """
    centres = means.astype(np.float32)
    pooled = np.zeros((matrix.shape[1], matrix.shape[1]))
    for place, block in row_blocks(matrix, np.arange(len(groups))):
        block -= centres[groups[place]]
        pooled += block.T @ block
    return pooled / max(len(groups), 1)


def robust_gaussian(
    points: Points, *, keep: float, starts: Sequence[NDArray[np.bool_]] = (), steps: int = 10, cut: float = 0.975
) -> Gaussian:
    """Mean and covariance of the bulk of the rows: concentration steps, then one step of reweighting.

    Each step takes the share `keep` of the rows that lies closest and its mean and covariance (the C-step of the fast
    MCD); it begins with coordinate medians and median deviations, and with each group of rows in `starts` (m,). The
    smallest determinant after three steps wins. Rows within the `cut` quantile of the distances then give the answer.
    Both covariances are scaled by what a Gaussian loses when it is cut off there. Meant for few dimensions, say a tenth
    of the rows. Deterministic, and it does not depend on the order of rows. Deviates from the fast MCD (Rousseeuw and
    Van Driessen 1999) in its starts, which that draws at random, and in that its first scale is not that of the median
    distance, which lies in the gap where half of the rows lie elsewhere.
    """
    width = points.shape[1]
    kept = min(len(points), max(int(np.ceil(keep * len(points))), width + 1))
    begun = [_about_medians(points), *(_gaussian_of(points[start]) for start in starts if start.sum() > width)]
    best = min((_concentrated(points, start, kept, TRIAL) for start in begun), key=_log_determinant)
    bulk = _untruncated(_concentrated(points, best, kept, steps), kept / len(points))
    inside = mahalanobis(points, bulk) <= chi_square_quantile(cut, width)
    return _untruncated(_gaussian_of(points[inside]), cut) if inside.sum() > width else bulk


def mahalanobis(points: Points, bulk: Gaussian) -> Real:
    """Squared distance (n,) of each row from the mean, in units of the covariance, lightly ridged where singular."""
    factor = inverse_root(bulk.covariance)
    moved = (points - bulk.mean.astype(np.float32)) @ factor.astype(np.float32)
    return np.asarray(np.einsum("ij,ij->i", moved, moved, dtype=np.float64))


def inverse_root(covariance: Real, ridge: float = 1e-3) -> Real:
    """W (d, d), symmetric, so that x @ W has unit covariance.

    Variances are raised to at least `ridge` times their mean: directions in which data hardly vary, constant columns
    among them, are not blown up. All of it is 0 where nothing varies.
    """
    values, vectors = np.linalg.eigh(covariance)
    mean = float(values.mean())
    if mean <= 0:
        return np.zeros_like(covariance)
    return np.asarray((vectors / np.sqrt(np.maximum(values, ridge * mean))) @ vectors.T)


def whitener(covariance: Real, ridge: float = 1e-3) -> Real:
    """W (d, d), not symmetric, so that distances between rows times W are those of `inverse_root`.

    Where no variance needs to be raised it comes from the Cholesky factor, in a fraction of the time.
    """
    least = ridge * float(np.trace(covariance)) / len(covariance)
    try:
        # There is a factor only where all variances are above the least.
        np.linalg.cholesky(covariance - least * np.eye(len(covariance)))
        factor = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return inverse_root(covariance, ridge)
    return np.asarray(solve_triangular(factor, np.eye(len(factor)), lower=True, check_finite=False).T)


def chi_square_quantile(share: float, width: int) -> float:
    """The value below which a chi-square variable with `width` degrees of freedom lies with chance `share`."""
    return float(2.0 * gammaincinv(width / 2.0, share))


def _about_medians(points: Points) -> Gaussian:
    median = np.median(points, axis=0).astype(np.float64)
    spread = 1.4826 * np.median(np.abs(points - median), axis=0)
    return Gaussian(len(points), median, np.diag(np.maximum(spread, 1e-6) ** 2))


def _concentrated(points: Points, bulk: Gaussian, kept: int, steps: int) -> Gaussian:
    """C-steps until the `kept` closest rows stay the same."""
    core: NDArray[np.bool_] | None = None
    for _ in range(steps):
        distance = mahalanobis(points, bulk)
        inside = distance <= np.partition(distance, kept - 1)[kept - 1]
        if core is not None and np.array_equal(core, inside):
            break
        core, bulk = inside, _gaussian_of(points[inside])
    return bulk


def _log_determinant(bulk: Gaussian) -> float:
    values = np.linalg.eigvalsh(bulk.covariance)
    return float(np.log(np.maximum(values, 1e-12 * max(float(values[-1]), 1e-300))).sum())


def _gaussian_of(points: Points) -> Gaussian:
    mean = points.mean(0, dtype=np.float64)
    moved = points - mean.astype(np.float32)
    return Gaussian(len(points), mean, (moved.T @ moved).astype(np.float64) / len(points))


def _untruncated(bulk: Gaussian, share: float) -> Gaussian:
    """A Gaussian of which only the closest `share` was seen, given back the variance lost (Croux, Haesbroeck 1999)."""
    width = len(bulk.mean)
    if share >= 1:
        return bulk
    left = float(gammainc(width / 2 + 1, chi_square_quantile(share, width) / 2)) / share
    return Gaussian(bulk.count, bulk.mean, bulk.covariance / left)
