"""The folder of an inspection: record, page and the triggers it recovered; and how they are read again."""

from __future__ import annotations

import json
import re
from pathlib import Path

from bezoar.cli.folders import free_folder, next_folder
from bezoar.confirm.recover.inverted import kept, rebuilt
from bezoar.confirm.recover.recovered import Recovered
from bezoar.drill.stages import RECORD_FILE
from bezoar.errors import ModelError, RecordError
from bezoar.inspection import Inspected
from bezoar.records import from_json
from bezoar.records.inspecting import InspectionRecord
from bezoar.report.page import REPORT_NAME
from bezoar.training.saved import load_tensors, save_tensors

TRIGGERS_FILE = "triggers.safetensors"
TRIGGERS_FORMAT = "bezoar-triggers-1"
INSPECTION_FILES = frozenset((RECORD_FILE, REPORT_NAME, TRIGGERS_FILE))
_INSPECTION = re.compile(rb'"kind":\s*"inspection"')


def inspection_folder(out: Path | None) -> Path:
    """Where an inspection goes: `out`, which must be new, empty, or an earlier one's, or the next free ./inspection."""
    if out is None:
        return next_folder(Path("inspection"))
    return free_folder(out, own_files=INSPECTION_FILES if is_inspection(out) else frozenset())


def is_inspection(place: Path) -> bool:
    """Whether a run folder or file holds the record of an inspection."""
    path = _record_path(place)
    return path.is_file() and _INSPECTION.search(path.read_bytes()) is not None


def read_inspection(place: Path) -> InspectionRecord:
    """The record of a run folder or file that `is_inspection`. Raises RecordError for a damaged one."""
    path = _record_path(place)
    return from_json(InspectionRecord, path.read_bytes(), origin=str(path))


def write_triggers(inspected: Inspected, folder: Path) -> None:
    """Write the triggers of the findings as tensors, by the place of their finding; nothing where there is none.

    An earlier inspection's go. Nothing of it is executed when it is read.
    """
    (folder / TRIGGERS_FILE).unlink(missing_ok=True)
    parts = {place: kept(one) for place, one in enumerate(inspected.triggers) if one is not None}
    found = {place: part for place, part in parts.items() if part is not None}
    if not found:
        return
    tensors = {
        f"{place}.{name}": tensor.contiguous()
        for place, (_, parameters) in found.items()
        for name, tensor in parameters.items()
    }
    forms = {str(place): form for place, (form, _) in found.items()}
    metadata = {"format": TRIGGERS_FORMAT, "forms": json.dumps(forms), "weights": inspected.record.weights}
    save_tensors(tensors, metadata, folder / TRIGGERS_FILE)


def read_trigger(place: Path, record: InspectionRecord, finding: int, shape: tuple[int, ...]) -> Recovered | None:
    """The trigger of the finding at this place, for images of `shape`; None where none was kept.

    Raises RecordError where the file of triggers is damaged, of another model than the record, or does not fit.
    """
    path = (place if place.is_dir() else place.parent) / TRIGGERS_FILE
    if not path.is_file():
        return None
    try:
        tensors, metadata = load_tensors(path, TRIGGERS_FORMAT)
        forms = json.loads(metadata["forms"])
    except (ModelError, KeyError, ValueError) as error:
        raise RecordError(f"{path} cannot be read", found=str(error), remedy="Inspect the model again") from error
    if metadata.get("weights") != record.weights:
        raise RecordError(f"{path} belongs to another model than the record beside it", remedy="Inspect it again")
    if str(finding) not in forms:
        return None
    beginning = f"{finding}."
    own = {name.removeprefix(beginning): one for name, one in tensors.items() if name.startswith(beginning)}
    return rebuilt(str(forms[str(finding)]), own, shape)


def _record_path(place: Path) -> Path:
    return place / RECORD_FILE if place.is_dir() else place
