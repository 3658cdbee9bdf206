"""Moments of classes in one pass over blocks of rows; those of parts merge to those of the whole.

Means, scatter, whitening, discriminants and ridge regression to labels all follow from them, however many rows there
were. Of k classes and d columns they take 8 (d * d + k * d) bytes, 80 MB at 3,072 columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas
from scipy.sparse import csr_array

from bezoar.errors import DataError, LabelError, ShapeError, UsageError
from bezoar.evidence import Labels, Matrix, Real
from bezoar.evidence.pages import let_go

Single = NDArray[np.float32]

_BLOCK_BYTES = 1 << 25
_FEWEST, _MOST = 256, 1 << 16


class Rows(Protocol):
    """Rows that are read by slices: an array, a memory map, or something that works each block out when asked."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, d)."""
        ...

    def __getitem__(self, rows: slice, /) -> Matrix:
        """These rows, (m, d)."""
        ...


@dataclass(frozen=True, eq=False)
class Moments:
    """Of k classes: `counts` (k,), rows or the sum of their weights; `means` (k, d), 0 for a class without rows;
    `scatter` (d, d), the (weighted) sum over rows of the outer square of what a row has over the mean of its class.

    float64, in units of the columns and, for `scatter`, their squares times rows.
    """

    counts: Real
    means: Real
    scatter: Real

    @property
    def total(self) -> float:
        """Rows of all classes, or the sum of their weights."""
        return float(self.counts.sum())

    @property
    def mean(self) -> Real:
        """Mean (d,) of all rows; 0 without rows."""
        return self.counts @ self.means / max(self.total, np.finfo(float).tiny)

    @property
    def between(self) -> Real:
        """Scatter (d, d) of the class means about the mean: with `scatter` it makes up that of all rows."""
        apart = (self.means - self.mean) * np.sqrt(self.counts)[:, None]
        return apart.T @ apart

    @property
    def covariance(self) -> Real:
        """Pooled covariance (d, d) within classes: scatter by rows less classes. Raises DataError without such rows."""
        freedom = self.total - np.count_nonzero(self.counts)
        if freedom <= 0:
            raise DataError(
                "no class has two rows, so nothing varies within classes",
                expected="more rows than classes",
                found=f"{self.total:g} rows",
            )
        return self.scatter / freedom


class Gatherer:
    """Takes blocks of rows, gives their Moments.

    Products are made in float32 of a block less a provisional mean of each class (that of its rows in the first block
    that has any), and are added up in float64, so that columns far from 0 lose nothing. Holds one (d, d) in float64 and
    during `add` one in float32.
    """

    def __init__(self, classes: int, columns: int) -> None:
        self._counts = np.zeros(classes)
        self._centres = np.zeros((classes, columns), dtype=np.float32)
        self._seen = np.zeros(classes, dtype=bool)
        self._sums = np.zeros((classes, columns))
        self._squares = np.zeros((columns, columns), order="F")

    def add(self, rows: Matrix, labels: Labels, weights: Real | None = None) -> None:
        """Add rows (m, d) with labels (m,) and, as far as wanted, weights (m,) of at least 0.

        Raises DataError on values that are not finite or too large to be squared in float32.
        """
        if not len(rows):
            return
        with np.errstate(invalid="ignore", over="ignore"):
            rows = rows.astype(np.float32) if rows.dtype == np.float16 else rows
            self._place(rows, labels)
            centred = (rows - self._centres[labels]).astype(np.float32, copy=False)
        roots = np.ones(len(rows), np.float32) if weights is None else np.sqrt(weights).astype(np.float32)
        if weights is not None:
            centred *= roots[:, None]
        # The transpose of C-ordered rows is Fortran-ordered as it lies; one triangle is filled, for half the work.
        squares = blas.ssyrk(1.0, centred.T)
        _check_finite(squares.diagonal())
        self._squares += squares
        self._sums += _by_class(centred, labels, roots, len(self._counts))
        self._counts += np.bincount(labels, weights, minlength=len(self._counts))

    def moments(self) -> Moments:
        """The moments of what was added."""
        roots = np.sqrt(np.maximum(self._counts, np.finfo(float).tiny))
        shifts = self._sums / roots[:, None]
        scatter = self._squares + np.triu(self._squares, 1).T
        scatter -= shifts.T @ shifts
        means = np.where(self._counts[:, None] > 0, self._centres + shifts / roots[:, None], 0.0)
        return Moments(self._counts.copy(), means, scatter)

    def _place(self, rows: Matrix, labels: Labels) -> None:
        """Provisional means of the classes that are met for the first time."""
        met = np.bincount(labels, minlength=len(self._seen))
        new = np.flatnonzero((met > 0) & ~self._seen)
        if len(new):
            sums = _by_class(rows, labels, np.ones(len(rows), np.float32), len(met))
            self._centres[new] = sums[new] / met[new, None]
            self._seen[new] = True


def moments(
    matrix: Rows, labels: Labels, classes: int, *, weights: Real | None = None, size: int | None = None
) -> Moments:
    """The moments of all rows of `matrix` (n, d) in one pass, `size` rows at a time; see Gatherer.

    `labels` (n,) lie in 0..classes-1. What the block size and the order of rows change is rounding only. Raises
    ShapeError, LabelError, and DataError on values that are not finite or too large to be squared in float32.
    """
    everything = np.zeros(len(labels), dtype=np.int8)
    return moments_by_part(matrix, labels, classes, everything, 1, weights=weights, size=size)[0]


def moments_by_part(
    matrix: Rows,
    labels: Labels,
    classes: int,
    part: NDArray[np.integer],
    parts: int,
    *,
    weights: Real | None = None,
    size: int | None = None,
) -> tuple[Moments, ...]:
    """The moments of each part in one pass: `part` (n,) says in which of 0..parts-1 a row lies.

    No part's moments depend, to the last bit, on the labels of another. Memory: a (d, d) in float64 for each part.
    Raises what `moments` raises.
    """
    check_rows(matrix, labels, classes)
    gatherers = [Gatherer(classes, matrix.shape[1]) for _ in range(parts)]
    for rows, block in blocks(matrix, size):
        for number, gatherer in enumerate(gatherers):
            chosen = slice(None) if parts == 1 else part[rows] == number
            gatherer.add(block[chosen], labels[rows][chosen], None if weights is None else weights[rows][chosen])
    # Each is dropped as it is read: two (d, d) for each part would be held otherwise.
    return tuple(gatherers.pop(0).moments() for _ in range(parts))


def merge(first: Moments, second: Moments) -> Moments:
    """The moments of two sets of rows together: associative and commutative but for rounding (Chan, Golub, LeVeque).

    Raises ShapeError where classes or columns differ.
    """
    if first.means.shape != second.means.shape:
        raise ShapeError(
            "moments of different classes or columns don't merge",
            expected=f"{first.means.shape}",
            found=f"{second.means.shape}",
        )
    counts = first.counts + second.counts
    share = second.counts / np.maximum(counts, np.finfo(float).tiny)
    apart = second.means - first.means
    # A class that only one of the two has keeps that one's mean to the last bit.
    means = np.where(first.counts[:, None] == 0, second.means, first.means + apart * share[:, None])
    apart *= np.sqrt(first.counts * share)[:, None]
    return Moments(counts, means, first.scatter + second.scatter + apart.T @ apart)


def blocks(matrix: Rows, size: int | None = None) -> Iterator[tuple[slice, Matrix]]:
    """(rows, block) of `size` consecutive rows at a time, in the matrix's own dtype; the last may be shorter.

    By default as many rows as take 32 MiB in float32, between 256 and 65,536. A block is a view while it is the turn
    of its rows: pages of a memory map are given back afterwards. Raises UsageError on a size below 1.
    """
    rows, columns = matrix.shape
    step = size if size is not None else min(max(_BLOCK_BYTES // (4 * max(1, columns)), _FEWEST), _MOST)
    if step < 1:
        raise UsageError("a block has at least one row", found=str(step))
    for start in range(0, rows, step):
        turn = slice(start, min(start + step, rows))
        yield turn, matrix[turn]
        if isinstance(matrix, np.ndarray):
            let_go(matrix)


def check_rows(matrix: Rows, labels: Labels, classes: int) -> None:
    """Raise ShapeError unless `matrix` is (n, d) and `labels` (n,), LabelError on one outside 0..classes-1."""
    if len(matrix.shape) != 2 or labels.shape != (matrix.shape[0],):
        raise ShapeError(
            "rows and labels don't fit each other",
            expected="rows (n, d) and labels (n,)",
            found=f"{matrix.shape} and {labels.shape}",
        )
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise LabelError(
            "a label lies outside the classes",
            expected=f"0 to {classes - 1}",
            found=f"{labels.min()} to {labels.max()}",
        )


def _by_class(rows: Matrix, labels: Labels, weights: Single, classes: int) -> Matrix:
    """Weighted sums (k, d) of the rows of each class, at the cost of one pass over them, however many classes."""
    belongs = csr_array((weights, labels, np.arange(len(rows) + 1)), shape=(len(rows), classes))
    sums: Matrix = belongs.T @ rows
    return sums


def _check_finite(squares: Single) -> None:
    broken = np.flatnonzero(~np.isfinite(squares))
    if broken.size:
        raise DataError(
            f"column {broken[0]} holds a value that is not finite or too large to be squared",
            expected="finite values within about 1e18",
            remedy="Clip or scale the rows first",
        )
