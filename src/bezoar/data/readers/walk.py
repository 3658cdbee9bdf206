"""The files below a folder, without ever leaving it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bezoar.data.images import MAX_BYTES
from bezoar.data.names import is_junk
from bezoar.errors import BezoarError, DataError, UnreadableSampleError, UnsafeDataError

_SKIP = "Mend or remove it, or leave such samples out with --skip-bad"


@dataclass(frozen=True, slots=True)
class Found:
    """A file or folder by its path relative to the root, with / between folders; `error` says why it can't be used."""

    relative: str
    is_folder: bool = False
    error: BezoarError | None = None


def walk(root: Path) -> list[Found]:
    """All folders and files below `root`, sorted by path, hidden ones and known junk left out.

    Symbolic links are followed inside the root only: one that leads out, in a circle or nowhere is
    found with its error, as is whatever is not a regular file.
    """
    real = os.path.realpath(root)
    waiting: list[tuple[str, frozenset[str]]] = [("", frozenset([real]))]
    found: list[Found] = []
    while waiting:
        folder, chain = waiting.pop()
        for item, inside in _listed(root, real, folder, chain):
            found.append(item)
            if item.is_folder and item.error is None:
                waiting.append((item.relative, inside))
    return sorted(found, key=lambda item: item.relative.split("/"))


def read_inside(root: Path, relative: str, where: str) -> bytes:
    """Bytes of the file at `relative`. Raises UnsafeDataError when it leads outside `root` or is no regular file."""
    path = Path(root, relative)
    check_inside(root, path, where)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnsafeDataError(f"{where} is not a regular file", remedy=_SKIP)
        if status.st_size > MAX_BYTES:
            raise UnsafeDataError(
                f"{where} is too large for a picture", expected=f"at most {MAX_BYTES:,} bytes", remedy=_SKIP
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise UnreadableSampleError(f"{where} cannot be read", found=str(error), remedy=_SKIP) from error


def check_inside(root: Path, path: Path, where: str) -> None:
    """Raise UnsafeDataError when `path`, links and `..` resolved, lies outside `root`."""
    try:
        real, inside = os.path.realpath(path), os.path.realpath(root)
    except (OSError, ValueError) as error:
        raise UnsafeDataError(f"{where} is no usable path", found=str(error), remedy=_SKIP) from error
    if real != inside and not real.startswith(inside.rstrip(os.sep) + os.sep):
        raise _outside(where, real)


def _listed(root: Path, real: str, folder: str, chain: frozenset[str]) -> Iterator[tuple[Found, frozenset[str]]]:
    place = Path(root, folder)
    try:
        with os.scandir(place) as listing:
            entries = list(listing)
    except OSError as error:
        raise DataError(
            f"the folder {place} cannot be listed", found=str(error), remedy="Check its permissions"
        ) from error
    for entry in entries:
        if not is_junk(entry.name):
            yield _examined(entry, f"{folder}/{entry.name}" if folder else entry.name, real, chain)


def _examined(entry: os.DirEntry[str], relative: str, root: str, chain: frozenset[str]) -> tuple[Found, frozenset[str]]:
    try:
        relative.encode("utf-8")
    except UnicodeEncodeError:
        shown = relative.encode("utf-8", "backslashreplace").decode()
        named = UnreadableSampleError(f"{shown}: the name is not valid UTF-8", remedy="Rename it")
        return Found(shown, error=named), chain
    if not entry.is_symlink():
        if entry.is_dir() or entry.is_file():
            return Found(relative, is_folder=entry.is_dir()), chain
        return Found(relative, error=UnsafeDataError(f"{entry.path} is not a regular file", remedy=_SKIP)), chain
    target = os.path.realpath(entry.path)
    if target != root and not target.startswith(root.rstrip(os.sep) + os.sep):
        return Found(relative, error=_outside(entry.path, target)), chain
    if entry.is_dir():
        parent = os.path.realpath(Path(entry.path).parent)
        if target in chain or parent == target or parent.startswith(target + os.sep):
            circle = UnsafeDataError(
                f"the link {entry.path} leads in a circle", found=target, remedy="Remove the link, or use --skip-bad"
            )
            return Found(relative, error=circle), chain
        return Found(relative, is_folder=True), chain | {target}
    if entry.is_file():
        return Found(relative), chain
    broken = UnreadableSampleError(f"the link {entry.path} leads nowhere", found=target, remedy=_SKIP)
    return Found(relative, error=broken), chain


def _outside(where: str, target: str) -> UnsafeDataError:
    return UnsafeDataError(
        f"{where} leads outside its folder",
        found=target,
        remedy="Copy what it means into the folder, or leave such samples out with --skip-bad",
    )
