"""By how much one size is smaller than the sizes beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAD_TO_DEVIATION = 1.4826
"""A normal's standard deviation is so many times its median absolute deviation."""


def spreads_below_median(sizes: NDArray[np.float64], usual: float) -> NDArray[np.float64]:
    """How many spreads each of the positive sizes (k,) lies below their median, on a logarithmic scale.

    The spread is the median absolute deviation, scaled to a standard deviation, but not less than `usual`: among few
    sizes it is small by chance. Positive is smaller than the median.
    """
    logs = np.log(sizes)
    middle = np.median(logs)
    spread = MAD_TO_DEVIATION * float(np.median(np.abs(logs - middle)))
    below: NDArray[np.float64] = (middle - logs) / max(spread, usual)
    return below
