"""What is to be tested: that these samples carry a trigger for that class."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Hypothesis:
    """`signal` says that the samples `suspects`, by id, most suspicious first, of class `target` share a trigger."""

    target: int
    suspects: tuple[str, ...] = field(repr=False)
    signal: str
