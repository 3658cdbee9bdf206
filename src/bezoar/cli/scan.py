"""`bezoar scan`: is this data set poisoned, by which samples, and what is the trigger?"""

from __future__ import annotations

import os
import shlex
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bezoar.cli.codes import code_of
from bezoar.cli.console import TerminalListener, command_line, errors, own_code_speaks_on_stderr, print_json
from bezoar.cli.explain import explain, sample_called, say_explanation
from bezoar.cli.folders import new_folder
from bezoar.cli.options import Data, Device, Factory, Json, Reading, Seed, reads_data
from bezoar.cli.scan_folder import (
    SCAN_FILES,
    newest_scan,
    place_of,
    read_scan,
    require_replaceable,
    rows_of,
    scan_folder,
    write_scan,
)
from bezoar.cli.scan_words import clean_command, say_scan
from bezoar.data import Dataset
from bezoar.errors import BezoarWarning, DataError, ModelError, UsageError
from bezoar.evidence.store import Store, default_root
from bezoar.records import ScanRecord, StageTime
from bezoar.records.scanning import Strength
from bezoar.scan import ScanSettings, TrainedModel, scan
from bezoar.scan.clean import require_same_data
from bezoar.scan.panel import Budget
from bezoar.training.opening import open_model_for, require_there
from bezoar.training.precision import choose_device

CACHE_LIMIT = 10 * 2**30
"""Bytes of evidence kept; the oldest goes first."""


def add_to(app: typer.Typer) -> None:
    """Make `scan` a verb."""
    app.command("scan", epilog="Exit codes: 0 no evidence found, 1 found, 2 error, 3 inconclusive, 4 wrong usage.")(
        scan_data
    )


@reads_data
def scan_data(
    data: Data,
    model: Annotated[
        str | None,
        typer.Option(
            help="Read the features of this trained model instead of a probe's: a run folder of bezoar train, a file "
            "of weights (with --factory), or your own as package.module:name."
        ),
    ] = None,
    factory: Factory = None,
    trusted: Annotated[
        str | None,
        typer.Option(
            metavar="DATA", help="Data of the same classes that are known to be sound, for --budget thorough."
        ),
    ] = None,
    budget: Annotated[
        Budget, typer.Option(help="quick trains nothing and tries no trigger; thorough asks every detector.")
    ] = "standard",
    explain_id: Annotated[
        str | None,
        typer.Option("--explain", metavar="ID", help="Tell what is known of one sample: its id, or one end of it."),
    ] = None,
    findings: Annotated[
        Path | None,
        typer.Option(metavar="SCAN", help="With --explain: an earlier scan; otherwise the newest, or a new one."),
    ] = None,
    fail_on: Annotated[Strength, typer.Option(help="From which verdict on the exit code is 1.")] = "suspicious",
    sarif: Annotated[Path | None, typer.Option(help="Write SARIF 2.1.0 here too.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML here too.")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Neither use nor keep evidence on disk.")] = False,
    seed: Seed = 0,
    device: Device = "auto",
    out: Annotated[
        Path | None, typer.Option(help="The run folder: new, empty or an earlier scan's; ./scan or the next free.")
    ] = None,
    json: Json = False,
    *,
    reading: Reading,
) -> None:
    """Look for a backdoor in DATA, show it and prove it. The most that is ever said for data is: no evidence found."""
    if findings is not None and explain_id is None:
        raise UsageError("--findings goes with --explain", expected="--explain ID beside it")
    folder = scan_folder(out)
    require_replaceable(sarif, junit)
    if model is not None:
        require_there(model)  # raises before the data are read
    choose_device(device)  # raises for a device that is not there before the data are read
    earlier = None if findings is None else read_scan(findings)
    started = time.perf_counter()
    opened = reading.open(data)
    read = StageTime("read the data", time.perf_counter() - started)
    if earlier is not None:
        require_same_data(opened, earlier)
    elif explain_id is not None and out is None:
        earlier = newest_scan(opened)
    if explain_id is not None:
        sample_called(opened.ids, explain_id)  # raises for a name that is none before a scan is spent on it
        if earlier is not None:
            _explain(opened, earlier, explain_id, fail_on=fail_on, json=json)
        errors.print("To explain a sample of these data they are scanned first.", markup=False)
    with own_code_speaks_on_stderr():
        subject = None if model is None else _open_model(model, factory, opened)
        beside = None if trusted is None else _open_trusted(trusted, opened, reading)
    settings = ScanSettings(budget=budget, seed=seed, device=device, commands=(command_line(),))
    with new_folder(folder, own_files=SCAN_FILES):
        with own_code_speaks_on_stderr():
            record = scan(
                opened,
                settings,
                model=subject,
                trusted=beside,
                store=None if no_cache else _store(),
                listener=TerminalListener(quiet=json),
            )
        again = (data, *reading.words(), *_model_words(model, factory))
        record = _with_commands(record, clean_command(data, folder), again)
        record = replace(record, stages=(read, *record.stages))
        place = place_of(data, opened)
        page = write_scan(record, folder, fail_on=fail_on, place=place, rows=rows_of(opened), sarif=sarif, junit=junit)
    if explain_id is not None:
        errors.print(f"report: {page}", markup=False)
        _explain(opened, record, explain_id, fail_on=fail_on, json=json)
    if json:
        print_json(record)
    else:
        say_scan(record, page, data=data)
    raise typer.Exit(code_of(record, fail_on))


def _model_words(model: str | None, factory: str | None) -> tuple[str, ...]:
    """The options of a model as they are typed."""
    return (*(() if model is None else ("--model", model)), *(() if factory is None else ("--factory", factory)))


def _with_commands(record: ScanRecord, cleans: str, again: Sequence[str]) -> ScanRecord:
    """The record with the commands that clean and scan these very data, for reports that are read elsewhere.

    `again` are the words that a scan is called with: data, how they are read, and a model.
    """

    def named(remedy: str) -> str:
        if remedy.startswith("bezoar clean DATA "):
            return cleans
        return remedy.replace(" DATA ", f" {shlex.join(again)} ", 1) if remedy.startswith("bezoar scan ") else remedy

    return replace(
        record, findings=tuple(replace(one, remedies=tuple(map(named, one.remedies))) for one in record.findings)
    )


def _explain(data: Dataset, record: ScanRecord, wanted: str, *, fail_on: Strength, json: bool) -> None:
    """Say what is known of one sample, and leave with the exit code that its findings alone would have."""
    explanation = explain(data, record, wanted)
    if json:
        print_json(explanation)
    else:
        say_explanation(explanation)
    of_sample = tuple(place.strength for place in explanation.findings)
    failing = "confirmed" in of_sample or (fail_on == "suspicious" and bool(of_sample))
    quiet = record.verdict if record.verdict == "inconclusive" else "no evidence"
    raise typer.Exit(code_of(replace(record, verdict="confirmed" if failing else quiet), fail_on))


def _open_model(place: str, factory: str | None, data: Dataset) -> TrainedModel:
    """The model, opened as any stranger's is; raises ModelError where it is refused or doesn't fit the data."""
    opened = open_model_for(place, data, factory=factory)
    if not opened.differentiable:
        raise ModelError(
            f"{place} can only be asked, and a scan reads features",
            remedy="Give the weights in their network, or scan without --model",
        )
    return TrainedModel(opened.model, place)


def _open_trusted(reference: str, data: Dataset, reading: Reading) -> Dataset:
    """Trusted data: their test part where they have parts. Raises DataError where classes or shape differ.

    Folders of contributors, which nobody asks trusted data about, may be there as in the data, or not.
    """
    trusted = replace(reading, split=None, source_level=None).open_test(reference)
    if reading.source_level is not None and trusted.class_names != data.class_names:
        trusted = replace(reading, split=None).open_test(reference)
    if (trusted.class_names, trusted.shape) != (data.class_names, data.shape):
        raise DataError(
            f"the trusted data {trusted.name} don't fit the data",
            expected=_kind(data),
            found=_kind(trusted),
            remedy="Give data of the same classes in the same order and size (see --size)",
        )
    shared = len(_contents(data) & _contents(trusted))
    if shared:
        warnings.warn(
            f"{shared:,} trusted samples are among the scanned ones: what is scanned can't vouch for itself",
            BezoarWarning,
            stacklevel=2,
        )
    return trusted


def _kind(data: Dataset) -> str:
    return f"{len(data.class_names)} classes of samples {data.shape}: {', '.join(data.class_names[:8])}"


def _contents(data: Dataset) -> set[str]:
    """Hashes of the samples' content, with which ids begin."""
    return {sample_id[:16] for sample_id in data.ids}


def _store() -> Store | None:
    """Where evidence is kept; none where the folder can't be written to, which costs time and nothing else."""
    root = default_root()
    with suppress(OSError):
        root.mkdir(parents=True, exist_ok=True)
    if os.access(root, os.W_OK | os.X_OK):
        return Store(root, CACHE_LIMIT)
    warnings.warn(f"evidence is not kept: {root} can't be written to", BezoarWarning, stacklevel=2)
    return None
