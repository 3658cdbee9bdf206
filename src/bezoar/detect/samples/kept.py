"""What several detectors work out of the same evidence: once, and kept while the evidence is."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from bezoar.detect.numerics.ridge import Folds, folds_of
from bezoar.evidence import Evidence

Answer = TypeVar("Answer")


@dataclass(frozen=True, eq=False)
class Kept(Generic[Answer]):
    """The answers to the last `most` questions about each evidence there is."""

    most: int
    answers: WeakKeyDictionary[Evidence, dict[Hashable, Answer]] = field(default_factory=WeakKeyDictionary)

    def get(self, evidence: Evidence, question: Hashable, work_out: Callable[[], Answer]) -> Answer:
        """The answer, worked out unless it is kept. What `work_out` raises leaves nothing behind."""
        known = self.answers.setdefault(evidence, {})
        if question not in known:
            while len(known) >= self.most:  # before the next one is made: both need not fit into memory
                known.pop(next(iter(known)))
            known[question] = work_out()
        return known[question]


_halves: Kept[Folds] = Kept(4)


def halves_of(evidence: Evidence, *, seed: int) -> Folds:
    """Which of two halves each row (n,) lies in, by a hash of its id."""
    return _halves.get(evidence, seed, lambda: folds_of(evidence.ids, 2, seed=seed))
