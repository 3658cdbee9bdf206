"""Memory that the C library keeps for the next batch instead of handing it back to the system.

A step allocates and frees the same large tensors over and over. glibc by default maps each one anew, and
the kernel clears every page again: about a tenth of a training step on a processor, and half of a mere prediction.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# From glibc's malloc.h. Raising the threshold for mapping would not do: glibc takes 32 MiB, a batch's maps are larger.
TRIM_THRESHOLD, MMAP_MAX = -1, -4
DEFAULT_TRIM_THRESHOLD, DEFAULT_MMAP_MAX = 128 * 1024, 65536
NEVER = 2**31 - 1


_within = 0


@contextmanager
def recycled_memory() -> Iterator[None]:
    """Within, freed memory stays with the process; afterwards it is given back. Does nothing without glibc.

    It may stand within itself: the outermost gives the memory back.
    """
    global _within
    _within += 1
    try:
        if _within == 1:
            with _kept_memory():
                yield
        else:
            yield
    finally:
        _within -= 1


@contextmanager
def _kept_memory() -> Iterator[None]:
    library = None if sys.platform == "win32" else ctypes.CDLL(None)
    if library is None or not hasattr(library, "mallopt") or not hasattr(library, "malloc_trim"):
        yield
        return
    library.mallopt(TRIM_THRESHOLD, NEVER)
    library.mallopt(MMAP_MAX, 0)
    try:
        yield
    finally:
        library.mallopt(TRIM_THRESHOLD, DEFAULT_TRIM_THRESHOLD)
        library.mallopt(MMAP_MAX, DEFAULT_MMAP_MAX)
        library.malloc_trim(0)
