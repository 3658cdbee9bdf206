"""Results of a grid as lines of JSON, which several processes add to and none of which is lost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

from bezoar.bench.claims import alone
from bezoar.records import from_json, to_json

T = TypeVar("T")


def read_lines(folder: Path, name: str, cls: type[T]) -> tuple[T, ...]:
    """The records of the file `name`. A last line that was cut off is ignored; raises RecordError for other damage."""
    path = folder / name
    if not path.exists():
        return ()
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1].splitlines()
    return tuple(from_json(cls, line, origin=f"{path}, line {number}") for number, line in enumerate(whole, start=1))


def append_line(folder: Path, name: str, record: object) -> None:
    """Add a record to the file `name`, on the disk before this returns; it takes the place of one that was cut off."""
    with alone(folder), (folder / name).open("a+b") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.write(to_json(record, indent=None).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
