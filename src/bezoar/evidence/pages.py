"""Pages of memory maps, given back once read: so that a pass over a large file stays small in memory."""

from __future__ import annotations

import mmap

import numpy as np
from numpy.typing import NDArray


def let_go(array: NDArray[np.generic]) -> None:
    """Tell the system that what was read of or written to a memory map isn't needed at the moment.

    Values stay as they are, and are read again from the file, or the system's cache of it, when next used. Does nothing
    to an array in memory, to a map whose changes are private (mode "c", they would be lost), or where the system has
    no such advice.
    """
    holder: object = array
    while isinstance(holder, np.ndarray):
        below: object = holder.base
        if isinstance(holder, np.memmap) and isinstance(below, mmap.mmap):
            if holder.mode != "c" and hasattr(mmap, "MADV_DONTNEED"):
                below.madvise(mmap.MADV_DONTNEED)
            return
        holder = below
