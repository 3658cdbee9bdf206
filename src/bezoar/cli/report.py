"""`bezoar report`: a run's record as HTML again, or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from bezoar.cli.console import print_json, say
from bezoar.cli.inspect_folder import is_inspection, read_inspection
from bezoar.cli.inspect_words import say_inspection
from bezoar.cli.options import Json
from bezoar.cli.repair_folder import is_repair, read_repair
from bezoar.cli.repair_words import say_repair
from bezoar.cli.scan_folder import is_scan, read_scan, require_replaceable, write_exports
from bezoar.cli.scan_words import say_scan
from bezoar.errors import RecordError, UsageError
from bezoar.records import DrillRecord, Rate, Skipped, from_json
from bezoar.report import drill_headline, repair_answer, scan_answer, write_report
from bezoar.report.phrases import visible


def add_to(app: typer.Typer) -> None:
    """Make `report` a verb."""
    app.command("report")(report)


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a record.json.")],
    out: Annotated[Path | None, typer.Option(help="Folder for report.html; the run's own otherwise.")] = None,
    sarif: Annotated[Path | None, typer.Option(help="Of a scan: write SARIF 2.1.0 here.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Of a scan: write JUnit XML here.")] = None,
    place: Annotated[
        str, typer.Option(metavar="FOLDER", help="For --sarif: where the data lie in their repository.")
    ] = "",
    json: Json = False,
) -> None:
    """Write report.html from the record.json of a drill, a scan, an inspection or a repair."""
    folder = out or (run if run.is_dir() else run.parent)
    if is_scan(run):
        require_replaceable(sarif, junit)
        scanned = read_scan(run)
        write_exports(scanned, fail_on="suspicious", place=place, sarif=sarif, junit=junit)
        if json:
            print_json(scanned)
        else:
            say_scan(scanned, write_report(scanned, folder))
        return
    if sarif is not None or junit is not None:
        raise UsageError("--sarif and --junit are for scans", expected="a folder of bezoar scan", found=str(run))
    if is_inspection(run):
        seen = read_inspection(run)
        if json:
            print_json(seen)
        else:
            say_inspection(seen, write_report(seen, folder))
        return
    if is_repair(run):
        repaired = read_repair(run)
        if json:
            print_json(repaired)
        else:
            say_repair(repaired, write_report(repaired, folder))
        return
    record = read_drill(run)
    if json:
        print_json(record)
        return
    say_drill(record, write_report(record, folder))


def read_drill(run: Path) -> DrillRecord:
    """The drill record of a run folder or file. Raises UsageError when there is none, RecordError for another's."""
    path = run / "record.json" if run.is_dir() else run
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(
            f"{path} does not exist",
            expected="a run folder that holds record.json",
            remedy="Make one with bezoar scan, bezoar demo or bezoar evaluate",
        ) from None
    measured = sorted(run.glob("evaluation*/report.html")) if run.is_dir() else []
    if measured and b'"kind": "training"' in text:
        raise RecordError(
            f"{path} is the record of a training; its reports lie beside its measurements",
            remedy=f"Write bezoar report {measured[-1].parent}",
        )
    if b'"kind": "evaluation"' in text:
        raise RecordError(
            f"{path} was measured without a truth, and only a drill has a page",
            remedy="Give bezoar evaluate the drill's --truth",
        )
    return from_json(DrillRecord, text, origin=str(path))


def say_drill(record: DrillRecord, path: Path) -> None:
    """The drill in a few lines for a terminal."""
    measured = record.victim.measurement
    twin = None if isinstance(record.twin, Skipped) else record.twin.measurement
    say("")
    say(f"[bold]{escape(drill_headline(record).sentence)}[/]")
    for name in ("clean_accuracy", "attack_success", "robust_accuracy"):
        say(_line(name.replace("_", " "), getattr(measured, name), None if twin is None else getattr(twin, name)))
    if not isinstance(record.monitoring, Skipped):
        say(record.monitoring.sentence)
    if not isinstance(record.scan, Skipped):
        answer = scan_answer(record, record.scan)
        say(f"Would a scan of the data have found it? {answer.word}. {escape(visible(answer.sentence))}")
    if not isinstance(record.repair, Skipped):
        cured = repair_answer(record, record.repair)
        say(f"Can it be taken out again? {cured.word}. {escape(visible(cured.sentence))}")
    say(f"report: {path}")


def _line(name: str, victim: Rate | Skipped, twin: Rate | Skipped | None) -> str:
    beside = "" if twin is None else f"   clean twin {rate_text(twin)}"
    return f"  {name:<16} {rate_text(victim)}{beside}"


def rate_text(rate: Rate | Skipped) -> str:
    """A rate with its interval, or why there is none."""
    if isinstance(rate, Skipped):
        return f"not measured: {rate.reason}"
    return f"{rate.value:6.1%} [dim]({rate.low:.1%} to {rate.high:.1%})[/]"
