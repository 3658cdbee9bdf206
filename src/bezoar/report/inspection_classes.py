"""What each detector says of each class, as tables: those that judge, and those that are only told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bezoar.records.inspecting import ClassStatistic, InspectionRecord, ModelDetectorRun
from bezoar.report.phrases import brief

MOST_CLASSES = 100


@dataclass(frozen=True)
class Column:
    """A detector: its name, its cut if it has one, and what the sizes of its triggers are counted in, "" without."""

    name: str
    cut: float | None
    unit: str


@dataclass(frozen=True)
class Cell:
    """A statistic in words, what is told below it, and whether it is above the cut."""

    statistic: str
    details: tuple[str, ...]
    over: bool


@dataclass(frozen=True)
class ClassRow:
    """What each detector of a table says of a class, and in how many references it is known, "" without any."""

    class_name: str
    known: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class ClassTable:
    """Some detectors, and a row for each class."""

    columns: tuple[Column, ...]
    rows: tuple[ClassRow, ...]


def class_tables(record: InspectionRecord) -> Mapping[str, object]:
    """The tables that the page shows. Detectors that did not run are in neither."""
    ran = [run for run in record.detectors if run.skipped is None]
    return {
        "compared": record.references is not None,
        "judging": _table(record, [run for run in ran if run.cut is not None]),
        "told": _table(record, [run for run in ran if run.cut is None]),
        "left_out": max(0, len(record.class_names) - MOST_CLASSES),
    }


def _table(record: InspectionRecord, runs: Sequence[ModelDetectorRun]) -> ClassTable:
    said = {(one.detector, one.class_name): one for one in record.statistics}
    rows = tuple(
        _row(name, [(said.get((run.detector, name)), run.cut) for run in runs])
        for name in record.class_names[:MOST_CLASSES]
    )
    return ClassTable(tuple(_column(record, run) for run in runs), rows)


def _row(name: str, told: Sequence[tuple[ClassStatistic | None, float | None]]) -> ClassRow:
    known = {one.beside.models for one, _ in told if one is not None and one.beside is not None}
    return ClassRow(brief(name, 60), _known(known), tuple(_cell(one, cut) for one, cut in told))


def _known(models: Collection[int]) -> str:
    """In how many references a class is known; where some detector has no figure of one, in how many at least."""
    if not models:
        return ""
    if not max(models):
        return "beside all classes"
    least = min(models)
    return f"in {max(models)} references" if least == max(models) else f"in {least} to {max(models)} references"


def _column(record: InspectionRecord, run: ModelDetectorRun) -> Column:
    units = (one.unit for one in record.statistics if one.detector == run.detector and one.size is not None)
    return Column(run.detector, run.cut, next(units, ""))


def _cell(one: ClassStatistic | None, cut: float | None) -> Cell:
    if one is None:
        return Cell("–", (), over=False)
    size = () if one.size is None else (f"size {one.size:.1f}",)
    over = cut is not None and one.statistic > cut
    beside = () if one.beside is None else (f"own {one.beside.own:.1f}", f"usual {one.beside.usual:.1f}")
    return Cell(f"{one.statistic:z.1f}", (*size, *beside), over)
