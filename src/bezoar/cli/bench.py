"""`bezoar bench`: a grid of drills or of scans from a file, resumable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from bezoar.bench import (
    cells,
    chosen_cells,
    finished,
    finished_scans,
    into_page,
    is_scan_config,
    markdown_table,
    read_config,
    read_scan_config,
    run_grid,
    run_scans,
    scan_tables,
)
from bezoar.bench.repairs import (
    is_repairs_config,
    read_repairs,
    repair_cases,
    repaired_cases,
    repairs_table,
    run_repairs,
    twin_of,
)
from bezoar.bench.zoo import (
    build_zoo,
    inspect_zoo,
    inspected,
    is_zoo_config,
    read_zoo,
    subjects,
    zoo_table,
)
from bezoar.cli.console import TerminalListener, say
from bezoar.cli.options import Device
from bezoar.drill.stages import RECORD_FILE
from bezoar.errors import UsageError
from bezoar.inspection import InspectionSettings
from bezoar.records import DrillRecord, from_json, write_text_atomically
from bezoar.report import write_report
from bezoar.training.precision import choose_device


def add_to(app: typer.Typer) -> None:
    """Make `bench` a verb."""
    app.command("bench")(bench)


def bench(
    config: Annotated[Path, typer.Argument(metavar="FILE", help="A benchmark file, as in examples/.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of results; runs/NAME otherwise. Finished cells are kept.")
    ] = None,
    table: Annotated[bool, typer.Option("--table", help="Run nothing: the table of what is done so far.")] = False,
    into: Annotated[
        Path | None, typer.Option(help="A Markdown page to put the table into, between its two bench marks.")
    ] = None,
    only: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="Of scans and models: only those with this in their name, such as 'WaNet, 10.0%'; of a zoo "
            "'held out', too.",
        ),
    ] = "",
    device: Device = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Run attacks by seeds and print the table, scan what they make, inspect models, or repair them: FILE says which.

    Run it again to go on where it stopped. The same command in a second terminal shares the work.
    """
    folder = out or Path("runs") / config.stem
    if into is not None:
        into_page(read_page(into), "")  # raises for a page without marks before hours are spent
    listener = TerminalListener(quiet=quiet)
    if is_repairs_config(config):
        text, left = _repairs(config, folder, listener, run=not table, only=only, device=device)
    elif is_zoo_config(config):
        text, left = _zoo(config, folder, listener, run=not table, only=only, device=device)
    elif is_scan_config(config):
        choose_device(device)  # raises for a device that is not there before the data are read
        text, left = _scans(config, folder, listener, run=not table, only=only, device=device)
    else:
        if only or device != "auto":
            raise UsageError(
                "--only and --device are for scans and models",
                expected="a file with scan = true, zoo = true or repairs = true",
            )
        text, left = _drills(config, folder, listener, run=not table)
    if not text:
        raise UsageError(f"{folder} holds no finished cell of {config}", remedy="Run it without --table first")
    write_text_atomically(folder / "table.md", text)
    if into is not None:
        write_text_atomically(into, into_page(read_page(into), text))
    say(escape(text))
    if left:
        say(f"Not done yet: {left} of the cells.")


def _drills(config: Path, folder: Path, listener: TerminalListener, *, run: bool) -> tuple[str, int]:
    """The table of drills, a report in the folder of each, and how many cells are left."""
    results = run_grid(config, folder, listener) if run else finished(config, folder)
    for cell, _ in results:
        record = folder / cell.key / RECORD_FILE
        # The folder of a cell may be gone where only the results were carried over.
        if record.exists():
            write_report(from_json(DrillRecord, record.read_bytes(), origin=str(record)), folder / cell.key)
    return markdown_table(results) if results else "", len(cells(read_config(config))) - len(results)


def _scans(
    config: Path, folder: Path, listener: TerminalListener, *, run: bool, only: str, device: str
) -> tuple[str, int]:
    """The tables of scans, of all that is done, and how many of the cells asked for are left."""
    asked = chosen_cells(read_scan_config(config), only)
    if run:
        run_scans(config, folder, listener, device=device, only=only)
    results = finished_scans(config, folder)
    done = {result.key for result in results}
    return scan_tables(results), sum(cell.key not in done for cell in asked)


def _zoo(
    config: Path, folder: Path, listener: TerminalListener, *, run: bool, only: str, device: str
) -> tuple[str, int]:
    """The table of a zoo's inspections, and how many of the subjects asked for are left."""
    zoo = read_zoo(config)
    wanted = [one for one in subjects(zoo) if only in f"{one.label}, {one.part}"]
    if not wanted:
        raise UsageError(f"no subject of {config} is called {only!r}")
    if run:
        inspect_zoo(wanted, folder, listener, InspectionSettings(zoo.detectors, device=device))
    done = inspected(folder)
    own = [done[subject.key] for subject in wanted if subject.key in done]
    return zoo_table(own) if own else "", len(wanted) - len(own)


def _repairs(
    config: Path, folder: Path, listener: TerminalListener, *, run: bool, only: str, device: str
) -> tuple[str, int]:
    """The table of repairs, and how many of those asked for are left."""
    asked = read_repairs(config)
    cases = [case for case in repair_cases(asked) if only in case.label]
    if not cases:
        raise UsageError(f"no repair of {config} is called {only!r}")
    if run:
        everyone = subjects(asked.zoo)
        victims = {case.subject.key: case.subject for case in cases}.values()
        models = [*victims, *filter(None, (twin_of(one, everyone) for one in victims))]
        run_repairs(asked, cases, build_zoo(models, folder, listener, device=device), folder, listener, device=device)
    done = repaired_cases(folder)
    own = [done[case.key] for case in cases if case.key in done]
    return repairs_table(own) if own else "", len(cases) - len(own)


def read_page(path: Path) -> str:
    """The text of a page. Raises UsageError when there is none."""
    if not path.is_file():
        raise UsageError(f"{path} does not exist", expected="a Markdown page with the two bench marks")
    return path.read_text(encoding="utf-8")
