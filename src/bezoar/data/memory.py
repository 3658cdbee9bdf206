"""Room for images: in RAM, or in a memory-mapped scratch file when they are too large for it."""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bezoar.errors import DataError, ShapeError, UsageError

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_DISK_MARGIN = 64 * 2**20


def physical_memory() -> int:
    """Bytes of memory this process may hope for: of the machine, or of its container when that is less."""
    limits = [_machine_memory()]
    for path in _CGROUP_LIMITS:
        try:
            limits.append(int(path.read_text()))
        except (OSError, ValueError):
            continue
    return min(limits)


def allocate(n: int, c: int, h: int, w: int, *, memory_share: float = 0.25) -> Tensor:
    """An uninitialised uint8 tensor (n, c, h, w), held channels-last.

    In RAM, or, when larger than `memory_share` of physical memory, in a scratch file that has no name
    any more and vanishes with the tensor. The file lies in BEZOAR_CACHE, else in the temporary folder.
    Raises DataError when there is no room for it.
    """
    if min(n, c, h, w) < 1:
        raise ShapeError("no memory can be set aside for images of no size", found=f"{n} x {c} x {h} x {w}")
    flat = allocate_bytes(n * c * h * w, memory_share=memory_share)
    return torch.from_numpy(flat).view(n, h, w, c).permute(0, 3, 1, 2)


def allocate_bytes(size: int, *, memory_share: float = 0.25) -> np.ndarray:
    """`size` uninitialised bytes as a flat uint8 array, by the rule of `allocate`."""
    if size > memory_share * physical_memory():
        return _scratch(size)
    try:
        return np.empty(size, dtype=np.uint8)
    except MemoryError as error:
        raise DataError(
            f"no memory for {size:,} bytes of images",
            remedy="Give a smaller memory_share, so that they go to a file, or a smaller size",
        ) from error


def chunks(rows: int, row_bytes: int, *, budget: int = 1 << 24) -> Iterator[slice]:
    """Slices of rows of about `budget` bytes (16 MiB), so that copies stay small."""
    step = max(1, budget // max(1, row_bytes))
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def scratch_folder() -> Path:
    """Where scratch files go: BEZOAR_CACHE, else the temporary folder. Raises UsageError where that is no folder."""
    cache = os.environ.get("BEZOAR_CACHE")
    if not cache:
        return Path(tempfile.gettempdir())
    folder = Path(cache).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            "BEZOAR_CACHE names no folder",
            expected="a folder, or a place where one can be made",
            found=f"{folder}: {error.strerror}",
            remedy="Set it to another place, or unset it",
        ) from error
    return folder


def _scratch(size: int) -> np.ndarray:
    folder = scratch_folder()
    free = shutil.disk_usage(folder).free
    if free < size + _DISK_MARGIN:
        raise _no_room(folder, size, free)
    handle, name = tempfile.mkstemp(prefix="bezoar-", suffix=".scratch", dir=folder)
    try:
        _reserve(handle, size, folder)
        mapped = mmap.mmap(handle, size)
    finally:
        os.close(handle)
        removed = _removed(name)
    if not removed:
        weakref.finalize(mapped, _removed, name)
    return np.frombuffer(mapped, dtype=np.uint8)


def _reserve(handle: int, size: int, folder: Path) -> None:
    # Blocks are reserved now: a write to a full disk through a mapping would kill the process.
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle, 0, size)
        else:
            os.truncate(handle, size)
    except OSError as error:
        raise _no_room(folder, size, shutil.disk_usage(folder).free) from error


def _no_room(folder: Path, size: int, free: int) -> DataError:
    return DataError(
        f"no room in {folder} for a scratch file",
        expected=f"{size:,} bytes free and a margin of {_DISK_MARGIN:,}",
        found=f"{free:,}",
        remedy="Set BEZOAR_CACHE to a folder on a disk with room, or raise memory_share",
    )


def _removed(name: str) -> bool:
    try:
        Path(name).unlink(missing_ok=True)
    except OSError:  # some systems keep a file that is open
        return False
    return True


def _machine_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 * 2**30
