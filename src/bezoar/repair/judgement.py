"""What speaks against a repaired model, as a defender sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from bezoar.records import ClassRate, Rate, Skipped
from bezoar.records.repairing import AccuracyLost, FlipCheck, ModelCheck, TriggerSearch

USUAL_LOSS, SURE = 0.02, 2.0
"""What good repairs usually lose, up or down, by which a measured loss is judged; and how many standard errors
make one certain."""
OF_ONE_CLASS = 0.2
"""A trigger that surely turns more of one true class works for that class. Those that look alike go over by nature."""


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


Judge: TypeAlias = Callable[[ModelCheck, frozenset[str] | None], Judgement]
"""By a look at a repaired model, and the classes that stood out in it before, None where it was not searched."""


def standing_out(check: ModelCheck) -> tuple[tuple[str, str, float], ...]:
    """Detector, class and share of flips of every trigger of a search that stands out, but for new ones.

    A new one that leads to the target of a known trigger counts all the same.
    """
    if isinstance(check.searches, Skipped):
        return ()
    aimed = {one.target for one in (check.flips, *check.further) if not isinstance(one, Skipped)}
    return tuple(
        (search.detector, one.class_name, one.flips if isinstance(one.flips, float) else 0.0)
        for search in check.searches
        for one in search.classes
        if one.class_name in search.stands_out and (not one.new or one.class_name in aimed)
    )


def new_since(check: ModelCheck) -> tuple[str, ...]:
    """Classes for which a search found what stands out, and was not there before the repair; other signs left out."""
    if isinstance(check.searches, Skipped):
        return ()
    told = {name for _, name, _ in standing_out(check)}
    new = (one.class_name for search in check.searches for one in search.classes if one.new)
    return tuple(name for name in dict.fromkeys(new) if name not in told)


def shown_by(searches: tuple[TriggerSearch, ...] | Skipped) -> frozenset[str] | None:
    """The classes that stand out by a search, None where none was made."""
    return None if isinstance(searches, Skipped) else frozenset(name for one in searches for name in one.stands_out)


def hit_source(flips: FlipCheck, least: float) -> ClassRate | None:
    """The true class that a trigger turns most surely, where that is clearly more than `least` of its samples.

    Of a backdoor for one source class the share of all samples tells little: one in ten, and less with more classes.
    """
    told = [(one.rate.low, one) for one in flips.by_source if isinstance(one.rate, Rate)]
    low, most = max(told, key=lambda entry: entry[0], default=(0.0, None))
    return most if low > least else None


def of_source(flips: FlipCheck) -> str:
    """Of which true class a trigger turns by far the most, in words; "" where it turns no class so surely."""
    most = hit_source(flips, OF_ONE_CLASS)
    if most is None or isinstance(most.rate, Skipped) or most.rate.value < 2 * flips.flips.value:
        return ""
    return f", {most.rate.value:.1%} of {most.class_name!r}"


def likely_loss(told: AccuracyLost) -> float:
    """The loss of accuracy to reckon with: less than was measured, and the less the fewer samples tell it."""
    return told.lost * USUAL_LOSS**2 / (USUAL_LOSS**2 + told.error**2)


def fallen(told: AccuracyLost) -> str:
    """By how much accuracy fell, in words."""
    return f"accuracy fell by {100 * told.lost:.1f} points, give or take {100 * told.error:.1f}"


def further_one(flips: FlipCheck | Skipped) -> str:
    """A further trigger by its target, as what is against a model names it."""
    return "" if isinstance(flips, Skipped) else f"a further trigger, towards {flips.target!r},"
