"""Who hears how something long goes: stages that begin and end, and training within them."""

from __future__ import annotations

from typing import Protocol

from bezoar.training.loop import Progress


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
