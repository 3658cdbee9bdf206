"""How far apart two samples lie, by kernels."""

from __future__ import annotations

import numpy as np

from bezoar.detect.numerics.covariance import Points
from bezoar.evidence import Real


def squared_mmd(first: Points, second: Points) -> float:
    """The squared maximum mean discrepancy of rows (m, d) and (n, d), unbiased: about 0 for one distribution.

    At most 2. The kernel is Gaussian; its bandwidth is the median distance between any two different rows (Gretton et
    al. 2012). 0 where all rows are equal. Both need two rows at least.
    """
    together = np.concatenate([first, second]).astype(np.float64)
    distance = squared_distances(together)
    apart = distance[np.triu_indices(len(together), 1)]
    width = float(np.median(apart[apart > 0])) if (apart > 0).any() else 0.0
    if width == 0:
        return 0.0
    kernel = np.exp(-distance / width)
    m, n = len(first), len(second)
    own = (kernel[:m, :m].sum() - m) / (m * (m - 1)) + (kernel[m:, m:].sum() - n) / (n * (n - 1))
    return float(own - 2 * kernel[:m, m:].mean())


def squared_distances(points: Real) -> Real:
    """Squared distances (m, m) between all rows, exactly 0 on the diagonal."""
    centred = points - points.mean(0)
    norms = np.einsum("ij,ij->i", centred, centred)
    distance = np.maximum(norms[:, None] + norms[None] - 2 * centred @ centred.T, 0.0)
    # Two equal rows must not come out at a distance of rounding, which would be taken for structure.
    distance[distance < 1e-9 * max(float(norms.mean()), 1e-300)] = 0.0
    np.fill_diagonal(distance, 0.0)
    return np.asarray(distance)
