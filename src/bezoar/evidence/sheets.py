"""Matrices written to disk block by block, in memory that doesn't grow with them."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import ArrayLike, DTypeLike, NDArray

from bezoar.errors import DataError, ShapeError, UsageError
from bezoar.evidence.pages import let_go

_HELD_BYTES = 1 << 25
_DISK_MARGIN = 1 << 26
_PAGE, _PAGES = 4096, 16


@dataclass(frozen=True)
class SheetRecord:
    """A finished array: its name, dtype and shape, how many values were clipped, and the check of its file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    clipped: int
    check: str


class Sheet:
    """An array on disk to be filled: `sheet[rows] = values`, rows an int, a slice or integers along the first axis.

    Floating values beyond the finite range of its dtype, infinite ones with them, are clipped to it and counted in
    `clipped`. Raises ShapeError on values of another shape than those rows have, and DataError on NaN and on whole
    numbers that the dtype may not hold.
    """

    def __init__(self, name: str, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.name, self.shape, self.dtype, self.clipped = name, shape, dtype, 0
        self._path = path
        self._map: np.memmap | None = _reserved(path, shape, dtype)
        self._written = np.zeros(shape[0], dtype=bool)
        self._held = 0

    def __setitem__(self, rows: int | slice | NDArray[np.integer], values: ArrayLike) -> None:
        if self._map is None:
            raise UsageError(f"evidence {self.name!r} is finished and takes no more rows")
        given = np.asarray(values)
        fits = (*np.shape(self._written[rows]), *self.shape[1:])
        if given.shape != fits:
            raise ShapeError(f"evidence {self.name!r}: values don't fit", expected=f"{fits}", found=f"{given.shape}")
        self._map[rows] = self._fitting(given)
        self._written[rows] = True
        self._held += given.size * self.dtype.itemsize
        if self._held > _HELD_BYTES:
            let_go(self._map)
            self._held = 0

    def finish(self) -> SheetRecord:
        """Bring everything to disk and close. Raises DataError where rows were never written."""
        missing = np.flatnonzero(~self._written)
        if missing.size:
            raise DataError(
                f"evidence {self.name!r} has rows that were never written",
                found=f"{missing.size:,} of {self.shape[0]:,}, row {missing[0]:,} the first",
            )
        self.close()
        return SheetRecord(self.name, self.dtype.str, self.shape, self.clipped, check_of(self._path))

    def close(self) -> None:
        """Bring what there is to disk and let go of the file."""
        if self._map is not None:
            self._map.flush()
            self._map = None

    def _fitting(self, values: NDArray[Any]) -> NDArray[Any]:
        if not np.issubdtype(self.dtype, np.floating):
            if not np.can_cast(values.dtype, self.dtype, casting="safe"):
                raise DataError(
                    f"evidence {self.name!r} may not hold these values",
                    expected=f"{self.dtype}",
                    found=f"{values.dtype}",
                    remedy=f"Convert them to {self.dtype} first, or allocate a larger dtype",
                )
            return values
        real = values if np.issubdtype(values.dtype, np.floating) else values.astype(np.float64)
        if np.isnan(real).any():
            raise DataError(f"evidence {self.name!r} was given values that are not a number")
        # The narrower of the two: the wider one's limit has no place in it.
        limit = min(float(np.finfo(kind).max) for kind in (self.dtype, real.dtype))
        beyond = int(np.count_nonzero((real > limit) | (real < -limit)))
        self.clipped += beyond
        return np.clip(real, -limit, limit) if beyond else real


class Writer:
    """Allocates the arrays of one entry in `folder`, numbered in the order in which they are asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sheets: list[Sheet] = []

    def allocate(self, name: str, shape: Sequence[int], dtype: DTypeLike = np.float16) -> Sheet:
        """A memory-mapped array of this shape, every row of which is then to be written.

        Raises UsageError on a name that was given before, ShapeError on a shape without rows' axis, and DataError on a
        dtype of objects, or where the disk has no room.
        """
        kind, size = np.dtype(dtype), tuple(int(length) for length in shape)
        if any(sheet.name == name for sheet in self._sheets):
            raise UsageError(f"evidence {name!r} is allocated twice")
        if not size or min(size) < 0:
            raise ShapeError(f"evidence {name!r} must have rows", expected="(n, ...)", found=f"{size}")
        if kind.hasobject:
            raise DataError(f"evidence {name!r} must be plain numbers", found=f"{kind}")
        sheet = Sheet(name, self._folder / file_name(len(self._sheets)), size, kind)
        self._sheets.append(sheet)
        return sheet

    def finish(self) -> tuple[SheetRecord, ...]:
        """Close all arrays and say what they are. Raises DataError where rows were never written."""
        return tuple(sheet.finish() for sheet in self._sheets)

    def close(self) -> None:
        """Let go of all files, finished or not."""
        for sheet in self._sheets:
            sheet.close()


def file_name(number: int) -> str:
    """Name of the file of an entry's array: a name of the user's, or a manifest's, is never a path."""
    return f"{number:03d}.npy"


def check_of(path: Path) -> str:
    """SHA-256 of a file's size and of 16 pages of 4 KiB spread evenly over it, header and end included.

    Notices truncation, another file and zeroed stretches, in under a millisecond; not a bit turned elsewhere.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for number in range(_PAGES):
            file.seek(max(0, size - _PAGE) * number // (_PAGES - 1))
            digest.update(file.read(_PAGE))
    return digest.hexdigest()


def _reserved(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.memmap:
    """A new memory map whose blocks the disk has set aside: writing to a full disk through a map kills the process."""
    size = math.prod(shape) * dtype.itemsize
    free = shutil.disk_usage(path.parent).free
    try:
        if free < size + _DISK_MARGIN:
            raise OSError
        mapped = open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        if hasattr(os, "posix_fallocate"):
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        raise DataError(
            f"evidence cannot be written in {path.parent}",
            expected=f"{size:,} bytes free and a margin of {_DISK_MARGIN:,}",
            found=f"{free:,}",
            remedy="Set BEZOAR_CACHE to a folder on a disk with room",
        ) from error
    return mapped
