"""The results of a grid as a table: one row an attack, means over seeds with the spread beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean

from bezoar.bench.config import Cell
from bezoar.records import DrillRecord, Rate, Saturation, Skipped

COLUMNS = (
    "attack",
    "seeds",
    "clean accuracy",
    "clean twin",
    "difference",
    "ASR",
    "ASR of the twin",
    "robust accuracy",
    "swallowed",
)


def markdown_table(results: Sequence[tuple[Cell, DrillRecord]]) -> str:
    """A Markdown table; each rate is the mean over seeds, with lowest and highest in brackets."""
    names = list(dict.fromkeys(cell.attack.name for cell, _ in results))
    rows = [_row(name, [record for cell, record in results if cell.attack.name == name]) for name in names]
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _row(name: str, records: Sequence[DrillRecord]) -> tuple[str, ...]:
    return (
        name.replace("|", "\\|"),
        str(len(records)),
        _spread(records, lambda record: record.victim.measurement.clean_accuracy),
        _spread(records, lambda record: _of_twin(record, "clean_accuracy")),
        _differences(records),
        _spread(records, lambda record: record.victim.measurement.attack_success),
        _spread(records, lambda record: _of_twin(record, "attack_success")),
        _spread(records, lambda record: record.victim.measurement.robust_accuracy),
        _swallowed(records),
    )


def _of_twin(record: DrillRecord, name: str) -> Rate | Skipped:
    if isinstance(record.twin, Skipped):
        return record.twin
    rate: Rate | Skipped = getattr(record.twin.measurement, name)
    return rate


def _spread(records: Sequence[DrillRecord], rate: Callable[[DrillRecord], Rate | Skipped]) -> str:
    values = [100 * found.value for found in map(rate, records) if isinstance(found, Rate)]
    if not values:
        return "not measured"
    return f"{mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _differences(records: Sequence[DrillRecord]) -> str:
    values = []
    for record in records:
        twin = _of_twin(record, "clean_accuracy")
        if isinstance(twin, Rate):
            values.append(100 * (record.victim.measurement.clean_accuracy.value - twin.value))
    if not values:
        return "not measured"
    return f"{mean(values):+.2f} ({min(values):+.2f} to {max(values):+.2f})"


def _swallowed(records: Sequence[DrillRecord]) -> str:
    values = [100 * record.saturation.swallowed for record in records if isinstance(record.saturation, Saturation)]
    return f"{mean(values):.1f}" if values else "not measured"
