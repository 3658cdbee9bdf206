"""Figures of references on disk, so that no reference is asked twice, and an interrupted gathering goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bezoar.errors import RecordError
from bezoar.evidence.store import default_root, key_of
from bezoar.records import from_json, to_json, write_text_atomically

FORMAT = 3
"""To be raised whenever a detector of models gives other figures than before."""
_BLOCK = 2**20


@dataclass(frozen=True)
class Figures:
    """What one detector says of the classes of one model, in their order; `key` says by what settings."""

    key: str
    detector: str
    classes: tuple[float, ...]


@dataclass(frozen=True)
class ReferenceCache:
    """A folder of small JSON files, one for each model, detector and settings."""

    root: Path

    def find(self, parts: Mapping[str, object], classes: int) -> Figures | None:
        """The figures kept under these settings; None where there are none, or the file is damaged."""
        key = key_of(parts)
        path = self._path(key)
        try:
            found = from_json(Figures, path.read_bytes(), origin=str(path))
        except (OSError, RecordError):
            return None
        fits = found.key == key and len(found.classes) == classes and bool(np.isfinite(found.classes).all())
        return found if fits else None

    def keep(self, parts: Mapping[str, object], detector: str, classes: tuple[float, ...]) -> bool:
        """Keep figures, whole or not at all. False where the folder can't be written: they are of use without it."""
        key = key_of(parts)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            write_text_atomically(self._path(key), to_json(Figures(key, detector, classes)) + "\n")
        except OSError:
            return False
        return True

    def _path(self, key: str) -> Path:
        return self.root / f"{key}.json"


def reference_root() -> Path:
    """references/ beside the evidence: in BEZOAR_CACHE, else in the user's cache folder."""
    return default_root().parent / "references"


def file_digest(path: Path) -> str:
    """SHA-256 of a file. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
