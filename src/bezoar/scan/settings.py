"""What a scan is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from bezoar.evidence.probe import ProbeRecipe
from bezoar.scan.panel import Budget


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
