"""PoisonTruth: what was poisoned, sealed. Attacks write it, metrics read it; no defence may import it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal


@dataclass(frozen=True)
class PoisonedSample:
    """One poisoned sample: its id in the poisoned set, and what it was made from.

    Labels are class names. Hashes are SHA-256 of the decoded sample before and after: the bytes of its
    array, for an image uint8 in row, column, channel order.
    """

    id: str
    original_id: str
    label: str
    original_label: str
    hash_before: str
    hash_after: str


@dataclass(frozen=True)
class PoisonTruth:
    """Everything about a drill that its defenders must not know.

    `attack` and `trigger` are specifications that build them again; `relabelling` maps source to target
    class by name. `placement` says whether poisons were added or took their originals' place, `originals` is the
    number of samples before the attack.
    """

    drill: str
    attack: str
    trigger: str
    placement: Literal["add", "replace"]
    relabelling: tuple[tuple[str, str], ...]
    seed: int
    class_names: tuple[str, ...]
    digest_before: str
    digest_after: str
    originals: int
    samples: tuple[PoisonedSample, ...]
    versions: tuple[tuple[str, str], ...]

    @cached_property
    def ids(self) -> frozenset[str]:
        """Ids of the poisoned samples in the poisoned set."""
        return frozenset(sample.id for sample in self.samples)

    def among(self, ids: Iterable[str]) -> tuple[bool, ...]:
        """For each id whether it is poisoned, in the order given."""
        return tuple(sample_id in self.ids for sample_id in ids)
