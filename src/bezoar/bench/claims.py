"""Several processes on one grid: each cell is claimed by one of them, and given free when that process ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from bezoar.training.listening import Listener

T = TypeVar("T")

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


def in_turn(
    cases: Iterable[T],
    listener: Listener,
    *,
    folder: Callable[[T], Path],
    label: Callable[[T], str],
    done: Callable[[T], bool],
) -> Iterator[T]:
    """Those of `cases` that are not done, one by one, each claimed in its turn.

    First those that no other process is at; then, when that one is done or dead, those that are still not done.
    `folder` is where a case is claimed. The listener hears of each by its label.
    """
    busy = []
    for case in cases:
        with claimed(folder(case)) as mine:
            if not mine:
                busy.append(case)
            elif not done(case):
                with _heard(listener, label(case)):
                    yield case
    for case in busy:
        with ExitStack() as claim:
            with _heard(listener, f"wait for another process: {label(case)}"):
                claim.enter_context(alone(folder(case)))
            if not done(case):
                with _heard(listener, label(case)):
                    yield case


@contextmanager
def _heard(listener: Listener, stage: str) -> Iterator[None]:
    listener.begins(stage)
    started = time.perf_counter()
    yield
    listener.ends(stage, time.perf_counter() - started)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Waits until this process has `folder` to itself, and keeps it while within."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / LOCK_FILE):
        yield
