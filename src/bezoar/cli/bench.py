"""`bezoar bench`: a grid of drills from a file, resumable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from bezoar.bench import cells, finished, into_page, markdown_table, read_config, run_grid
from bezoar.cli.console import TerminalListener, say
from bezoar.drill.stages import RECORD_FILE
from bezoar.errors import UsageError
from bezoar.records import DrillRecord, from_json, write_text_atomically
from bezoar.report import write_report


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
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Run attacks by seeds and print the table. Run it again to go on where it stopped.

    The same command in a second terminal shares the work.
    """
    folder = out or Path("runs") / config.stem
    if into is not None:
        into_page(read_page(into), "")  # raises for a page without marks before hours are spent
    results = finished(config, folder) if table else run_grid(config, folder, TerminalListener(quiet=quiet))
    for cell, _ in results:
        record = folder / cell.key / RECORD_FILE
        # The folder of a cell may be gone where only the results were carried over.
        if record.exists():
            write_report(from_json(DrillRecord, record.read_bytes(), origin=str(record)), folder / cell.key)
    if not results:
        raise UsageError(f"{folder} holds no finished cell of {config}", remedy="Run it without --table first")
    text = markdown_table(results)
    write_text_atomically(folder / "table.md", text)
    if into is not None:
        write_text_atomically(into, into_page(read_page(into), text))
    say(escape(text))
    left = len(cells(read_config(config))) - len(results)
    if left:
        say(f"Not done yet: {left} of the cells.")


def read_page(path: Path) -> str:
    """The text of a page. Raises UsageError when there is none."""
    if not path.is_file():
        raise UsageError(f"{path} does not exist", expected="a Markdown page with the two bench marks")
    return path.read_text(encoding="utf-8")
