"""`bezoar evaluate`: what a drill did to a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bezoar.cli.console import command_line, own_code_speaks_on_stderr, print_json, say
from bezoar.cli.folders import free_folder, next_folder
from bezoar.cli.options import Factory, Json, Reading, reads_data
from bezoar.cli.report import rate_text, say_drill
from bezoar.drill.evaluate_run import evaluate_clean, evaluate_run
from bezoar.drill.stages import RECORD_FILE
from bezoar.records import DrillRecord, EvaluationRecord, to_json, write_text_atomically
from bezoar.report import write_report


def add_to(app: typer.Typer) -> None:
    """Make `evaluate` a verb."""
    app.command("evaluate")(evaluate)


@reads_data
def evaluate(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="The victim: a run folder of bezoar train, a file of weights (with --factory), an .onnx file, or your "
            "own model as package.module:name.",
        ),
    ],
    data: Annotated[str, typer.Option(help="Clean test data.")],
    truth: Annotated[
        Path | None, typer.Option(help="The drill's truth file, from bezoar attack; without it only clean accuracy.")
    ] = None,
    twin: Annotated[str | None, typer.Option(help="The same trained on clean data: run folder or own model.")] = None,
    factory: Factory = None,
    out: Annotated[Path | None, typer.Option(help="Where to write; RUN/evaluation or ./evaluation otherwise.")] = None,
    json: Json = False,
    *,
    reading: Reading,
) -> None:
    """Measure clean accuracy, attack success and robust accuracy, and write record and report."""
    folder = free_folder(out) if out else next_folder(Path(run if Path(run).is_dir() else ".") / "evaluation")
    test = reading.open_test(data)
    record: DrillRecord | EvaluationRecord
    with own_code_speaks_on_stderr():
        if truth is None:
            record = evaluate_clean(run, test, command=command_line(), factory=factory)
        else:
            record = evaluate_run(run, test, truth, twin=twin, command=command_line(), factory=factory)
    folder.mkdir(parents=True, exist_ok=True)
    write_text_atomically(folder / RECORD_FILE, to_json(record) + "\n")
    page = write_report(record, folder) if isinstance(record, DrillRecord) else None
    if json:
        print_json(record)
    elif isinstance(record, DrillRecord) and page is not None:
        say_drill(record, page)
    elif isinstance(record, EvaluationRecord):
        _say_clean(record)
        say(f"record: {folder / RECORD_FILE}")


def _say_clean(record: EvaluationRecord) -> None:
    say(f"  {'clean accuracy':<16} {rate_text(record.clean_accuracy)}")
    for name, rate in record.by_class:
        say(f"    {name:<22} {rate_text(rate)}")
