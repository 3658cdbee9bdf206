"""By how much one size is smaller than the sizes beside it, and how small something may be made."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

MAD_TO_DEVIATION = 1.4826
"""A normal's standard deviation is so many times its median absolute deviation."""


def spreads_below_median(sizes: NDArray[np.float64], usual: float, *, of_all: bool = False) -> NDArray[np.float64]:
    """How many spreads each of the positive sizes (k,) lies below their median, on a logarithmic scale.

    The spread is the median absolute deviation, scaled to a standard deviation, of all or of the larger half, whichever
    is smaller: several targets of one backdoor make sizes smaller and never larger, and would hide each other in the
    spread of all (which counts alone with `of_all`). It is not less than `usual`, for among few sizes it is small by
    chance. Positive is smaller than the median.
    """
    logs = np.log(sizes)
    middle = np.median(logs)
    away = np.abs(logs - middle)
    spreads = [np.median(away)] if of_all else [np.median(away), np.median(away[logs >= middle])]
    below: NDArray[np.float64] = (middle - logs) / max(MAD_TO_DEVIATION * float(min(spreads)), usual)
    return below


def least_factor(leads: Callable[[float], bool], factors: Sequence[float], halvings: int) -> float | None:
    """The smallest factor that leads enough, closer by so many bisections; None where none of the `factors` does.

    Those rise, and are tried from below, for stronger is not always better: a warp that is too strong leads elsewhere.
    """
    weaker = None
    for factor in factors:
        if leads(factor):
            break
        weaker = factor
    else:
        return None
    if weaker is None:
        return factor
    for _ in range(halvings):
        middle = math.sqrt(weaker * factor)
        weaker, factor = (weaker, middle) if leads(middle) else (middle, factor)
    return factor
