"""The folder of a repair: the repaired model, its record and its page; and a repair read back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from bezoar.drill.stages import RECORD_FILE
from bezoar.errors import RecordError, UsageError
from bezoar.records import RepairRecord, from_json, to_json, write_text_atomically
from bezoar.records.repairing import TurnedSamples
from bezoar.report import write_report
from bezoar.report.page import REPORT_NAME
from bezoar.report.suspects_csv import render_turned_csv
from bezoar.training.saved import MODEL_FILE, ModelCard, save_model

TURNED_FILE = "turned.csv"
REPAIR_FILES = (MODEL_FILE, RECORD_FILE, REPORT_NAME, TURNED_FILE)
_REPAIR = re.compile(rb'"kind":\s*"repair"')


def write_repair(
    model: nn.Module,
    card: ModelCard | None,
    record: RepairRecord,
    folder: Path,
    *,
    rows: Mapping[str, int] | None = None,
) -> Path:
    """Write model, record and page into `folder`, all of them or none. Returns the page.

    Training samples that a repair turned are listed beside them, with their `rows` as in `rows_of`. A model whose
    architecture bezoar knows gets its card, so that every verb opens it; of another the weights alone are written, by
    the names that its own network gives them.
    """
    try:
        if card is None:
            _save_weights(model, folder / MODEL_FILE)
        else:
            save_model(model, card, folder / MODEL_FILE)
        write_text_atomically(folder / RECORD_FILE, to_json(record) + "\n")
        if record.turned is not None:
            write_text_atomically(folder / TURNED_FILE, render_turned_csv(record.turned, rows))
        return write_report(record, folder)
    except BaseException:
        for name in REPAIR_FILES:
            (folder / name).unlink(missing_ok=True)
        raise


def _save_weights(model: nn.Module, path: Path) -> None:
    # Clones, because safetensors refuses tensors that share memory, as tied weights do.
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    temporary = path.with_name(f".{path.name}.partial")
    try:
        save_file(tensors, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def is_repair(place: Path) -> bool:
    """Whether a run folder or file holds the record of a repair."""
    path = _record_path(place)
    return path.is_file() and bool(_REPAIR.search(path.read_bytes()))


def read_repair(place: Path) -> RepairRecord:
    """The repair record of a run folder or file. Raises UsageError when there is none, RecordError for another's."""
    path = _record_path(place)
    if not path.is_file():
        raise UsageError(f"{path} does not exist", expected="a folder of bezoar repair, or its record.json")
    text = path.read_bytes()
    if not _REPAIR.search(text):
        raise RecordError(f"{path} is no record of a repair", remedy="Give a folder written by bezoar repair")
    return from_json(RepairRecord, text, origin=str(path))


def read_turned(place: Path) -> TurnedSamples:
    """The training samples that the repair of a run folder or file turned. Raises UsageError where it turned none."""
    turned = read_repair(place).turned
    if turned is None:
        raise UsageError(
            "the repair turned no training samples",
            expected="a repair with turned.csv, or a scan with findings",
            remedy="Scan the data: bezoar scan DATA",
        )
    return turned


def _record_path(place: Path) -> Path:
    return place / RECORD_FILE if place.is_dir() else place
