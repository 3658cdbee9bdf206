"""Where the rows of the poisoned set come from, so that their order tells nothing that labels don't."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

Placement = Literal["add", "replace"]
Rows = NDArray[np.int64]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Layout:
    """Old row `kept[i]` goes to new row `kept_rows[i]`; poison i to new row `poison_rows[i]`."""

    kept: Rows
    kept_rows: Rows
    poison_rows: Rows

    def __len__(self) -> int:
        return len(self.kept_rows) + len(self.poison_rows)

    def merged(self, old: Sequence[T], poisons: Sequence[T]) -> tuple[T, ...]:
        """One value for each new row: of the old rows kept, and of the poisons."""
        values = dict(zip(self.kept_rows.tolist(), (old[row] for row in self.kept.tolist()), strict=True))
        values.update(zip(self.poison_rows.tolist(), poisons, strict=True))
        return tuple(values[row] for row in range(len(self)))


def lay_out(
    labels: Rows, originals: Rows, new_labels: Rows, placement: Placement, generator: np.random.Generator
) -> Layout:
    """Where samples go, given all labels (n,), and of the poisons their original rows (m,) and new labels (m,).

    Replacing poisons stand in the rows of their originals. Added ones go in between, at random: anywhere
    when the classes are mixed, inside a block of their new class when the data are sorted by class.
    The samples kept stay in their old order.
    """
    everyone = np.arange(len(labels))
    if placement == "replace":
        kept = np.delete(everyone, originals)
        return Layout(kept, kept, originals.copy())
    gaps = _gaps(labels, new_labels, generator)
    order = np.argsort(gaps, kind="stable")
    poison_rows = np.empty(len(gaps), dtype=np.int64)
    poison_rows[order] = gaps[order] + np.arange(len(gaps))
    return Layout(everyone, np.delete(np.arange(len(labels) + len(gaps)), poison_rows), poison_rows)


def is_sorted_by_class(labels: Rows) -> bool:
    """Whether neighbours share a label far more often than in random order (past half the way to always)."""
    shares = np.bincount(labels) / len(labels)
    expected = float((shares**2).sum())
    found = float(np.mean(labels[1:] == labels[:-1])) if len(labels) > 1 else 0.0
    return expected < 1 and found > (1 + expected) / 2


def _gaps(labels: Rows, new_labels: Rows, generator: np.random.Generator) -> Rows:
    """For each poison the old row before which it goes."""
    if not is_sorted_by_class(labels):
        return generator.integers(0, len(labels) + 1, len(new_labels))
    starts = np.flatnonzero(np.r_[True, labels[1:] != labels[:-1]])
    ends = np.r_[starts[1:], len(labels)]
    return np.array([_gap_in_block(labels, starts, ends, label, generator) for label in new_labels.tolist()])


def _gap_in_block(labels: Rows, starts: Rows, ends: Rows, label: int, generator: np.random.Generator) -> int:
    """A gap in a block of this label, larger blocks more likely; anywhere when there is no such block."""
    blocks = np.flatnonzero(labels[starts] == label)
    if len(blocks) == 0:
        return int(generator.integers(0, len(labels) + 1))
    lengths = ends[blocks] - starts[blocks]
    block = generator.choice(blocks, p=lengths / lengths.sum())
    return int(generator.integers(starts[block], ends[block] + 1))
