"""Evidence on disk, kept by what it was made of: a second detector, or a second scan, finds it there.

An entry is a folder named by its key, of plain .npy files and one manifest; nothing in it is ever unpickled. It is made
beside its place and moved there when whole; one process makes it while the others wait.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from filelock import FileLock, Timeout

from bezoar.errors import UsageError
from bezoar.evidence.sheets import SheetRecord, Writer, check_of, file_name

FORMAT = 1
MANIFEST = "manifest.json"
_KEY_DIGITS = 64

Make: TypeAlias = Callable[[Writer], None]
"""Allocates arrays and fills them."""


class Entry(Mapping[str, np.memmap]):
    """Read-only memory maps by name, in the order in which they were allocated.

    `clipped` counts, by name, the values that were clipped to the range of their dtype; `made` says whether they were
    made by this call rather than found.
    """

    def __init__(self, key: str, maps: Mapping[str, np.memmap], clipped: Mapping[str, int], *, made: bool) -> None:
        self.key, self.clipped, self.made = key, dict(clipped), made
        self._maps = dict(maps)

    def __getitem__(self, name: str) -> np.memmap:
        return self._maps[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._maps)

    def __len__(self) -> int:
        return len(self._maps)

    def __repr__(self) -> str:
        return f"<Entry {self.key[:12]}: {', '.join(self._maps)}>"


@dataclass(frozen=True)
class Store:
    """A folder of entries. `limit` in bytes: above it, those used least recently are removed whenever one is made.

    The entry just made stays, however large. On POSIX an entry that is removed while some process reads it lives on
    until that process lets go of its maps.
    """

    root: Path
    limit: int | None = None

    def get_or_make(self, key_parts: Mapping[str, object], make: Make) -> Entry:
        """The arrays that belong to `key_parts`: found here, or made by `make` and kept.

        `key_parts` holds everything that changes the result (digest of the data, specification and version of what
        gathers, seed, ...), as text, numbers, booleans, None, and lists and mappings of those. A damaged entry is made
        anew; see `check_of` for what is noticed. If `make` fails, nothing is left. Waits while another process makes
        the same entry; `make` itself must not ask for it. Raises UsageError on parts that are not plain, and what
        `Writer` and `make` raise.
        """
        key = key_of(key_parts)
        self.root.mkdir(parents=True, exist_ok=True)
        with FileLock(self._lock(key)):
            found = self._found(key)
            if found is None:
                self._make(key, key_parts, make)
                found = self._found(key, made=True)
            assert found is not None  # whole a moment ago, and locked since
        if found.made:
            self._tidy(key)
        return found

    def size(self) -> int:
        """Bytes of all entries."""
        return sum(_size(folder) for folder in self._entries())

    def _found(self, key: str, *, made: bool = False) -> Entry | None:
        folder = self.root / key
        try:
            records = _records(folder, key)
            maps = {record.name: _opened(folder / file_name(n), record) for n, record in enumerate(records)}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError):
            return None
        with suppress(OSError):  # a read-only store is of use too
            os.utime(folder / MANIFEST)
        return Entry(key, maps, {record.name: record.clipped for record in records}, made=made)

    def _make(self, key: str, parts: Mapping[str, object], make: Make) -> None:
        part = self._part(key)
        shutil.rmtree(part, ignore_errors=True)  # of a process that was killed, or it would hold the lock
        part.mkdir()
        writer = Writer(part)
        try:
            make(writer)
            _write_manifest(part / MANIFEST, key, parts, writer.finish())
            _discard(self.root / key)
            part.rename(self.root / key)
        finally:
            writer.close()
            shutil.rmtree(part, ignore_errors=True)

    def _tidy(self, newest: str) -> None:
        """Remove what killed processes left, and entries above the limit; never one that some process has locked."""
        for part in self.root.glob("*.part"):
            with self._if_free(part.stem) as free:
                if free:
                    shutil.rmtree(part, ignore_errors=True)
        if self.limit is None:
            return
        total = self.size()
        for folder in sorted(self._entries(), key=_last_used):
            if total <= self.limit:
                return
            if folder.name != newest:
                total -= self._remove(folder)

    def _remove(self, folder: Path) -> int:
        """Bytes freed."""
        size = _size(folder)
        with self._if_free(folder.name) as free:
            if not free:
                return 0
            try:
                folder.rename(self._part(folder.name))  # so that no half of it is ever found
            except OSError:  # some systems keep a folder whose files are open
                return 0
            shutil.rmtree(self._part(folder.name), ignore_errors=True)
        return size

    @contextmanager
    def _if_free(self, key: str) -> Iterator[bool]:
        lock = FileLock(self._lock(key))
        try:
            lock.acquire(blocking=False)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def _entries(self) -> list[Path]:
        return [path for path in self.root.iterdir() if len(path.name) == _KEY_DIGITS and path.is_dir()]

    def _lock(self, key: str) -> Path:
        return self.root / f"{key}.lock"

    def _part(self, key: str) -> Path:
        return self.root / f"{key}.part"


def key_of(parts: Mapping[str, object]) -> str:
    """SHA-256, as 64 hexadecimal digits, of parts in any order; a tuple counts as a list. Raises as `get_or_make`."""
    return _digest({"format": FORMAT, "parts": _plain(parts, "key_parts")})


def default_root() -> Path:
    """Where evidence is kept: evidence/ in BEZOAR_CACHE, else in bezoar/ in XDG_CACHE_HOME, else in ~/.cache/bezoar."""
    if own := os.environ.get("BEZOAR_CACHE"):
        return Path(own).expanduser() / "evidence"
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # A relative one is to be ignored, says the specification of these folders.
    return (given if given.is_absolute() else Path.home() / ".cache") / "bezoar" / "evidence"


def _plain(value: object, where: str) -> object:
    """The same of JSON's types. Numbers of one value and two types stay different."""
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return {name: _plain(part, f"{where}[{name!r}]") for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, f"{where}[{number}]") for number, part in enumerate(value)]
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise UsageError(
        f"{where} cannot be part of a key",
        expected="text, a finite number, a boolean, None, or a list or mapping by text of those",
        found=f"{value!r:.60} ({type(value).__name__})",
        remedy="Convert it, for instance by int(), str() or a digest",
    )


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _write_manifest(path: Path, key: str, parts: Mapping[str, object], records: tuple[SheetRecord, ...]) -> None:
    arrays = [asdict(record) for record in records]
    content = {"format": FORMAT, "key": key, "parts": _plain(parts, "key_parts"), "arrays": arrays}
    with path.open("w", encoding="utf-8") as file:
        json.dump(content | {"digest": _digest(content)}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _records(folder: Path, key: str) -> tuple[SheetRecord, ...]:
    """What the manifest says. Raises ValueError, KeyError or TypeError where it is damaged."""
    content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    digest = content.pop("digest")
    if content["key"] != key or digest != _digest(content):
        raise ValueError
    return tuple(SheetRecord(**array | {"shape": tuple(array["shape"])}) for array in content["arrays"])


def _opened(path: Path, record: SheetRecord) -> np.memmap:
    """A read-only map. Raises ValueError where it is not what the record says."""
    if check_of(path) != record.check:
        raise ValueError
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(mapped, np.memmap) or mapped.shape != record.shape or mapped.dtype.str != record.dtype:
        raise ValueError
    return mapped


def _discard(path: Path) -> None:
    """Remove a damaged entry, whatever lies in its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _last_used(folder: Path) -> int:
    manifest = folder / MANIFEST
    return manifest.stat().st_mtime_ns if manifest.exists() else 0
