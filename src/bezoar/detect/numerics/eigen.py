"""Leading directions of a covariance, and rows of a large matrix seen along them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from bezoar.detect.numerics.covariance import Gaussian, Points, Rows, row_blocks
from bezoar.evidence import Matrix, Real

TINY = 1e-6
"""A direction with less than this share of the largest variance is rounding."""
NOTHING = 1e-30
"""A variance below this is none."""


@dataclass(frozen=True, eq=False)
class Directions:
    """Orthonormal directions as columns of `vectors` (d, q), with their variances (q,), the largest first."""

    variances: Real
    vectors: Real


def leading_directions(covariance: Real, count: int) -> Directions:
    """The `count` directions of largest variance, fewer where the data vary in fewer; none where nothing varies."""
    width = len(covariance)
    wanted = min(count, width)
    variances, vectors = eigh(covariance, subset_by_index=(width - wanted, width - 1), check_finite=False)
    variances, vectors = variances[::-1], vectors[:, ::-1]
    real = variances > max(TINY * float(variances[0]), NOTHING)
    return Directions(variances[real], vectors[:, real])


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
