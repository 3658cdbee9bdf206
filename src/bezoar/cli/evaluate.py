"""`bezoar evaluate`: what a drill did to a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bezoar.cli.console import command_line, print_json, say
from bezoar.cli.folders import new_folder
from bezoar.cli.options import FitOption, ImageColumn, Json, LabelColumn, Size, SkipBad
from bezoar.cli.report import rate_text, say_drill
from bezoar.data import Dataset, open_data
from bezoar.drill.evaluate_run import evaluate_clean, evaluate_run
from bezoar.errors import UndividedError
from bezoar.report import write_report


def add_to(app: typer.Typer) -> None:
    """Make `evaluate` a verb."""
    app.command("evaluate")(evaluate)


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The victim's run folder, from bezoar train.")],
    data: Annotated[str, typer.Option(help="Clean test data.")],
    truth: Annotated[
        Path | None, typer.Option(help="The drill's truth file, from bezoar attack; without it only clean accuracy.")
    ] = None,
    twin: Annotated[Path | None, typer.Option(help="Run folder of the same training on clean data.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write; RUN/evaluation otherwise.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Which part of the data; the test part where there is one, else all.")
    ] = None,
    size: Size = None,
    fit: FitOption = "crop",
    skip_bad: SkipBad = False,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    json: Json = False,
) -> None:
    """Measure clean accuracy, attack success and robust accuracy, and write record and report."""
    folder = new_folder(out or run / "evaluation", own_files=frozenset({"record.json", "report.html"}))
    test = _open_test(
        data, split, size=size, fit=fit, skip_bad=skip_bad, image_column=image_column, label_column=label_column
    )
    if truth is None:
        _evaluate_clean(run, test, folder, json=json)
        return
    record = evaluate_run(run, test, truth, twin=twin, out=folder, command=command_line())
    path = write_report(record, folder)
    if json:
        print_json(record)
    else:
        say_drill(record, path)


def _open_test(data: str, split: str | None, **options: Any) -> Dataset:
    try:
        return open_data(data, split=split or "test", **options)
    except UndividedError:
        # Undivided data named as test data are meant whole.
        if split is not None:
            raise
        return open_data(data, **options)


def _evaluate_clean(run: Path, test: Dataset, folder: Path, *, json: bool) -> None:
    record = evaluate_clean(run, test, out=folder, command=command_line())
    if json:
        print_json(record)
        return
    say(f"  {'clean accuracy':<16} {rate_text(record.clean_accuracy)}")
    for name, rate in record.by_class:
        say(f"    {name:<22} {rate_text(rate)}")
