"""Pairs of near-duplicates among fingerprints, found in about linear time: banded hashing, then verification."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bezoar.evidence import Labels
from bezoar.evidence.samples.fingerprints import BITS, LOW, Fingerprints

TABLES = 16
"""Hash tables of each of the two kinds of bits."""
NEIGHBOURS = 10
SIMILAR_BITS = 0.75
SIMILARITY = (0.6, 0.9)
MARGIN = 0.33
USUAL_PAIRS = 100_000
USUAL_LEVEL = 0.999
COPIES = 0.3
ROWS_AT_A_TIME = 1 << 15
COLOURLESS, COLOURS_APART, CHANGED = 3, (6.0, 0.3), 0.3
"""An image of no more half levels is grey. Two colours differ that are further apart than 6 half levels and 30% of the
stronger one; a copy may differ in 30% of its cells, as a patch makes it."""

Pairs = NDArray[np.int64]
Whole = NDArray[np.int64]


def similar_pairs(
    prints: Fingerprints, labels: Labels, *, similarity: float | None = None
) -> tuple[Pairs, NDArray[np.float32]]:
    """Pairs of rows (p, 2), the first before the second in order of id, that look alike, and how much (p,).

    Candidates share all bits of one of 2 TABLES keys, drawn from a fixed stream among the low-frequency signs or among
    the steps of brightness; within a key each row meets its NEIGHBOURS next ones in order of id only, so that the
    time grows as n log n whatever the data. A candidate passes when SIMILAR_BITS of either kind of bits agree and
    the correlation of its whitened coefficients is at least `similarity`, by default `usual_similarity` of the labels,
    unless both have colours that differ: drawn signs of one shape are no copies. Hashing misses some pairs: the more
    two images differ, the likelier; of many copies of one, some pair is found.
    """
    order = np.array(sorted(range(len(prints.ids)), key=prints.ids.__getitem__), dtype=np.int64)
    bits, coefficients = prints.bits[order], prints.coefficients[order]
    least = usual_similarity(coefficients, labels[order]) if similarity is None else similarity
    found = _unique(candidates(bits), len(order))
    found = found[_agreeing(bits, found)]
    similar = correlation(coefficients, found)
    kept = (similar >= least) & same_colours(prints.colours[order], found)
    return order[found[kept]], similar[kept]


def usual_similarity(coefficients: NDArray[np.int8], labels: Labels) -> float:
    """How alike two images must be to count as one, from how alike two images of one class usually are.

    MARGIN above what one in a thousand pairs of a class reaches, in the median class so that a poisoned one doesn't
    decide, within SIMILARITY. Photographs of unlike things need the lower limit; faces brought to one place, or forms,
    would otherwise all look alike. Data without two samples of a class need the lower limit.
    """
    generator = np.random.default_rng(0)
    classes = [rows for label in np.unique(labels) if len(rows := np.flatnonzero(labels == label)) > 1]
    reached = []
    for rows in classes:
        pairs = rows[generator.integers(0, len(rows), (max(USUAL_PAIRS // len(classes), 500), 2))]
        usual = correlation(coefficients, pairs[pairs[:, 0] != pairs[:, 1]])
        reached.append(_reached(usual[usual < SIMILARITY[1]], len(rows)))
    return float(np.clip(np.median(reached or [0.0]) + MARGIN, *SIMILARITY))


def _reached(usual: NDArray[np.float32], samples: int) -> float:
    """What one in a thousand of the pairs of a class reaches, were it not for copies in it.

    In a class of few samples, copies of a share COPIES of them are more than one in a thousand pairs: there a lower
    quantile is taken, and what lies above the median enlarged as for a normal distribution.
    """
    if not len(usual):
        return 0.0
    level = min(USUAL_LEVEL, max(0.9, 1 - 2 * COPIES / samples))
    middle, high = np.quantile(usual, [0.5, level]).tolist()
    return float(middle + (high - middle) * ndtri(USUAL_LEVEL) / ndtri(level))


def candidates(bits: NDArray[np.uint8]) -> Iterator[Pairs]:
    """Pairs (p, 2), the first less than the second, of rows that share a key, one table after the other."""
    signs = np.unpackbits(bits, axis=1, count=BITS)
    key_bits = int(np.clip(np.ceil(np.log2(max(len(bits), 2))) + 2, 8, 32))
    generator = np.random.default_rng(0)
    powers = np.int64(1) << np.arange(key_bits)
    for kind in (np.arange(LOW), np.arange(LOW, BITS)):
        for _ in range(TABLES):
            chosen = generator.choice(kind, key_bits, replace=False)
            yield _within(_keys(signs, chosen, powers))


def correlation(coefficients: NDArray[np.int8], pairs: Pairs) -> NDArray[np.float32]:
    """Cosine of the coefficients of each pair (p,), -1..1; 0 where an image has no features."""
    result = np.zeros(len(pairs), dtype=np.float32)
    for start in range(0, len(pairs), ROWS_AT_A_TIME):
        part = pairs[start : start + ROWS_AT_A_TIME]
        one, other = (coefficients[part[:, side]].astype(np.float32) for side in (0, 1))
        squares = np.einsum("ij,ij->i", one, one) * np.einsum("ij,ij->i", other, other)
        result[start : start + len(part)] = np.einsum("ij,ij->i", one, other) / np.sqrt(np.maximum(squares, 1))
    return result


def same_colours(colours: NDArray[np.int8], pairs: Pairs) -> NDArray[np.bool_]:
    """Whether the images of each pair (p,) have about the same colours at the same places, or one of them is grey."""
    result = np.ones(len(pairs), dtype=np.bool_)
    near, share = COLOURS_APART
    for start in range(0, len(pairs), ROWS_AT_A_TIME):
        part = pairs[start : start + ROWS_AT_A_TIME]
        one, other = (colours[part[:, side]].astype(np.float32) for side in (0, 1))
        stronger = np.maximum(np.abs(one), np.abs(other))
        differing = (np.abs(one - other) > near + share * stronger).mean(axis=1)
        grey = np.minimum(np.abs(one).max(axis=1), np.abs(other).max(axis=1)) <= COLOURLESS
        result[start : start + len(part)] = grey | (differing <= CHANGED)
    return result


def joined(pairs: Pairs, rows: int) -> list[Whole]:
    """Groups of two or more rows joined by pairs, directly or through others: rows ascending, groups by first row."""
    parent = list(range(rows))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for one, other in pairs.tolist():
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    members: dict[int, list[int]] = {}
    for row in np.unique(pairs).tolist():
        members.setdefault(root(row), []).append(row)
    return [np.array(group, dtype=np.int64) for group in sorted(members.values())]


def _keys(signs: NDArray[np.uint8], chosen: Whole, powers: Whole) -> Whole:
    keys = np.zeros(len(signs), dtype=np.int64)
    for bit, power in zip(chosen.tolist(), powers.tolist(), strict=True):
        keys += signs[:, bit] * np.int64(power)
    return keys


def _within(keys: Whole) -> Pairs:
    """Each row with the NEIGHBOURS next rows of the same key."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    parts = []
    for distance in range(1, NEIGHBOURS + 1):
        same = np.flatnonzero(ordered[distance:] == ordered[:-distance])
        parts.append(np.stack([order[same], order[same + distance]], axis=1))
    return np.concatenate(parts)


def _unique(tables: Iterator[Pairs], rows: int) -> Pairs:
    """All pairs once, in order; several tables are put together at a time, for sorting is what takes time."""
    codes = np.empty(0, dtype=np.int64)
    waiting: list[Whole] = []
    for number, pairs in enumerate(tables, start=1):
        waiting.append(pairs[:, 0] * rows + pairs[:, 1])
        if number % TABLES == 0:
            codes = np.unique(np.concatenate([codes, *waiting]))
            waiting = []
    return np.stack([codes // max(rows, 1), codes % max(rows, 1)], axis=1)


def _agreeing(bits: NDArray[np.uint8], pairs: Pairs) -> NDArray[np.bool_]:
    """Whether SIMILAR_BITS of the signs, or of the steps, agree in each pair."""
    first = LOW // 8
    result = np.zeros(len(pairs), dtype=np.bool_)
    for start in range(0, len(pairs), ROWS_AT_A_TIME):
        part = pairs[start : start + ROWS_AT_A_TIME]
        differing = np.bitwise_count(bits[part[:, 0]] ^ bits[part[:, 1]])
        low, steps = differing[:, :first].sum(axis=1), differing[:, first:].sum(axis=1)
        near = 1 - SIMILAR_BITS
        result[start : start + len(part)] = (low <= near * LOW) | (steps <= near * (BITS - LOW))
    return result
