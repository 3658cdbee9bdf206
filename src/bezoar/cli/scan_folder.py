"""The folder of a scan: what lies in it, how it is written, and which one belongs to the data at hand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from bezoar.cli.folders import free_folder, next_folder
from bezoar.data import Dataset
from bezoar.drill.stages import RECORD_FILE
from bezoar.errors import OutputExistsError, RecordError, UsageError
from bezoar.records import ScanRecord, from_json, to_json, write_text_atomically
from bezoar.records.scanning import Strength
from bezoar.records.versions import versions
from bezoar.report import render_junit, render_sarif, render_suspects_csv, write_report
from bezoar.report.page import REPORT_NAME
from bezoar.report.sarif_places import sample_path

SARIF_FILE, JUNIT_FILE, SUSPECTS_FILE = "scan.sarif", "junit.xml", "suspects.csv"
SCAN_FILES = frozenset((RECORD_FILE, REPORT_NAME, SARIF_FILE, JUNIT_FILE, SUSPECTS_FILE))
_SCAN = re.compile(rb'"kind":\s*"scan"')
_OWN = re.compile(rb'"name": "bezoar"|<testsuites name="bezoar scan"')


def scan_folder(out: Path | None) -> Path:
    """Where a scan goes: `out`, which must be new, empty, or an earlier scan's, or the next free ./scan."""
    if out is None:
        return next_folder(Path("scan"))
    return free_folder(out, own_files=SCAN_FILES if is_scan(out) else frozenset())


def require_replaceable(*paths: Path | None) -> None:
    """Raise where a file for another program cannot go: no folder, or something that no scan wrote is there."""
    for path in paths:
        if path is None:
            continue
        if not path.resolve().parent.is_dir():
            raise UsageError(f"the folder {path.parent} does not exist", remedy="Make it first, or give another file")
        if path.exists() and not (path.is_file() and _OWN.search(path.read_bytes()[:4096])):
            raise OutputExistsError(
                f"{path} exists and was not written by a scan", remedy="Move it away, or give another file"
            )


def write_scan(
    record: ScanRecord,
    folder: Path,
    *,
    fail_on: Strength,
    place: str,
    rows: Mapping[str, int],
    sarif: Path | None,
    junit: Path | None,
) -> Path:
    """Write the record and what is made of it into `folder`, copies to `sarif` and `junit`. Returns the page.

    `place` is where the data lie below the working folder, `rows` as in `rows_of`. The record comes first: it cost the
    most.
    """
    write_text_atomically(folder / RECORD_FILE, to_json(record) + "\n")
    write_text_atomically(folder / SUSPECTS_FILE, render_suspects_csv(record, rows))
    write_exports(record, fail_on=fail_on, place=place, sarif=folder / SARIF_FILE, junit=folder / JUNIT_FILE)
    write_exports(record, fail_on=fail_on, place=place, sarif=sarif, junit=junit)
    return write_report(record, folder)


def write_exports(record: ScanRecord, *, fail_on: Strength, place: str, sarif: Path | None, junit: Path | None) -> None:
    """Write the scan as SARIF and as JUnit XML, where wanted."""
    if sarif is not None:
        _, version = versions()[0]
        write_text_atomically(sarif, render_sarif(record, version=version, folder=place))
    if junit is not None:
        write_text_atomically(junit, render_junit(record, fail_on=fail_on))


def rows_of(data: Dataset) -> dict[str, int]:
    """By id, the place from 0 of each sample that has no file of its own, in the array or table it was read from.

    Nothing where samples were left out: those behind them would be counted wrong.
    """
    return {} if data.skipped else {one: row for row, one in enumerate(data.ids) if sample_path(one) is None}


def place_of(reference: str, data: Dataset) -> str:
    """Where the data lie below the working folder, so that SARIF names files as a repository does; else nothing.

    Of a folder with parts that is the part read; of a file that holds all samples the file itself.
    """
    path, here = Path(reference).expanduser(), Path.cwd()
    if not path.exists() or not path.resolve().is_relative_to(here):
        return ""
    first = next((found for found in map(sample_path, data.ids) if found is not None), None)
    root = path.resolve() if path.is_dir() or first is None else path.resolve().parent
    if first is not None and not (root / first).exists():
        root = next((part for part in _folders(root) if (part / first).exists()), root)
    relative = root.relative_to(here).as_posix()
    return "" if relative == "." else relative


def is_scan(place: Path) -> bool:
    """Whether a run folder or file holds the record of a scan."""
    path = _record_path(place)
    return path.is_file() and bool(_SCAN.search(path.read_bytes()))


def read_scan(place: Path) -> ScanRecord:
    """The scan record of a run folder or file. Raises UsageError when there is none, RecordError for another's."""
    path = _record_path(place)
    if not path.is_file():
        raise UsageError(f"{path} does not exist", expected="a folder of bezoar scan, or its record.json")
    text = path.read_bytes()
    if not _SCAN.search(text):
        raise RecordError(f"{path} is no record of a scan", remedy="Give a folder written by bezoar scan")
    return from_json(ScanRecord, text, origin=str(path))


def newest_scan(data: Dataset) -> ScanRecord | None:
    """The newest of ./scan, ./scan-2, ... that is a scan of these data, or None; what can't be read is passed over."""
    numbered = [path for path in _folders(Path()) if re.fullmatch(r"scan(-\d+)?", path.name)]
    written = [path for path in numbered if (path / RECORD_FILE).is_file()]
    for folder in sorted(written, key=lambda path: (path / RECORD_FILE).stat().st_mtime_ns, reverse=True):
        try:
            record = read_scan(folder)
        except RecordError:
            continue
        if record.dataset.digest == data.digest():
            return record
    return None


def _record_path(place: Path) -> Path:
    return place / RECORD_FILE if place.is_dir() else place


def _folders(path: Path) -> Iterator[Path]:
    return (entry for entry in sorted(path.iterdir()) if entry.is_dir())
