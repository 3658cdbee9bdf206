"""Many p-values at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bezoar.evidence import Real


def holm(p_values: ArrayLike) -> Real:
    """p-values (m,), adjusted so that the chance of any false rejection holds over all of them (Holm 1979)."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted: Real = np.empty_like(values)
    adjusted[order] = np.minimum(steps, 1)
    return adjusted
