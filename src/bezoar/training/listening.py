"""Who hears how something long goes: stages that begin and end, and training within them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from bezoar.training.loop import Progress

Working: TypeAlias = Callable[[str, int, int], None]
"""Hears what long work is doing: what, how many steps of it are done, and of how many."""


def unheard(what: str, done: int, total: int) -> None:
    """Work that nobody hears of."""


class Listener(Protocol):
    """Hears of stages as they begin and end, and of training as it goes."""

    def begins(self, stage: str) -> None:
        """A stage begins."""
        ...

    def trains(self, progress: Progress) -> None:
        """A training step was made."""
        ...

    def ends(self, stage: str, seconds: float) -> None:
        """A stage ended after `seconds`."""
        ...


class Silence:
    """A listener that says nothing."""

    def begins(self, stage: str) -> None:
        """Nothing."""

    def trains(self, progress: Progress) -> None:
        """Nothing."""

    def ends(self, stage: str, seconds: float) -> None:
        """Nothing."""
