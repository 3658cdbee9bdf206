"""Evidence: what is known of every sample, gathered once, from which every detector judges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bezoar.errors import DataError

Matrix: TypeAlias = NDArray[np.floating]
"""One row for each sample, possibly float16 and memory-mapped: convert a block of rows, never all of it."""
Labels: TypeAlias = NDArray[np.int64]
Real: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class History:
    """What a probe made of each sample, epoch by epoch: cross-entropy (epochs, n) and correctness (epochs, n)."""

    loss: Matrix
    correct: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Rows of evidence about n samples of k classes; nothing here says what a sample is.

    `inputs` are matrices (n, d) taken from the samples alone, `layers` matrices (n, d) of a probe's features in order
    of depth, `logits` (n, k) its answers, `history` its training. `extra` holds what single detectors ask for.
    A part that was not gathered is absent; a detector that needs it is Skipped. Raises DataError where lengths differ.
    """

    ids: tuple[str, ...]
    labels: Labels
    class_names: tuple[str, ...]
    inputs: Mapping[str, Matrix] = field(default_factory=lambda: MappingProxyType({}))
    layers: Mapping[str, Matrix] = field(default_factory=lambda: MappingProxyType({}))
    logits: Matrix | None = None
    history: History | None = None
    sources: tuple[str | None, ...] | None = None
    extra: Mapping[str, Matrix] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        n = len(self.ids)
        lengths = {"labels": len(self.labels), "sources": n if self.sources is None else len(self.sources)}
        lengths |= {name: len(rows) for part in (self.inputs, self.layers, self.extra) for name, rows in part.items()}
        if self.logits is not None:
            lengths["logits"] = len(self.logits)
        if self.history is not None:
            lengths |= {"loss": self.history.loss.shape[1], "correct": self.history.correct.shape[1]}
        for name, length in lengths.items():
            if length != n:
                raise DataError(f"evidence: {name} and ids differ in length", expected=str(n), found=str(length))

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        parts = [*self.inputs, *self.layers, *self.extra]
        parts += [name for name in ("logits", "history") if getattr(self, name) is not None]
        return f"<Evidence of {len(self):,} samples, {len(self.class_names)} classes: {', '.join(parts) or 'none'}>"

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def space(self) -> Matrix | None:
        """The matrix in which samples are compared with one another: the deepest layer, or else the first input."""
        return list(self.layers.values())[-1] if self.layers else next(iter(self.inputs.values()), None)

    def members(self, label: int) -> NDArray[np.int64]:
        """Rows of the samples with this label."""
        return np.flatnonzero(self.labels == label)

    def select(self, rows: Iterable[int] | NDArray[np.int64]) -> Evidence:
        """The evidence about the samples at `rows`, in that order, ids with them."""
        index = np.asarray(rows, dtype=np.int64)
        return replace(
            self,
            ids=tuple(self.ids[row] for row in index.tolist()),
            labels=self.labels[index],
            inputs={name: matrix[index] for name, matrix in self.inputs.items()},
            layers={name: matrix[index] for name, matrix in self.layers.items()},
            extra={name: matrix[index] for name, matrix in self.extra.items()},
            logits=None if self.logits is None else self.logits[index],
            history=None
            if self.history is None
            else History(self.history.loss[:, index], self.history.correct[:, index]),
            sources=None if self.sources is None else tuple(self.sources[row] for row in index.tolist()),
        )
