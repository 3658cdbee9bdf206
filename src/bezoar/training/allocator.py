"""Memory that the C library keeps for the next training step instead of handing it back to the system.

A step allocates and frees the same large tensors over and over. glibc by default maps each one anew, and
the kernel clears every page again: about a tenth of a training step on a processor.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# From glibc's malloc.h.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
DEFAULT_THRESHOLD = 128 * 1024
# The largest that glibc accepts; larger blocks are mapped as ever.
LARGEST_MMAP_THRESHOLD = 32 * 1024 * 1024
NEVER = 2**31 - 1


@contextmanager
def recycled_memory() -> Iterator[None]:
    """Within, freed memory stays with the process; afterwards it is given back. Does nothing without glibc."""
    library = None if sys.platform == "win32" else ctypes.CDLL(None)
    if library is None or not hasattr(library, "mallopt") or not hasattr(library, "malloc_trim"):
        yield
        return
    library.mallopt(TRIM_THRESHOLD, NEVER)
    library.mallopt(MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)
    try:
        yield
    finally:
        library.mallopt(TRIM_THRESHOLD, DEFAULT_THRESHOLD)
        library.mallopt(MMAP_THRESHOLD, DEFAULT_THRESHOLD)
        library.malloc_trim(0)
