"""What a repair is asked for: the model that is to be repaired, and how."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from bezoar.repair.auto import Auto
from bezoar.repair.checks.search import Bar


@dataclass(frozen=True, eq=False)
class Patient:
    """A model to be repaired, its name, how it was opened, its classes, and what is worth telling of it."""

    model: nn.Module
    name: str
    kind: str
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RepairSettings:
    """How: the choice among methods, and as it was `asked` for; seed, device, and what the record says of the call.

    Triggers are searched for by the detectors of `bars`, above whose cuts a class stands out; without any none is.
    """

    auto: Auto = field(default_factory=Auto)
    bars: tuple[Bar, ...] = ()
    asked: str = "auto"
    seed: int = 0
    device: str = "auto"
    described: str = ""
    commands: tuple[str, ...] = ()
