"""`bezoar demo`: the whole story in a minute, on data that it draws itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bezoar.cli.console import TerminalListener, print_json, say
from bezoar.cli.folders import free_folder, new_folder
from bezoar.cli.options import Device, Json, Seed
from bezoar.cli.repair_folder import is_repair, read_repair
from bezoar.cli.report import say_drill
from bezoar.cli.scan_folder import read_scan
from bezoar.drill.demo import DEMO_FILES, REPAIR_FILES, SCAN_FILES, run_demo
from bezoar.drill.repairing import REPAIR_FOLDER
from bezoar.drill.stages import SCAN_FOLDER
from bezoar.report import write_report


def add_to(app: typer.Typer) -> None:
    """Make `demo` a verb."""
    app.command("demo")(demo)


def demo(
    out: Annotated[Path, typer.Option(help="The run folder; an earlier demo's files there are replaced.")] = Path(
        "bezoar-demo"
    ),
    seed: Seed = 0,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Draw road signs, backdoor them with a sticker, train, measure, scan, repair, and write a report."""
    free_folder(out / SCAN_FOLDER, own_files=SCAN_FILES)
    free_folder(out / REPAIR_FOLDER, own_files=REPAIR_FILES)
    with new_folder(out, own_files=DEMO_FILES):
        if not json:
            say("A sticker on stop signs: does the model read them as a speed limit?")
        record = run_demo(out, seed=seed, device=device, listener=TerminalListener(quiet=json))
        write_report(read_scan(out / SCAN_FOLDER), out / SCAN_FOLDER)
        if is_repair(out / REPAIR_FOLDER):
            write_report(read_repair(out / REPAIR_FOLDER), out / REPAIR_FOLDER)
        path = write_report(record, out)
    if json:
        print_json(record)
    else:
        say_drill(record, path)
