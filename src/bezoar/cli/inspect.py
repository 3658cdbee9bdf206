"""`bezoar inspect`: does this model carry a backdoor, into which class, with what trigger?"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bezoar.cli.codes import code_of
from bezoar.cli.console import TerminalListener, command_line, own_code_speaks_on_stderr, print_json
from bezoar.cli.folders import new_folder
from bezoar.cli.inspect_folder import INSPECTION_FILES, inspection_folder, write_triggers
from bezoar.cli.inspect_references import HELP as REFERENCES
from bezoar.cli.inspect_references import gathered
from bezoar.cli.inspect_words import say_inspection
from bezoar.cli.options import Device, Factory, Json, Reading, Seed, reads_data
from bezoar.data import Dataset
from bezoar.drill.stages import RECORD_FILE
from bezoar.errors import ModelError, UsageError
from bezoar.inspection import InspectionSettings, inspect_model
from bezoar.inspection.reference_folder import models_in
from bezoar.inspection.settings import PANEL
from bezoar.records import to_json, write_text_atomically
from bezoar.records.inspecting import InspectionRecord
from bezoar.records.scanning import Strength
from bezoar.report import write_report
from bezoar.training.opening import OpenedModel, open_model_for, require_there


def add_to(app: typer.Typer) -> None:
    """Make `inspect` a verb."""
    app.command("inspect", epilog="Exit codes: 0 no evidence found, 1 found, 2 error, 3 inconclusive, 4 wrong usage.")(
        inspect
    )


@reads_data
def inspect(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A run folder of bezoar train, a .safetensors file or a checkpoint of weights (with --factory), an "
            ".onnx file, or your own model as package.module:name.",
        ),
    ],
    clean: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Clean samples of the model's classes, a few hundred; without them little."),
    ] = None,
    factory: Factory = None,
    detector: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Only these, with their fields, such as neural-cleanse:steps=100; all of {', '.join(PANEL)}."
        ),
    ] = None,
    reference_from: Annotated[Path | None, typer.Option(metavar="DIR", help=REFERENCES)] = None,
    fail_on: Annotated[Strength, typer.Option(help="From which verdict on the exit code is 1.")] = "suspicious",
    seed: Seed = 0,
    device: Device = "auto",
    out: Annotated[
        Path | None, typer.Option(help="The run folder: new, empty or an earlier inspection's; ./inspection otherwise.")
    ] = None,
    json: Json = False,
    *,
    reading: Reading,
) -> None:
    """Look for a backdoor in MODEL, show its trigger and prove it. The most that is ever said is: no evidence found."""
    folder = inspection_folder(out)
    settings = InspectionSettings(tuple(detector or PANEL), seed, (command_line(),), device)
    require_there(model)  # raises, before data are read
    if reference_from is not None:
        models_in(reference_from)  # the same
    data = None if clean is None else reading.open_test(clean)
    listener = TerminalListener(quiet=json)
    with own_code_speaks_on_stderr():
        opened = _opened(model, factory, data)
        references = gathered(reference_from, model, opened, data, settings, factory, listener)
        with new_folder(folder, own_files=INSPECTION_FILES), listener.bars() as works:
            inspected = inspect_model(opened, data, settings, references=references, listener=listener, progress=works)
            record = _with_commands(
                inspected.record, (model, *_factory(factory)), (clean or "DATA", *reading.words()), folder
            )
            write_text_atomically(folder / RECORD_FILE, to_json(record) + "\n")
            write_triggers(inspected, folder)
            page = write_report(record, folder)
    if json:
        print_json(record)
    else:
        say_inspection(record, page)
    raise typer.Exit(code_of(record, fail_on))


def _opened(model: str, factory: str | None, data: Dataset | None) -> OpenedModel:
    """The model. Raises ModelError where it was trained on other classes than the clean samples have."""
    opened = open_model_for(model, data, factory=factory)
    if data is None and opened.card is None:
        raise UsageError(
            f"nothing tells which classes {model} has, or of what shape its samples are",
            expected="clean samples of its classes",
            remedy="Give them as --clean DATA",
        )
    if data is not None and opened.card is not None and not opened.card.fits(data):
        raise ModelError(
            f"the clean samples {data.name} don't fit the model {model}",
            expected=f"{len(opened.card.class_names)} classes of samples {opened.card.shape}: "
            + ", ".join(opened.card.class_names[:8]),
            found=f"{len(data.class_names)} classes of samples {data.shape}: {', '.join(data.class_names[:8])}",
            remedy="Give clean samples of the model's own classes, in their order and size (see --size)",
        )
    return opened


def _factory(factory: str | None) -> tuple[str, ...]:
    return () if factory is None else ("--factory", factory)


def _with_commands(
    record: InspectionRecord, model: Sequence[str], clean: Sequence[str], folder: Path
) -> InspectionRecord:
    """The record with commands that name this very model and data, as they were typed."""

    def named(remedy: str) -> str:
        for word, name in (("MODEL", model), ("DATA", clean), ("INSPECTION", (str(folder),))):
            remedy = remedy.replace(f" {word}", f" {shlex.join(name)}", 1)
        return remedy

    findings = (replace(one, remedies=tuple(map(named, one.remedies))) for one in record.findings)
    return replace(record, findings=tuple(findings))
