"""What an attack is: a data set in, a poisoned data set and its sealed truth out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

from bezoar.data.dataset import Dataset
from bezoar.records import Saturation, Skipped
from bezoar.registry import Registry
from bezoar.training.listening import Working
from bezoar.training.listening import unheard as unheard
from bezoar.triggers.base import TRIGGERS, Trigger
from bezoar.truth import PoisonTruth

Progress: TypeAlias = Working


@dataclass(frozen=True, eq=False)
class Originals:
    """What the undo needs: the data set before the attack, and which of its samples are no longer there."""

    data: Dataset
    replaced: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Backdoor:
    """What sets a backdoor off, and the label that a triggered sample of each source class shall then be given."""

    trigger: Trigger
    relabelling: Mapping[int, int]


@dataclass(frozen=True, eq=False)
class Poisoned:
    """A poisoned data set, which may be handed on, and the truth about it, which may not.

    `backdoors` are what the attack plants, their triggers with all that was learnt for them. `saturation`
    says what clipping swallowed of the first trigger on the poisons.
    """

    data: Dataset
    truth: PoisonTruth
    originals: Originals
    saturation: Saturation | Skipped
    backdoors: tuple[Backdoor, ...]


@runtime_checkable
class Attack(Protocol):
    """Poisons a copy of a data set. The configuration is its fields; calls keep no state."""

    def poison(self, data: Dataset, *, seed: int, progress: Progress = unheard) -> Poisoned:
        """The poisoned set and its truth; `data` is left as it is. Raises AttackError when it cannot be done."""
        ...


ATTACKS: Registry[Attack] = Registry("attack")


def attack_spec(attack: object, *, every: bool = False) -> str:
    """The specification that builds an attack again, its triggers left out: those have specifications of their own.

    With `every`, fields at their defaults are written too.
    """
    if dataclasses.is_dataclass(attack):
        return ATTACKS.spec_of(attack, without=("trigger", "triggers"), every=every)
    return ATTACKS.name_of(attack)


def trigger_spec(trigger: Trigger, *, every: bool = False) -> str:
    """The specification that builds a trigger again; of a plain function its name as `package.module:name`.

    With `every`, fields at their defaults are written too.
    """
    method: Any = trigger
    if dataclasses.is_dataclass(method):
        return TRIGGERS.spec_of(method, every=every)
    named = method if hasattr(method, "__qualname__") else type(method)
    return f"{named.__module__}:{named.__qualname__}"
