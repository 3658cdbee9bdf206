"""Records to JSON and back, and files written whole or not at all."""

from __future__ import annotations

import dataclasses
import math
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json as parse_json

from bezoar.errors import RecordError
from bezoar.records.results import SCHEMA_VERSION

T = TypeVar("T")


def to_json(record: object, *, indent: int | None = 2) -> str:
    """A record as JSON text that `from_json` reads back as an equal record.

    Raises ValueError naming the field on NaN or infinity, for which JSON has no word (use Skipped
    instead), on text that UTF-8 cannot hold, and on a value of another type than the field's.
    """
    _check_values(record, type(record).__name__)
    return TypeAdapter(type(record)).dump_json(record, indent=indent, warnings="error").decode()


def from_json(cls: type[T], text: str | bytes, *, origin: str = "the record") -> T:
    """Read a record of type `cls` from JSON. Raises RecordError naming `origin` and the first fault."""
    # A lone surrogate becomes bytes that are no UTF-8, which both parsers refuse in words.
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    _check_version(cls, content, origin)
    try:
        record = TypeAdapter(cls).validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the top level"
        raise _unreadable(cls, origin, f"{first['msg']} at {place}") from error
    try:
        _check_values(record, cls.__name__)
    except ValueError as error:
        raise _unreadable(cls, origin, str(error)) from error
    return record


def write_text_atomically(path: Path, text: str) -> None:
    """Write a UTF-8 file whole or not at all: a temporary sibling, synced, then renamed over `path`.

    The folder must exist. Raises OSError, or ValueError on text that UTF-8 cannot hold; either
    leaves a file that was there as it was.
    """
    content = text.encode("utf-8")
    temporary = path.parent / f".{secrets.token_hex(8)}.tmp"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _check_values(value: object, place: str) -> None:
    """Raise ValueError naming the field that holds what JSON cannot."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place} is {value}; a record holds finite numbers only. Use Skipped(reason) instead.")
    if isinstance(value, str) and not _is_utf8(value):
        raise ValueError(f"{place} is {value!r}, which UTF-8 cannot hold. Replace its lone surrogates.")
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            _check_values(getattr(value, field.name), f"{place}.{field.name}")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _check_values(key, f"a key of {place}")
            _check_values(item, f"{place}[{key!r}]")
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            _check_values(item, f"{place}[{position}]")


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _check_version(cls: type, text: bytes, origin: str) -> None:
    """Raise RecordError when a record that carries a schema version carries another than ours, or none."""
    if not (dataclasses.is_dataclass(cls) and "schema_version" in {field.name for field in dataclasses.fields(cls)}):
        return
    try:
        content = parse_json(text)
    except ValueError as error:
        raise _unreadable(cls, origin, str(error)) from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if type(version) is int and version == SCHEMA_VERSION:
        return
    newer = type(version) is int and version > SCHEMA_VERSION
    raise RecordError(
        f"{origin} has an unknown schema version",
        expected=str(SCHEMA_VERSION),
        found="none" if version is None else repr(version)[:40],
        remedy="Read it with a newer bezoar" if newer else "Write it anew by running the command that made it",
    )


def _unreadable(cls: type, origin: str, found: str) -> RecordError:
    return RecordError(
        f"{origin} is not a {cls.__name__} of schema version {SCHEMA_VERSION}",
        found=found,
        remedy="Give the record.json of a run folder written by this version of bezoar",
    )
