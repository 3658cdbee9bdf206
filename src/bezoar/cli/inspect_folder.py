"""The folder of an inspection: what lies in it, and how it is read again."""

from __future__ import annotations

import re
from pathlib import Path

from bezoar.cli.folders import free_folder, next_folder
from bezoar.drill.stages import RECORD_FILE
from bezoar.records import from_json
from bezoar.records.inspecting import InspectionRecord
from bezoar.report.page import REPORT_NAME

INSPECTION_FILES = frozenset((RECORD_FILE, REPORT_NAME))
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


def _record_path(place: Path) -> Path:
    return place / RECORD_FILE if place.is_dir() else place
