"""The stages of something long: the listener hears of them, and their times are kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bezoar.records import StageTime
from bezoar.training.listening import Listener


@dataclass
class Clock:
    """Tells the listener of stages, and keeps their wall seconds: one entry each, however often a stage comes up."""

    listener: Listener
    times: list[StageTime] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What goes on within is the stage `name`; one that fails does not end."""
        self.listener.begins(name)
        started = time.perf_counter()
        yield
        seconds = time.perf_counter() - started
        self._keep(name, seconds)
        self.listener.ends(name, seconds)

    def _keep(self, name: str, seconds: float) -> None:
        for place, known in enumerate(self.times):
            if known.stage == name:
                self.times[place] = StageTime(name, known.seconds + seconds)
                return
        self.times.append(StageTime(name, seconds))
