"""What bezoar writes beside the samples in every format: name, class names, the drill mark."""

from __future__ import annotations

import json
from dataclasses import dataclass

from bezoar.data.dataset import Dataset
from bezoar.data.mark import DrillMark, read_mark
from bezoar.errors import DataError

FORMAT = "bezoar-data"
VERSION = 1


@dataclass(frozen=True)
class Metadata:
    """Metadata of a written data set; `folders` names the folder of each class, in the folder layout only."""

    name: str
    class_names: tuple[str, ...]
    mark: DrillMark | None = None
    folders: tuple[str, ...] | None = None

    def to_text(self) -> str:
        """One JSON object, the same bytes for the same metadata."""
        fields: dict[str, object] = {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "class_names": self.class_names,
            "mark": None if self.mark is None else self.mark.to_text(),
        }
        if self.folders is not None:
            fields["folders"] = self.folders
        return json.dumps(fields, indent=1, sort_keys=True)


def metadata_of(dataset: Dataset, folders: tuple[str, ...] | None = None) -> Metadata:
    """The metadata of a data set."""
    return Metadata(dataset.name, dataset.class_names, dataset.mark, folders)


def read_metadata(text: str | bytes, where: str) -> Metadata:
    """Read metadata from their text. Raises DataError, naming `where`, when damaged or of a newer format."""
    try:
        fields = json.loads(text)
        version, kind = fields["version"], fields["format"]
        if kind != FORMAT or not isinstance(version, int):
            raise ValueError(f"format {kind!r}")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(where, error) from error
    if version > VERSION:
        raise DataError(
            f"{where} was written by a newer bezoar",
            expected=f"format version {VERSION} at most",
            found=str(version),
            remedy="Update bezoar",
        )
    try:
        return _metadata(fields)
    except (KeyError, TypeError) as error:
        raise _damaged(where, error) from error


def _metadata(fields: dict[str, object]) -> Metadata:
    mark = fields["mark"]
    folders = None if fields.get("folders") is None else _texts(fields["folders"])
    names = _texts(fields["class_names"])
    if folders is not None and len(folders) != len(names):
        raise TypeError("folders and class_names differ in length")
    return Metadata(str(fields["name"]), names, None if mark is None else read_mark(str(mark)), folders)


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError("not a list of texts")
    return tuple(value)


def _damaged(where: str, error: Exception) -> DataError:
    return DataError(
        f"{where} holds damaged metadata",
        expected="the JSON object that bezoar wrote",
        found=str(error)[:80],
        remedy="Write the data anew, or get them anew from their origin; they may carry a drill mark",
    )
