"""Confusion matrices as a page shows them: whole for few classes, the largest errors for many."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bezoar.records import Skipped

MOST_CLASSES = 20
LARGEST_CELLS = 20
STEPS = (0.0, 0.01, 0.05, 0.2, 0.5, 0.8)

Counts = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Cell:
    """One count, its share of the row, its step on the colour scale and whether the attacker aims at it."""

    count: int
    share: float
    step: int
    aimed: bool


@dataclass(frozen=True)
class Matrix:
    """Rows are true classes, columns predictions."""

    class_names: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class LargeCell:
    """One off-diagonal cell of a matrix too large to show, clean and triggered."""

    true_class: str
    predicted_class: str
    clean: int
    clean_share: float
    triggered: int
    triggered_share: float
    aimed: bool


def matrix(class_names: tuple[str, ...], counts: Counts, aims: Collection[tuple[str, str]] = ()) -> Matrix | Skipped:
    """The matrix with shares by row; Skipped when its size does not fit the classes."""
    if not fits(class_names, counts):
        return Skipped(f"the record holds no {len(class_names)} by {len(class_names)} matrix")
    rows = tuple(
        tuple(
            Cell(count, share := _share(count, row), step_of(share), (true, predicted) in aims)
            for predicted, count in zip(class_names, row, strict=True)
        )
        for true, row in zip(class_names, counts, strict=True)
    )
    return Matrix(class_names, rows)


def fits(class_names: Sequence[str], counts: Counts) -> bool:
    """Whether the counts are square and as many as the classes."""
    return len(counts) == len(class_names) and all(len(row) == len(class_names) for row in counts)


def step_of(share: float) -> int:
    """The step on the colour scale: 0 for none, then 1 to 6."""
    return sum(share > step for step in STEPS)


def step_labels() -> tuple[str, ...]:
    """What each step of the colour scale means."""
    edges = [f"{step:.0%}" for step in (*STEPS, 1.0)]
    return ("none", *(f"{low} to {high}" for low, high in pairwise(edges)))


def largest_errors(
    class_names: Sequence[str], clean: Counts, triggered: Counts, aims: Collection[tuple[str, str]] = ()
) -> tuple[LargeCell, ...] | Skipped:
    """The off-diagonal cells with the most samples, clean or triggered; Skipped when a size does not fit."""
    if not (fits(class_names, clean) and fits(class_names, triggered)):
        return Skipped(f"the record holds no {len(class_names)} by {len(class_names)} matrices")
    places = (
        (row, column)
        for row in range(len(class_names))
        for column in range(len(class_names))
        if row != column and (clean[row][column] or triggered[row][column])
    )
    ranked = sorted(places, key=lambda place: -max(clean[place[0]][place[1]], triggered[place[0]][place[1]]))
    return tuple(
        LargeCell(
            class_names[row],
            class_names[column],
            clean[row][column],
            _share(clean[row][column], clean[row]),
            triggered[row][column],
            _share(triggered[row][column], triggered[row]),
            (class_names[row], class_names[column]) in aims,
        )
        for row, column in ranked[:LARGEST_CELLS]
    )


def _share(count: int, row: Sequence[int]) -> float:
    total = sum(row)
    return count / total if total else 0.0
