"""New files and folders that appear whole or not at all, and never over anything."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bezoar.errors import DataError, OutputExistsError


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A temporary sibling to write to; it becomes `path` at the end. Raises OutputExistsError when that exists."""
    check_file(path)
    _make_parent(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".partial", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        _place_file(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary sibling folder to fill; it becomes `path` at the end. An empty folder may be there already."""
    check_folder(path)
    _make_parent(path)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name[:40]}.", suffix=".partial", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        check_folder(path)
        if path.is_dir():
            path.rmdir()
        temporary.rename(path)
    except OSError as error:
        if path.exists() and any(path.iterdir()):  # something came into being meanwhile
            raise _exists(path) from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _place_file(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)  # unlike rename, this never replaces anything
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError:  # a file system without hard links
        check_file(path)
        temporary.rename(path)


def check_file(path: Path) -> None:
    """Raise OutputExistsError when something is at `path` already."""
    if os.path.lexists(path):
        raise _exists(path)


def check_folder(path: Path) -> None:
    """Raise OutputExistsError when something other than an empty folder is at `path` already."""
    if os.path.lexists(path) and (not path.is_dir() or path.is_symlink() or any(path.iterdir())):
        raise _exists(path)


def _make_parent(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"the folder {path.parent} cannot be made", found=str(error), remedy="Choose another place"
        ) from error


def _exists(path: Path) -> OutputExistsError:
    what = "is a folder that is not empty" if path.is_dir() and not path.is_symlink() else "exists already"
    return OutputExistsError(f"{path} {what}", remedy="Choose another place, or move it away; nothing was overwritten")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
