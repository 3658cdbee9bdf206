"""Where a trigger or an attack comes from, and what its attacker must control: shown by `bezoar attacks`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Control = Literal["samples", "labels", "training", "model"]
"""What the attacker holds: samples of the training set, their labels, the training itself, the finished model."""

Family = Literal["visible, dirty label", "invisible, dirty label", "clean label", "evasive", "model tampering", "own"]
FAMILIES: tuple[Family, ...] = get_args(Family)


@dataclass(frozen=True)
class About:
    """The class variable `about` of a method: its family, its paper and what the attacker needs.

    `knows` is what the attacker must know or own beside what is controlled, as a phrase; empty for nothing.
    """

    family: Family
    paper: str
    controls: tuple[Control, ...] = ("samples", "labels")
    knows: str = ""


UNSAID = About("own", "not said", ())


def about(method: object) -> About:
    """What a class or an instance says of itself; `UNSAID` for a user's own that says nothing."""
    said = getattr(method, "about", None)
    return said if isinstance(said, About) else UNSAID
