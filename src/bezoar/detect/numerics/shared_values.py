"""Values that rows of a class show in a column far more often than values near them: where, and which rows do."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bezoar.evidence import Matrix, Real

Codes: TypeAlias = NDArray[np.uint8]
"""Rows (m, d) of numbers of bins, 0..BINS-1."""
Place: TypeAlias = tuple[int, int]
"""A column and a bin."""

BINS = 64
"""Of 256 levels, 4 a bin: a place is shown by what lies within 4 levels on either side, half shown by the next."""
NARROW, WIDE = 1, 6
"""A spike is what 3 bins hold of the 13 about them."""
_AT_ONCE = 1024


def coded(rows: Matrix, low: float, high: float) -> Codes:
    """The equal bins between `low` and `high` in which values lie (m, d); those beyond count to the last bin."""
    scaled = (rows.astype(np.float32) - np.float32(low)) * np.float32(BINS / (high - low))
    codes: Codes = np.clip(scaled, 0, BINS - 1).astype(np.uint8)
    return codes


def histogram(codes: Codes) -> Real:
    """Rows by column and bin (d, BINS)."""
    columns = codes.shape[1]
    found = np.zeros(columns * BINS, np.int64)
    offsets = np.arange(columns, dtype=np.int32) * BINS
    for start in range(0, len(codes), _AT_ONCE):
        found += np.bincount((codes[start : start + _AT_ONCE] + offsets).ravel(), minlength=columns * BINS)
    return found.reshape(columns, BINS).astype(np.float64)


def spikes(counts: Real, usual: Real, most: int) -> list[Place]:
    """The `most` places that stand out most in the histogram `counts` (d, BINS) of a class, one a column at most.

    A place stands out by its part of the values about it, in standard deviations of a binomial draw above what that
    part is in `usual`, the histogram of other classes: where those have the same spike, as at saturated values, it is
    none. Places that don't stand out by 3 deviations are left out.
    """
    narrow, wide = window(counts, NARROW), window(counts, WIDE)
    bins = window(np.ones((1, BINS)), NARROW) / window(np.ones((1, BINS)), WIDE)
    usually = np.clip((window(usual, NARROW) + 4 * bins) / (window(usual, WIDE) + 4), 0.0, 1.0)
    surprise = (narrow - wide * usually) / np.sqrt(wide * usually * (1 - usually) + 1.0)
    best = surprise.argmax(axis=1)
    strength = surprise[np.arange(len(best)), best]
    order = np.argsort(-strength, kind="stable")[:most]
    return [(int(column), int(best[column])) for column in order if strength[column] > 3]


def companions(codes: Codes, place: Place, everyone: Real, most: int) -> list[Place]:
    """The places that rows which show `place` show too, more than others do: by these a spike can be explained away.

    `everyone` is the histogram of all of `codes`. At most `most`, one a column.
    """
    rows = codes[shows(codes[:, place[0]], place[1]) == 1]
    if len(rows) < 5:
        return []
    here, there = window(histogram(rows), NARROW) / len(rows), window(everyone, NARROW) / len(codes)
    lift = (here - there) / np.sqrt(there * (1 - there) + 1e-2)
    best = lift.argmax(axis=1)
    order = np.argsort(-lift[np.arange(len(best)), best], kind="stable")[:most]
    return [(int(column), int(best[column])) for column in order]


def shown(codes: Codes, places: list[Place]) -> NDArray[np.float16]:
    """How far each row shows each place (m, s): 1 within the narrow window, a half beside it."""
    columns, bins = np.array(places).T
    return shows(codes[:, columns], bins)


def shows(codes: Codes, bins: NDArray[np.integer] | int) -> NDArray[np.float16]:
    """1 where a code is within NARROW of its bin, a half where it is the next, else 0."""
    apart = np.abs(codes.astype(np.int16) - np.asarray(bins, np.int16))
    found: NDArray[np.float16] = np.where(apart <= NARROW, 1.0, np.where(apart == NARROW + 1, 0.5, 0.0)).astype(
        np.float16
    )
    return found


def window(counts: Real, reach: int) -> Real:
    """Sums (d, BINS) over the bins within `reach` of each."""
    sums = np.cumsum(np.pad(counts, ((0, 0), (reach + 1, reach))), axis=1)
    found: Real = sums[:, 2 * reach + 1 :] - sums[:, : -(2 * reach + 1)]
    return found
