"""SIGTERM is heard as Ctrl-C is: what was begun is cleaned up, and an interrupted training keeps its checkpoint."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

TOGETHER = 1.0
"""Seconds within which a second SIGTERM is the same request: `timeout` sends two, and the second shall not cut the
cleaning up short."""


class Terminated(KeyboardInterrupt):
    """SIGTERM came: an interruption, for all who clean up or keep something after one."""


class Terminations:
    """Hears SIGTERM. `heard` says whether any came, since what is raised for it may end as something else."""

    def __init__(self) -> None:
        self._last: float | None = None

    @property
    def heard(self) -> bool:
        """Whether a SIGTERM came."""
        return self._last is not None

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        """Raise Terminated, wherever the program is."""
        now = time.monotonic()
        if self._last is None or now - self._last > TOGETHER:
            self._last = now
            raise Terminated


@contextmanager
def terminations_raised() -> Iterator[Terminations]:
    """Let SIGTERM raise Terminated while a command runs; only the main thread of a program may ask for that."""
    heard = Terminations()
    if threading.current_thread() is not threading.main_thread():
        yield heard
        return
    before = signal.signal(signal.SIGTERM, heard)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGTERM, before)
