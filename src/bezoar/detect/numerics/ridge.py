"""Ridge regression to labels, each row judged by coefficients that never saw it: two passes, whatever the size.

The normal equations of one-hot labels follow from the moments of the classes: the Gram matrix of centred columns is
scatter plus scatter between class means, and its product with class c's column of ones is the rows of c times what the
mean of c has over the mean. So a fold is held as its Moments, and what the others say is their merger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from bezoar.detect.numerics.moments import Moments, Rows, Single, blocks, merge, moments_by_part
from bezoar.errors import DataError, EmptyDataError, ShapeError, UsageError
from bezoar.evidence import Labels, Real

Folds: TypeAlias = NDArray[np.int16]
Reduce: TypeAlias = Callable[[slice, Single], NDArray[np.generic]]
"""From rows and their predictions (m, k) to what is kept of them, (m,) or (m, ...)."""


@dataclass(frozen=True)
class Ridge:
    """How to regress: `penalty`, relative to the mean diagonal entry of the Gram matrix (its trace by d), is added to
    that diagonal; `standardise` gives every column the same variance first; `balanced` gives every class of a fold the
    same weight in it, however few its rows. The intercept is not penalised.
    """

    penalty: float = 0.01
    standardise: bool = True
    balanced: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.penalty < np.inf:
            raise UsageError("a ridge needs a finite penalty above 0", found=str(self.penalty))


@dataclass(frozen=True, eq=False)
class Coefficients:
    """A fitted ridge: a row x (d,) is predicted as `intercept` (k,) + (x - `centre`) @ `slopes`, with centre (d,) and
    slopes (d, k). float32, in units of one-hot labels (0 or 1), and for slopes those by units of the column.
    """

    centre: Single
    slopes: Single
    intercept: Single

    def predict(self, rows: NDArray[np.floating]) -> Single:
        """Predictions (m, k) for rows (m, d)."""
        if rows.dtype == np.float16:
            rows = rows.astype(np.float32)
        centred = (rows - self.centre).astype(np.float32, copy=False)
        predicted: Single = centred @ self.slopes + self.intercept
        return predicted


def folds_of(ids: Iterable[str], count: int = 2, *, seed: int) -> Folds:
    """The fold, 0..count-1, of each sample: by a hash of its id and the seed, so it doesn't depend on position.

    Samples with the same text share a fold: give a group's name for all that must not judge one another. Folds differ
    in size as draws do. Raises UsageError on fewer than 2 folds, or more than int16 counts.
    """
    if not 2 <= count < 2**15:
        raise UsageError("cross-fitting needs 2 folds at least", expected=f"2 to {2**15 - 1}", found=str(count))
    key = str(seed).encode()
    return np.fromiter((_hash(sample_id, key) % count for sample_id in ids), dtype=np.int16)


def cross_fit(
    matrix: Rows,
    labels: Labels,
    classes: int,
    folds: Folds,
    *,
    ridge: Ridge = Ridge(),
    keep: Reduce | None = None,
    size: int | None = None,
) -> NDArray[np.generic]:
    """What a ridge fitted to the other folds predicts for each row of `matrix` (n, d): (n, k), or what `keep` keeps.

    `labels` (n,) lie in 0..classes-1 and `folds` (n,), of `folds_of`, in 0..F-1. No row's label can change its own
    prediction, nor that of another row of its fold, by a single bit. A class without rows in the other folds is
    predicted as 0. Two passes, `size` rows at a time: one sums up float32 products in float64 (`Gatherer`), one scores.
    In memory at once: at most F + 4 matrices (d, d) in float64, F (d, k), a few blocks, and the answer. Two folds of
    50,000 x 3,072 in float16 took 9.0 s of one AVX-512 core, 7 of them for products, and 320 MB. Raises UsageError,
    ShapeError, LabelError, EmptyDataError where all rows share a fold, and DataError on rows that are not finite.
    """
    fitted = fit_folds(matrix, labels, classes, folds, ridge=ridge, size=size)
    kept: NDArray[np.generic] | None = None
    for rows, predicted in predictions(matrix, folds, fitted, size=size):
        part: NDArray[np.generic] = predicted if keep is None else keep(rows, predicted)
        if kept is None:
            kept = np.empty((len(labels), *part.shape[1:]), dtype=part.dtype)
        kept[rows] = part
    assert kept is not None  # without rows there is nothing to fit, which has been said
    return kept


def fit_folds(
    matrix: Rows,
    labels: Labels,
    classes: int,
    folds: Folds,
    *,
    ridge: Ridge = Ridge(),
    size: int | None = None,
) -> tuple[Coefficients, ...]:
    """For each fold the ridge fitted to all the others, in one pass. Raises what `cross_fit` raises."""
    if folds.shape != labels.shape:
        raise ShapeError("every row has a fold", expected=str(labels.shape), found=str(folds.shape))
    count = max(2, int(folds.max(initial=0)) + 1)
    weights = balancing(labels, classes, folds, count) if ridge.balanced else None
    parts = moments_by_part(matrix, labels, classes, folds, count, weights=weights, size=size)
    return tuple(fit(_others(parts, fold), ridge) for fold in range(count))


def predictions(
    matrix: Rows, folds: Folds, fitted: Sequence[Coefficients], *, size: int | None = None
) -> Iterator[tuple[slice, Single]]:
    """(rows, predictions (m, k)) block by block, each row's from the coefficients of its own fold."""
    classes = len(fitted[0].intercept)
    for rows, block in blocks(matrix, size):
        predicted = np.empty((len(block), classes), dtype=np.float32)
        for fold, coefficients in enumerate(fitted):
            chosen = folds[rows] == fold
            predicted[chosen] = coefficients.predict(block[chosen])
        yield rows, predicted


def fit(moments: Moments, ridge: Ridge) -> Coefficients:
    """The ridge to one-hot labels that minimises, over the rows of `moments`, weighted as they are there,
    the squared error plus a * |slopes|^2, with a = penalty * trace(Gram) / d, Gram of centred columns.

    Solved by Cholesky in float64. Columns that don't vary get no slope. Raises EmptyDataError without rows, DataError
    where the penalty is too small for the solution to be told.
    """
    if not moments.total:
        raise EmptyDataError(
            "a fold has no other rows to be judged by", remedy="Give more samples, or another seed for the folds"
        )
    gram = moments.between
    gram += moments.scatter
    cross = ((moments.means - moments.mean) * moments.counts[:, None]).T
    scale = _scales(gram, moments.total, standardise=ridge.standardise)
    gram /= scale
    gram /= scale[:, None]
    solution = _solve(gram, cross / scale[:, None], ridge.penalty) / scale[:, None]
    centre = moments.mean.astype(np.float32)
    # What rounding took from the centre goes to the intercept.
    intercept = moments.counts / moments.total + (centre - moments.mean) @ solution
    return Coefficients(centre, solution.astype(np.float32), intercept.astype(np.float32))


def own_label(labels: Labels) -> Reduce:
    """Keeps, of each row's predictions, the one for the label it was given: (n,), around 1 where the rest agree."""

    def keep(rows: slice, predicted: Single) -> NDArray[np.generic]:
        return np.take_along_axis(predicted, labels[rows][:, None], axis=1)[:, 0]

    return keep


def balancing(labels: Labels, classes: int, folds: Folds, count: int) -> Real:
    """Weights (n,) by which every class that a fold has weighs the same in it, their sum being the fold's rows.

    They are made within folds, so that a label changes no weight outside its own. A class that not all folds have
    weighs less in all of them together.
    """
    cells = np.bincount(folds.astype(np.int64) * classes + labels, minlength=count * classes).reshape(count, classes)
    present = np.count_nonzero(cells, axis=1)
    weights = cells.sum(axis=1)[:, None] / np.maximum(present[:, None] * cells, 1)
    chosen: Real = weights[folds, labels]
    return chosen


def _others(parts: Sequence[Moments], fold: int) -> Moments:
    # Merged anew for each fold rather than taken away from the whole: rounding would let a row see itself.
    return reduce(merge, (part for number, part in enumerate(parts) if number != fold))


def _scales(gram: Real, total: float, *, standardise: bool) -> Real:
    """Standard deviations (d,) of the columns; 1 for those that vary by rounding only, or where not wanted."""
    variances = gram.diagonal() / total
    if not standardise:
        return np.ones(len(gram))
    return np.where(variances > 1e-12 * variances.max(initial=0.0), np.sqrt(np.maximum(variances, 0.0)), 1.0)


def _solve(gram: Real, cross: Real, penalty: float) -> Real:
    """Slopes (d, k). Overwrites `gram`."""
    ridge = penalty * np.trace(gram) / max(1, len(gram))
    if ridge <= 0:
        return np.zeros_like(cross)
    gram[np.diag_indices(len(gram))] += ridge
    try:
        factor = cho_factor(gram.T, overwrite_a=True, check_finite=False)
    except LinAlgError as error:
        raise DataError(
            "the normal equations cannot be solved", found=f"penalty {penalty:g}", remedy="Raise the penalty"
        ) from error
    solved: Real = cho_solve(factor, cross, check_finite=False)
    return solved


def _hash(text: str, key: bytes) -> int:
    return int.from_bytes(
        hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8, key=key).digest(), "little"
    )
