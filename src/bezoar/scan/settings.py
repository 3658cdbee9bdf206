"""What a scan is asked to do, and who hears how it goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from bezoar.evidence.probe import ProbeRecipe
from bezoar.scan.panel import Budget
from bezoar.training import Progress


@dataclass(frozen=True)
class ScanSettings:
    """Everything a scan depends on beside the data: the same settings on the same data give the same record.

    (Save for the times of its stages and the moment it was made.) `probe` is how the probe is trained, and the networks
    that try triggers. `budget` is quick (samples alone, no network), standard, or thorough (every detector).
    `commands` are what was typed, for the record.
    """

    budget: Budget = "standard"
    seed: int = 0
    device: str = "auto"
    probe: ProbeRecipe = field(default_factory=ProbeRecipe)
    commands: tuple[str, ...] = ()


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
