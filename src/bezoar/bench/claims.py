"""Several processes on one grid: each cell is claimed by one of them, and given free when that process ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LOCK_FILE = ".lock"


@contextmanager
def claimed(folder: Path) -> Iterator[bool]:
    """Whether this process has `folder` to itself while within; False where another one has it.

    The system drops the claim of a process that dies, however it dies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK_FILE)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Waits until this process has `folder` to itself, and keeps it while within."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / LOCK_FILE):
        yield
