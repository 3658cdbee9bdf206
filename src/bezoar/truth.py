"""PoisonTruth: what was poisoned, sealed. Attacks write it, metrics read it; no defence may import it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Role = Literal["poison", "cover"]
"""A poison plants the backdoor. A cover carries a trigger, or something like it, under its true label."""


@dataclass(frozen=True)
class PoisonedSample:
    """One sample that the attack changed: its id in the poisoned set, and what it was made from.

    Labels are class names. Hashes are SHA-256 of the decoded sample before and after: the bytes of its
    array, for an image uint8 in row, column, channel order.
    """

    id: str
    original_id: str
    label: str
    original_label: str
    hash_before: str
    hash_after: str
    role: Role = "poison"


@dataclass(frozen=True)
class PlantedBackdoor:
    """A trigger, as the specification that builds it again, and source and target classes by name."""

    trigger: str
    relabelling: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PoisonTruth:
    """Everything about a drill that its defenders must not know.

    `attack` is the specification that builds it again; most attacks plant one backdoor, some several.
    `placement` says whether poisons were added, took their originals' place, or whether no data were touched
    since the model itself was tampered with; `originals` is the number of samples before the attack.
    """

    drill: str
    attack: str
    backdoors: tuple[PlantedBackdoor, ...]
    placement: Literal["add", "replace", "none"]
    seed: int
    class_names: tuple[str, ...]
    digest_before: str
    digest_after: str
    originals: int
    samples: tuple[PoisonedSample, ...] = field(repr=False)  # thousands, which nobody reads at a prompt
    versions: tuple[tuple[str, str], ...]

    @cached_property
    def ids(self) -> frozenset[str]:
        """Ids, in the poisoned set, of all samples that the attack changed: poisons and covers."""
        return frozenset(sample.id for sample in self.samples)

    @cached_property
    def poison_ids(self) -> frozenset[str]:
        """Ids of the samples that plant the backdoor."""
        return frozenset(sample.id for sample in self.samples if sample.role == "poison")

    def among(self, ids: Iterable[str]) -> tuple[bool, ...]:
        """For each id whether it is of a poison, in the order given."""
        return tuple(sample_id in self.poison_ids for sample_id in ids)
