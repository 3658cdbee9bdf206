"""The index that bezoar writes into a folder: id, source and content hash of each file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from bezoar.errors import DataError, UnsafeDataError

INDEX = "bezoar-index.csv"
DESCRIPTION = "bezoar.json"
_COLUMNS = ("path", "id", "source", "content")


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One file: its id, its source if known, and the short hash of the bytes that were written."""

    path: str
    id: str
    source: str | None
    content: str


def index_text(rows: Iterable[IndexRow]) -> str:
    """The rows as CSV; an empty source means an unknown one."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(_COLUMNS)
    writer.writerows((row.path, row.id, row.source or "", row.content) for row in rows)
    return buffer.getvalue()


def read_index(path: Path) -> dict[str, IndexRow]:
    """The rows of an index by path, in order. Raises DataError when damaged, UnsafeDataError for a path that leads out.

    A file named there that exists no longer is no error: the folder is the data, the index describes it.
    """
    rows: dict[str, IndexRow] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for number, fields in enumerate(csv.DictReader(file, strict=True), start=2):
                row = _row(fields, f"{path}, row {number}")
                if row.path in rows:
                    raise _damaged(f"{path}, row {number}", f"{row.path} a second time")
                rows[row.path] = row
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise _damaged(str(path), str(error)) from error
    return rows


def _row(fields: dict[str, str], where: str) -> IndexRow:
    values = [fields.get(column) for column in _COLUMNS]
    path, sample_id, source, content = values
    if path is None or sample_id is None or source is None or content is None:
        raise _damaged(where, "a missing column")
    if ".." in PurePosixPath(path).parts or path.startswith("/") or PureWindowsPath(path).drive:
        raise UnsafeDataError(f"{where} leads outside its folder", found=path, remedy="Remove the row or the index")
    return IndexRow(path, sample_id, source or None, content)


def _damaged(where: str, found: str) -> DataError:
    return DataError(
        f"{where} is damaged",
        expected="the columns " + ", ".join(_COLUMNS),
        found=found,
        remedy="Write the data anew, or remove the index; ids and sources are then worked out anew",
    )
