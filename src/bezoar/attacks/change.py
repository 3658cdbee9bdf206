"""What an attack decided to do, before any of it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor

from bezoar.attacks.base import Backdoor
from bezoar.attacks.composing.layout import Placement
from bezoar.errors import AttackError
from bezoar.triggers.base import Trigger
from bezoar.truth import Role

Remake: TypeAlias = Callable[[Tensor, slice], Tensor]
"""`remade(originals, part)`: the samples `ids[part]` of a change, a copy of which it gets, as they shall be."""


@dataclass(frozen=True, eq=False)
class Change:
    """What becomes of some samples: their ids (sorted), the label of each afterwards, and what it is made into.

    A cover keeps its true label. What is made of a sample must not depend on where batches end. `trigger` is the one
    that the samples then show; None where they show none.
    """

    ids: tuple[str, ...]
    labels: tuple[int, ...]
    remade: Remake
    role: Role = "poison"
    trigger: Trigger | None = None

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.ids):
            raise AttackError(
                "a change needs a label for each of its samples",
                expected=f"{len(self.ids)} labels",
                found=str(len(self.labels)),
            )


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything an attack decided; no sample is changed twice. `attack` is a specification, as in PoisonTruth."""

    changes: tuple[Change, ...]
    backdoors: tuple[Backdoor, ...]
    placement: Placement
    attack: str
    seed: int

    def __post_init__(self) -> None:
        if "poison" not in self.roles or not self.backdoors:
            raise AttackError(
                "the attack poisons no sample, or plants no backdoor",
                expected="a plan with at least one poison and one backdoor",
            )
        if len(set(self.ids)) != len(self.ids):
            raise AttackError("the attack wants to change a sample twice", remedy="Draw disjoint samples for its parts")

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all samples to be changed, change by change."""
        return tuple(sample_id for change in self.changes for sample_id in change.ids)

    @property
    def labels(self) -> tuple[int, ...]:
        """Their labels afterwards."""
        return tuple(label for change in self.changes for label in change.labels)

    @property
    def roles(self) -> tuple[Role, ...]:
        """Poison or cover, of each."""
        return tuple(change.role for change in self.changes for _ in change.ids)

    def places(self) -> Iterator[tuple[Change, slice]]:
        """Each change that changes anything, and its places in `ids`."""
        start = 0
        for change in self.changes:
            if change.ids:
                yield change, slice(start, start + len(change.ids))
            start += len(change.ids)


def stamped(ids: tuple[str, ...], labels: Sequence[int], trigger: Trigger, role: Role = "poison") -> Change:
    """A change that puts a trigger on samples."""
    return Change(ids, tuple(labels), lambda originals, _: trigger(originals), role, trigger)


def prepared(
    ids: tuple[str, ...],
    labels: Sequence[int],
    samples: Tensor,
    role: Role = "poison",
    *,
    trigger: Trigger | None = None,
) -> Change:
    """A change to samples that were worked out beforehand, (n, ...) in the order of `ids`, and show `trigger`."""
    return Change(ids, tuple(labels), lambda _, part: samples[part], role, trigger)
