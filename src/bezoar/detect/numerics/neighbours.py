"""Exact nearest neighbours by blocks of a matrix product, and what labels they carry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bezoar.evidence import Labels, Matrix, Real

Metric: TypeAlias = Literal["cosine", "whitened"]
Rows: TypeAlias = NDArray[np.int64]
Single: TypeAlias = NDArray[np.float32]

BLOCK = 1 << 24
"""Distances held at once: 64 MiB of them."""

RIDGE = 1e-3
"""Of the mean variance, added before whitening: directions in which nothing varies must not be blown up."""


def label_share(
    matrix: Matrix, labels: Labels, *, queries: Rows, reference: Rows, neighbours: int, metric: Metric
) -> Real:
    """Share of the nearest `neighbours` of each row of `queries` that carry its label: (len(queries),) in 0..1.

    `queries` and `reference` are row numbers of `matrix` (n, d) and `labels` (n,); neighbours are rows of
    `reference`, the query itself left out. Where there are fewer, all of them count.
    """
    shares = np.empty(len(queries))
    for part, near in nearest(matrix, queries=queries, reference=reference, neighbours=neighbours, metric=metric):
        shares[part] = (labels[near] == labels[queries[part], None]).mean(axis=1)
    return shares


def nearest(
    matrix: Matrix, *, queries: Rows, reference: Rows, neighbours: int, metric: Metric
) -> Iterator[tuple[slice, Rows]]:
    """For blocks of `queries`: the block, and rows (block, neighbours) of `reference` nearest to each, in no order.

    Distances are exact up to float32: `cosine` about the mean of the reference, or Euclidean after `whitened`, which
    gives all directions of the reference unit variance and takes time d^3. Blocks hold about 16 million distances.
    """
    map_rows = _Mapped(matrix, reference, metric)
    base = map_rows(reference)
    squares = (base * base).sum(axis=1)
    place = np.full(len(matrix), -1, dtype=np.int64)
    place[reference] = np.arange(len(reference))
    step = max(1, BLOCK // max(1, len(reference)))
    for start in range(0, len(queries), step):
        part = slice(start, min(start + step, len(queries)))
        # Of |q - r|^2 the part |q|^2 is the same for all r, so it is left out.
        distances = squares - 2.0 * (map_rows(queries[part]) @ base.T)
        yield part, reference[_least(distances, place[queries[part]], neighbours)]


def _least(distances: Single, own: Rows, neighbours: int) -> Rows:
    """Columns of the least distances in each row, that of the sample itself, if there is one, left out."""
    present = np.flatnonzero(own >= 0)
    distances[present, own[present]] = np.inf
    count = min(neighbours, distances.shape[1] - (1 if len(present) else 0))
    return np.argpartition(distances, count - 1, axis=1)[:, :count]


class _Mapped:
    """Rows of a matrix as points whose Euclidean distances are those of the metric."""

    def __init__(self, matrix: Matrix, reference: Rows, metric: Metric) -> None:
        self.matrix, self.metric = matrix, metric
        base = matrix[reference].astype(np.float32)
        self.centre = base.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.whitening = _whitening(base - self.centre) if metric == "whitened" else None

    def __call__(self, rows: Rows) -> Single:
        points: Single = self.matrix[rows].astype(np.float32) - self.centre
        if self.whitening is not None:
            points = points @ self.whitening
        else:
            points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
        return points


def _whitening(centred: Single) -> Single:
    covariance = (centred.T @ centred).astype(np.float64) / max(1, len(centred))
    values, vectors = np.linalg.eigh(covariance)
    floor = RIDGE * max(float(values.mean()), 1e-12)
    whitening: Single = (vectors / np.sqrt(np.maximum(values, 0.0) + floor)).astype(np.float32)
    return whitening
