"""Leading directions of a covariance, and rows of a large matrix seen along them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from scipy.sparse.linalg import ArpackNoConvergence, eigsh

from bezoar.detect.numerics.covariance import Gaussian, Points, Rows, row_blocks
from bezoar.evidence import Matrix, Real

TINY = 1e-6
"""A direction with less than this share of the largest variance is rounding."""
NOTHING = 1e-30
"""A variance below this is none."""
WIDE = 300
"""From this width on, a few directions are found much sooner by the Lanczos method than by a whole reduction."""
FEW = 16
"""Few are at most one direction in so many."""
PRECISE = 1e-9
"""Error of a variance as a share of it, where directions are found one after the other."""


@dataclass(frozen=True, eq=False)
class Directions:
    """Orthonormal directions as columns of `vectors` (d, q), with their variances (q,), the largest first."""

    variances: Real
    vectors: Real


def leading_directions(covariance: Real, count: int) -> Directions:
    """The `count` directions of largest variance, fewer where the data vary in fewer; none where nothing varies."""
    variances, vectors = _largest(covariance, min(count, len(covariance)))
    variances, vectors = variances[::-1], vectors[:, ::-1]
    real = variances > max(TINY * float(variances[0]), NOTHING)
    return Directions(variances[real], vectors[:, real])


def _largest(covariance: Real, count: int) -> tuple[Real, Real]:
    """The `count` largest eigenvalues, the smallest of them first, and their vectors as columns."""
    width = len(covariance)
    if width >= WIDE and count * FEW <= width and covariance.any():
        # The start is always the same, so that the answer depends on the covariance alone.
        start = np.random.default_rng(0).normal(size=width)
        with suppress(ArpackNoConvergence):
            values, vectors = eigsh(covariance, k=count, v0=start, ncv=4 * count + 12, tol=PRECISE)
            order = np.argsort(values)
            return values[order], vectors[:, order]
    values, vectors = eigh(covariance, subset_by_index=(width - count, width - 1), check_finite=False)
    return values, vectors


def project(matrix: Matrix, rows: Rows, mean: Real, basis: Real) -> Points:
    """The chosen rows, less `mean` (d,), times `basis` (d, q): (m, q) float32, block by block."""
    centre, columns = mean.astype(np.float32), np.ascontiguousarray(basis, dtype=np.float32)
    out = np.empty((len(rows), basis.shape[1]), dtype=np.float32)
    for place, block in row_blocks(matrix, rows):
        block -= centre
        np.matmul(block, columns, out=out[place])
    return out


def reduced(matrix: Matrix, rows: Rows, about: Gaussian, count: int, *, whiten: bool) -> Points:
    """The chosen rows along the `count` leading directions of `about`, with unit variance if `whiten`."""
    found = leading_directions(about.covariance, count)
    return project(matrix, rows, about.mean, found.vectors / (np.sqrt(found.variances) if whiten else 1.0))
