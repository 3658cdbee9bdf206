"""What each detector says of each class, as tables that stay readable for many classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bezoar.records import ClassSignal, DetectorRun, ScanRecord, Skipped, StageTime
from bezoar.report.phrases import brief, p_value, significant

MOST_SHOWN = 12
MOST_ROWS = 200


@dataclass(frozen=True)
class SignalRow:
    """One detector on one class; `cut` is what about a tenth of clean classes exceed, if that is known."""

    class_name: str
    detector: str
    statistic: str
    cut: str
    p_value: str
    p_adjusted: str
    fired: bool


@dataclass(frozen=True)
class SignalTable:
    """The most striking rows, the next ones, and how many of them all are left out."""

    rows: tuple[SignalRow, ...]
    further: tuple[SignalRow, ...]
    left_out: int
    fired: int


@dataclass(frozen=True)
class RunRow:
    """One detector: its specification, its cut, its time, and why it did not run if it did not."""

    detector: str
    cut: str
    seconds: float
    skipped: Skipped | None


def signal_table(
    signals: Sequence[ClassSignal], runs: Sequence[DetectorRun], *, most: int = MOST_SHOWN, further: int = 0
) -> SignalTable:
    """Signals that fired first, then by adjusted p-value: `most` rows, and up to `further` more of them."""
    cuts = {run.detector: run.cut for run in runs}
    ranked = sorted(signals, key=lambda one: (not one.fired, one.p_adjusted, one.p_value, one.class_name, one.detector))
    rows = tuple(_row(one, cuts.get(one.detector)) for one in ranked[: most + further])
    return SignalTable(rows[:most], rows[most:], len(ranked) - len(rows), sum(one.fired for one in signals))


def run_rows(record: ScanRecord) -> tuple[RunRow, ...]:
    """Every detector, those that ran first, in the order of the record."""
    rows = (
        RunRow(brief(run.detector), "ranks only" if run.cut is None else significant(run.cut), run.seconds, run.skipped)
        for run in record.detectors
    )
    return tuple(sorted(rows, key=lambda row: row.skipped is not None))


def stage_rows(stages: Sequence[StageTime]) -> tuple[tuple[str, float, float], ...]:
    """Name, seconds and share of all time of each stage."""
    total = sum(stage.seconds for stage in stages)
    return tuple((stage.stage, stage.seconds, stage.seconds / total if total > 0 else 0.0) for stage in stages)


def _row(signal: ClassSignal, cut: float | None) -> SignalRow:
    return SignalRow(
        brief(signal.class_name, 60),
        brief(signal.detector, 60),
        significant(signal.statistic),
        "" if cut is None else significant(cut),
        p_value(signal.p_value),
        p_value(signal.p_adjusted),
        signal.fired,
    )
