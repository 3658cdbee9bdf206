"""What speaks against a repaired model, as a defender sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from bezoar.records import Skipped
from bezoar.records.repairing import AccuracyLost, FlipCheck, ModelCheck

USUAL_LOSS, SURE = 0.02, 2.0
"""What good repairs usually lose, up or down, by which a measured loss is judged; and how many standard errors
make one certain."""


@dataclass(frozen=True)
class Judgement:
    """What speaks against a repaired model, as a defender sees it.

    `left` is the share of samples that some trigger still turns, the known one or one that a search found; `lost` how
    far accuracy is likely to have fallen, both in 0..1.
    """

    left: float
    lost: float
    against: tuple[str, ...]

    @property
    def harm(self) -> float:
        """What the choice among several keeps low."""
        return self.left + max(0.0, self.lost)


Judge: TypeAlias = Callable[[ModelCheck], Judgement]


def standing_out(check: ModelCheck) -> tuple[tuple[str, str, float], ...]:
    """Detector, class and share of flips of every trigger of a search that stands out."""
    if isinstance(check.searches, Skipped):
        return ()
    return tuple(
        (search.detector, one.class_name, one.flips if isinstance(one.flips, float) else 0.0)
        for search in check.searches
        for one in search.classes
        if one.class_name in search.stands_out
    )


def likely_loss(told: AccuracyLost) -> float:
    """The loss of accuracy to reckon with: less than was measured, and the less the fewer samples tell it."""
    return told.lost * USUAL_LOSS**2 / (USUAL_LOSS**2 + told.error**2)


def further_one(flips: FlipCheck | Skipped) -> str:
    """A further trigger by its target, as what is against a model names it."""
    return "" if isinstance(flips, Skipped) else f"a further trigger, towards {flips.target!r},"
