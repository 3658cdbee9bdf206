"""The table by class: cells with their intervals, and reasons for missing numbers told once, as footnotes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from bezoar.records import AttackRecord, ClassMeasurement, DatasetRecord, DrillRecord, ModelResult, Rate, Skipped
from bezoar.report.backdoors import relabellings, sources
from bezoar.report.phrases import interval, measured, percent

MOST_ROWS = 120


@dataclass(frozen=True)
class Cell:
    """A value with its interval, or 'not measured' with the number of the footnote that says why."""

    text: str
    detail: str = ""
    note: int = 0


@dataclass(frozen=True)
class Row:
    """One true class: its part in the attack, and the rates of victim and twin (three each)."""

    name: str
    role: str
    victim: tuple[Cell, ...]
    twin: tuple[Cell, ...]


@dataclass(frozen=True)
class ClassTable:
    """Rows in class order; `notes` are the reasons, numbered from 1; `left_out` counts classes not shown."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    left_out: int


@dataclass
class _Notes:
    """Numbers each distinct reason."""

    reasons: dict[str, int] = field(default_factory=dict)

    def cell(self, rate: Rate | Skipped) -> Cell:
        rate = measured(rate)
        if isinstance(rate, Rate):
            return Cell(percent(rate.value), interval(rate))
        return Cell("not measured", note=self.reasons.setdefault(rate.reason, len(self.reasons) + 1))


def class_table(record: DrillRecord) -> ClassTable:
    """Victim and, where there is one, twin by class; past 120 classes those of the attack and the worst hit."""
    notes = _Notes()
    victim = record.victim.measurement.by_class
    twin = record.twin.measurement.by_class if isinstance(record.twin, ModelResult) else ()
    parts = roles(record.attack)
    shown = _chosen(parts, victim)
    rows = tuple(
        Row(
            victim[index].class_name,
            parts.get(victim[index].class_name, ""),
            tuple(notes.cell(rate) for rate in _rates(victim[index])),
            tuple(notes.cell(rate) for rate in _rates(twin[index])) if index < len(twin) else (),
        )
        for index in shown
    )
    return ClassTable(rows, tuple(notes.reasons), len(victim) - len(shown))


def roles(attack: AttackRecord) -> dict[str, str]:
    """The part that each class plays in the attack, in any of its backdoors: source, target, or both."""
    named, aims = frozenset(sources(attack)), frozenset(target for _, target in relabellings(attack))
    return {
        name: " and ".join(part for part, names in (("source", named), ("target", aims)) if name in names)
        for name in named | aims
    }


def counts_by_class(dataset: DatasetRecord) -> tuple[tuple[tuple[str, int], ...], int]:
    """Class names with their counts, at most 120, and how many were left out."""
    pairs = tuple(zip(dataset.class_names, dataset.class_counts, strict=False))
    return pairs[:MOST_ROWS], max(len(pairs) - MOST_ROWS, 0)


def _rates(measurement: ClassMeasurement) -> tuple[Rate | Skipped, ...]:
    return measurement.clean_accuracy, measurement.attack_success, measurement.robust_accuracy


def _chosen(parts: Collection[str], classes: Sequence[ClassMeasurement]) -> list[int]:
    def urgency(index: int) -> tuple[bool, float]:
        success = measured(classes[index].attack_success)
        return classes[index].class_name in parts, success.value if isinstance(success, Rate) else -1.0

    ranked = sorted(range(len(classes)), key=urgency, reverse=True)
    return sorted(ranked[:MOST_ROWS])
