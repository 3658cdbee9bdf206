"""`bezoar repair`: a model without its backdoor, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from bezoar.cli.codes import code_of_repair
from bezoar.cli.console import TerminalListener, command_line, own_code_speaks_on_stderr, print_json
from bezoar.cli.folders import free_folder, new_folder, next_folder
from bezoar.cli.inspect_folder import is_inspection
from bezoar.cli.options import Device, Factory, Json, Reading, Seed, reads_data, values_of_the_call
from bezoar.cli.repair_findings import Inspected, read_findings, suspected_by
from bezoar.cli.repair_folder import is_repair, read_turned, write_repair
from bezoar.cli.repair_words import say_repair
from bezoar.cli.scan_folder import read_scan, rows_of
from bezoar.data import Dataset
from bezoar.drill.bars import calibrated_bars
from bezoar.drill.subject import training_recipe
from bezoar.errors import ModelError, RecordError, UsageError
from bezoar.records import ScanRecord
from bezoar.records.repairing import TurnedSamples
from bezoar.repair import REPAIRS, Given
from bezoar.repair.auto import Auto, choice_of
from bezoar.repair.settings import Patient, RepairSettings
from bezoar.repair.story import repair_model
from bezoar.scan.clean import require_same_data
from bezoar.training.opening import OpenedModel, open_model_for
from bezoar.training.precision import choose_device
from bezoar.triggers import TRIGGERS, Trigger

METHODS = (
    "Methods: auto, "
    + ", ".join(REPAIRS.names())
    + ". Exit codes: 0 nothing found any more, 1 the backdoor still works or signs of one are left, 2 error, "
    "3 could not be told, 4 wrong usage."
)


def add_to(app: typer.Typer) -> None:
    """Make `repair` a verb."""
    app.command("repair", epilog=METHODS)(repair)


@dataclass(frozen=True)
class _Asked:
    """What of the call can be understood before anything is read."""

    auto: Auto
    trigger: Trigger | None
    suspects: ScanRecord | TurnedSamples | None
    inspection: Inspected | None


@reads_data
def repair(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A run folder of bezoar train, a .safetensors file, a checkpoint, or your own as package.module:name.",
        ),
    ],
    clean: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Clean samples that you trust: three of four to learn from, one to judge."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="What the model was trained on; auto tells what of it is poisoned."),
    ] = None,
    suspects: Annotated[
        Path | None,
        typer.Option(
            metavar="SCAN", help="A folder of bezoar scan on --data, or of a repair that turned some of them."
        ),
    ] = None,
    findings: Annotated[
        Path | None,
        typer.Option(
            metavar="INSPECTION", help="A folder of bezoar inspect on MODEL: its trigger is taken, not sought."
        ),
    ] = None,
    trigger: Annotated[
        str | None, typer.Option(metavar="SPEC", help="A trigger that you know or suppose, as patch:size=5,color=cyan.")
    ] = None,
    target: Annotated[str | None, typer.Option(metavar="CLASS", help="The class that the trigger leads to.")] = None,
    method: Annotated[
        str, typer.Option(metavar="SPEC", help="auto, or one method with its fields, as ft-sam:epochs=10.")
    ] = "auto",
    factory: Factory = None,
    seed: Seed = 0,
    device: Device = "auto",
    out: Annotated[
        Path | None, typer.Option(help="The run folder of the repaired model; ./repaired or the next free.")
    ] = None,
    json: Json = False,
    *,
    reading: Reading,
) -> None:
    """Take a backdoor out of MODEL, and look whether it is gone: on held-out samples, by a search, by relearning.

    The most that is ever said for a model is: nothing was found any more.
    """
    folder = next_folder(Path("repaired")) if out is None else free_folder(out)
    asked = _asked(model, method, data, suspects, findings, trigger, target, clean)
    choose_device(device)  # raises for a device that is not there before the data are read
    trusted = None if clean is None else _open_clean(clean, reading, beside=data is not None)
    training = None if data is None else reading.open(data)
    flagged = _suspects(asked.suspects, training)
    known = trusted if trusted is not None else training
    with own_code_speaks_on_stderr(), new_folder(folder), TerminalListener(quiet=json).bars() as works:
        opened = _open(model, factory, known)
        found = None if asked.inspection is None or known is None else suspected_by(asked.inspection, opened, known)
        aimed = target if asked.inspection is None else asked.inspection.finding.target
        given = Given(
            trusted=trusted,
            training=training,
            suspects=flagged,
            trigger=asked.trigger,
            target=None if aimed is None or known is None else known.class_index(aimed),
            recipe=training_recipe(model, opened),
        )
        settings = RepairSettings(asked.auto, calibrated_bars(), method, seed, device, trigger or "", (command_line(),))
        patient = _patient(opened, known, () if asked.inspection is None else asked.inspection.notes)
        finder = None if found is None else lambda: found
        cured = repair_model(
            patient, given, settings, finder=finder, listener=TerminalListener(quiet=json), progress=works
        )
        rows = None if training is None else rows_of(training)
        page = write_repair(cured.model, opened.card, cured.record, folder, rows=rows)
    if json:
        print_json(cured.record)
    else:
        say_repair(cured.record, page)
    raise typer.Exit(code_of_repair(cured.record))


def _asked(
    model: str,
    method: str,
    data: str | None,
    suspects: Path | None,
    findings: Path | None,
    trigger: str | None,
    target: str | None,
    clean: str | None,
) -> _Asked:
    """Raises for every slip of the pen: it shall not cost minutes."""
    if Path(model).suffix.casefold() == ".onnx":
        raise ModelError(
            f"{model} can't be repaired: through an ONNX file no gradients go, and it is no network to learn on",
            expected="the weights in the network they were trained in",
            remedy="Save its weights as safetensors where it was trained, and name the network with --factory",
        )
    if suspects is not None and data is None:
        raise UsageError("--suspects are of training data", expected="--data beside it, the data that were scanned")
    _require_data_of_classes(findings, trigger, target, beside=clean is not None or data is not None)
    suspected = None if suspects is None else _read_suspects(suspects)
    inspection = None if findings is None else read_findings(findings, target)
    with values_of_the_call():
        supposed = None if trigger is None else TRIGGERS.create(trigger)
        return _Asked(choice_of(method), supposed, suspected, inspection)


def _require_data_of_classes(findings: Path | None, trigger: str | None, target: str | None, *, beside: bool) -> None:
    """Raise UsageError where trigger, target and findings do not go together, or lack data with their classes."""
    if findings is not None and trigger is not None:
        raise UsageError("both --findings and --trigger name a trigger", expected="one of them")
    if findings is not None and not beside:
        raise UsageError("--findings name a class of data", expected="--clean DATA beside it")
    if trigger is not None and target is None:
        raise UsageError("where does the trigger lead?", expected="--target CLASS beside --trigger")
    if target is not None and not beside:
        raise UsageError("--target names a class of data", expected="--clean DATA beside it")


def _read_suspects(place: Path) -> ScanRecord | TurnedSamples:
    """The scan or repair in a folder or file. Raises UsageError where there is none, or it suspects nobody."""
    if is_inspection(place):
        raise RecordError(f"{place} is an inspection of a model, not a scan of data", remedy="Give it as --findings")
    if is_repair(place):
        return read_turned(place)
    scan = read_scan(place)
    if not any(one.suspects for one in scan.findings):
        raise UsageError(
            "the scan suspects nobody",
            expected="a scan with findings",
            found=scan.verdict,
            remedy="Leave --suspects out",
        )
    return scan


def _open_clean(reference: str, reading: Reading, *, beside: bool) -> Dataset:
    """Trusted samples: the test part where they have parts. With --data beside, --split is of those."""
    return (replace(reading, split=None, source_level=None) if beside else reading).open_test(reference)


def _suspects(known: ScanRecord | TurnedSamples | None, training: Dataset | None) -> frozenset[str]:
    """Ids of all suspects. Raises DataError where a scan was of other data."""
    if known is None or training is None:
        return frozenset()
    if isinstance(known, TurnedSamples):
        return frozenset(known.ids)
    require_same_data(training, known)
    return known.suspect_ids


def _open(place: str, factory: str | None, known: Dataset | None) -> OpenedModel:
    opened = open_model_for(place, known, factory=factory)
    if not opened.differentiable:
        raise ModelError(f"{place} can only be asked, not changed", remedy="Give the weights in their network")
    return opened


def _patient(opened: OpenedModel, known: Dataset | None, notes: tuple[str, ...]) -> Patient:
    names = known.class_names if known is not None else opened.card.class_names if opened.card is not None else ()
    return Patient(opened.model, opened.name, opened.kind, names, (*opened.notes, *notes))
