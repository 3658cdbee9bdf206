"""What is to be tested: that these samples carry a trigger for that class."""

from __future__ import annotations

from dataclasses import dataclass, field

from bezoar.errors import UsageError


@dataclass(frozen=True)
class Hypothesis:
    """`signal` says that the samples `suspects`, by id, most suspicious first, of class `target` share a trigger.

    Raises UsageError without suspects.
    """

    target: int
    suspects: tuple[str, ...] = field(repr=False)
    signal: str

    def __post_init__(self) -> None:
        if not self.suspects:
            raise UsageError("a hypothesis names no suspect", expected="ids of one sample or more")
