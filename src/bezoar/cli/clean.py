"""`bezoar clean`: the data without the suspects of a scan, or the samples that a repair turned."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer
from rich.markup import escape

from bezoar.cli.console import counted, print_json, say
from bezoar.cli.folders import check_output
from bezoar.cli.options import Data, Json, Reading, reads_data
from bezoar.cli.repair_folder import is_repair, read_turned
from bezoar.cli.scan_folder import read_scan
from bezoar.data import Dataset, require_free, write_data
from bezoar.data.writers.atomic import check_file, new_file
from bezoar.errors import BezoarWarning, UsageError
from bezoar.records import DatasetRecord, to_json
from bezoar.records.scanning import Strength
from bezoar.report.phrases import brief, percent, visible
from bezoar.scan.clean import STRENGTHS, LeftOut, findings_named, without_suspects, without_turned

Cleaning: TypeAlias = Callable[[Dataset], tuple[Dataset, tuple[LeftOut, ...]]]
"""Data in; the rest of it, and what was left out."""


@dataclass(frozen=True)
class ClassLoss:
    """A class by name, and its samples before and after."""

    name: str
    before: int
    after: int


@dataclass(frozen=True)
class CleanedRecord:
    """What was left out of which data, and where the rest lies."""

    dataset: DatasetRecord
    cleaned: DatasetRecord
    data_file: str
    list_file: str
    classes: tuple[ClassLoss, ...]
    left_out: tuple[LeftOut, ...]
    kind: Literal["cleaned"] = "cleaned"


def add_to(app: typer.Typer) -> None:
    """Make `clean` a verb."""
    app.command("clean")(clean)


@reads_data
def clean(
    data: Data,
    findings: Annotated[
        Path, typer.Option(metavar="SCAN", help="A folder of bezoar scan, or of a repair with turned.csv.")
    ],
    out: Annotated[Path, typer.Option(help="The rest of the data: an .npz, a .parquet or a new folder.")],
    min_strength: Annotated[
        Strength, typer.Option(help="confirmed keeps the suspects of findings that are only suspicious.")
    ] = "suspicious",
    finding: Annotated[
        list[str] | None,
        typer.Option(help="Only this finding, by target class or fingerprint. Can be given more than once."),
    ] = None,
    json: Json = False,
    *,
    reading: Reading,
) -> None:
    """Write DATA without what a scan suspects or a repair turned, and a list of what was left out beside it.

    That does not show that the rest is sound: a backdoor that no detector saw is still in it.
    """
    check_output(out, data)
    require_free(out)
    beside = list_path(out)
    check_file(beside)
    named = _named(findings, min_strength, finding or ())
    opened = reading.open(data)
    rest, left_out = named(opened)
    cleaned = CleanedRecord(opened.record(), rest.record(), str(out), str(beside), _losses(opened, rest), left_out)
    _warn_of_lost_classes(cleaned.classes)
    _write(rest, out, beside, cleaned)
    if json:
        print_json(cleaned)
    else:
        _say(cleaned)


def _named(findings: Path, weakest: Strength, targets: Sequence[str]) -> Cleaning:
    """What leaves out what the findings name. Raises for a slip of the pen before the data are read."""
    if is_repair(findings):
        if weakest != "suspicious" or targets:
            raise UsageError("--min-strength and --finding choose among the findings of a scan", found="a repair")
        return partial(without_turned, turned=read_turned(findings))
    record = read_scan(findings)
    findings_named(record, targets)
    strengths = STRENGTHS[: STRENGTHS.index(weakest) + 1]
    return partial(without_suspects, record=record, strengths=strengths, targets=targets)


def list_path(out: Path) -> Path:
    """Where the list of what was left out goes: beside the data, as the truth of a drill does."""
    return out.with_name(f"{out.name}.left-out.json")


def _write(rest: Dataset, out: Path, beside: Path, cleaned: CleanedRecord) -> None:
    # The list first: no data shall lack samples without anything saying which.
    with new_file(beside) as temporary:
        temporary.write_text(to_json(cleaned) + "\n", encoding="utf-8")
    try:
        write_data(rest, out)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _losses(data: Dataset, rest: Dataset) -> tuple[ClassLoss, ...]:
    counts = zip(data.class_names, data.class_counts, rest.class_counts, strict=True)
    return tuple(ClassLoss(name, before, after) for name, before, after in counts if before != after)


def _warn_of_lost_classes(classes: tuple[ClassLoss, ...]) -> None:
    for one in classes:
        if one.after == 0:
            warnings.warn(f"no sample of class {one.name!r} is left", BezoarWarning, stacklevel=2)


def _say(cleaned: CleanedRecord) -> None:
    say(
        f"{escape(cleaned.data_file)}: {counted(cleaned.cleaned.samples, 'sample')} of {cleaned.dataset.samples:,}; "
        f"{counted(len(cleaned.left_out), 'suspect')} left out"
    )
    for one in cleaned.classes:
        lost = one.before - one.after
        say(f"  {escape(visible(brief(one.name)))}: {lost:,} of {one.before:,} ({percent(lost / one.before)})")
    say(f"which ones, and why: {escape(cleaned.list_file)}")
    say("no evidence against the rest is not proof that it is sound: train on it, and scan it again")
