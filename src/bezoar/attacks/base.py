"""What an attack is: a data set in, a poisoned data set and its sealed truth out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from bezoar.data.dataset import Dataset
from bezoar.records import Saturation, Skipped
from bezoar.registry import Registry
from bezoar.triggers.base import TRIGGERS, Trigger
from bezoar.truth import PoisonTruth


@dataclass(frozen=True, eq=False)
class Originals:
    """What the undo needs: the data set before the attack, and which of its samples are no longer there."""

    data: Dataset
    replaced: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Poisoned:
    """A poisoned data set, which may be handed on, and the truth about it, which may not.

    `saturation` says what clipping swallowed of the trigger on the poisoned samples.
    """

    data: Dataset
    truth: PoisonTruth
    originals: Originals
    saturation: Saturation | Skipped


@runtime_checkable
class Attack(Protocol):
    """Poisons a copy of a data set. The configuration is its fields; calls keep no state."""

    @property
    def trigger(self) -> Trigger:
        """What sets the backdoor off in a trained model."""
        ...

    def poison(self, data: Dataset, *, seed: int) -> Poisoned:
        """The poisoned set and its truth; `data` is left as it is. Raises AttackError when it cannot be done."""
        ...

    def relabelling(self, class_names: Sequence[str]) -> dict[int, int]:
        """The label that a triggered sample of each source class shall be given, as numbers of classes."""
        ...


ATTACKS: Registry[Attack] = Registry("attack")


def attack_spec(attack: Attack) -> str:
    """The specification that builds an attack again, its trigger left out: that has one of its own."""
    method: Any = attack
    if dataclasses.is_dataclass(method):
        return ATTACKS.spec_of(method, without=("trigger",))
    return ATTACKS.name_of(method)


def trigger_spec(trigger: Trigger) -> str:
    """The specification that builds a trigger again; of a plain function its name as `package.module:name`."""
    method: Any = trigger
    if dataclasses.is_dataclass(method):
        return TRIGGERS.spec_of(method)
    named = method if hasattr(method, "__qualname__") else type(method)
    return f"{named.__module__}:{named.__qualname__}"
