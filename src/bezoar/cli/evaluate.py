"""`bezoar evaluate`: what a drill did to a model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bezoar.cli.console import print_json
from bezoar.cli.folders import new_folder
from bezoar.cli.options import Json, Size, SkipBad, Split
from bezoar.cli.report import say_drill
from bezoar.data import open_data
from bezoar.drill.evaluate_run import evaluate_run
from bezoar.report import write_report


def add_to(app: typer.Typer) -> None:
    """Make `evaluate` a verb."""
    app.command("evaluate")(evaluate)


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The victim's run folder, from bezoar train.")],
    data: Annotated[str, typer.Option(help="Clean test data.")],
    truth: Annotated[Path, typer.Option(help="The drill's truth file, from bezoar attack.")],
    twin: Annotated[Path | None, typer.Option(help="Run folder of the same training on clean data.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write; RUN/evaluation otherwise.")] = None,
    split: Split = "test",
    size: Size = None,
    skip_bad: SkipBad = False,
    json: Json = False,
) -> None:
    """Measure clean accuracy, attack success and robust accuracy, and write record and report."""
    folder = new_folder(out or run / "evaluation", own_files=frozenset({"record.json", "report.html"}))
    test = open_data(data, split=split, size=size, skip_bad=skip_bad)
    record = evaluate_run(run, test, truth, twin=twin, out=folder, command=" ".join(["bezoar", *sys.argv[1:]]))
    path = write_report(record, folder)
    if json:
        print_json(record)
    else:
        say_drill(record, path)
