"""`bezoar bench`: a grid of drills from a file, resumable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bezoar.bench import markdown_table, run_grid
from bezoar.cli.console import TerminalListener, say
from bezoar.drill.stages import RECORD_FILE
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
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Run attacks by seeds and print the table. Run it again to go on where it stopped."""
    folder = out or Path("runs") / config.stem
    results = run_grid(config, folder, TerminalListener(quiet=quiet))
    for cell, _ in results:
        record = folder / cell.key / RECORD_FILE
        # The folder of a cell may be gone where only the results were carried over.
        if record.exists():
            write_report(from_json(DrillRecord, record.read_bytes(), origin=str(record)), folder / cell.key)
    table = markdown_table(results)
    write_text_atomically(folder / "table.md", table)
    say(table)
