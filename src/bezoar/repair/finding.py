"""The trigger that is looked for before the first repair, and what is learnt from where none stands out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeGuard

from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.records import Skipped
from bezoar.repair.base import Progress
from bezoar.repair.case import Met
from bezoar.repair.checks.from_suspects import trigger_of_suspects
from bezoar.repair.checks.kin import leading
from bezoar.repair.checks.learnt import as_learnt
from bezoar.repair.checks.look import NOT_SEARCHED_BEFORE
from bezoar.repair.checks.search import Finder, Suspected, suspected_trigger
from bezoar.repair.checks.turned import Turned
from bezoar.repair.given import Aimed, Given
from bezoar.repair.settings import RepairSettings

NO_TRUSTED = "no trusted samples were given, so that nothing could be checked"


def suspected(
    model: nn.Module, given: Given, settings: RepairSettings, finder: Finder | None, progress: Progress
) -> Suspected | Skipped:
    """A trigger that nobody gave, from the suspects where those show one that works, else from the model."""
    if given.trigger is not None:
        return Skipped("a trigger was given")
    if given.trusted is None:
        return Skipped(NO_TRUSTED) if finder is None else finder()
    if given.suspects:
        found = trigger_of_suspects(model, given.trusted, given, seed=settings.seed, device=settings.device)
        if isinstance(found, Suspected) and found.stands_out:
            return found
    found = finder() if finder is not None else _sought(model, given.trusted, given.target, settings, progress)
    return found if isinstance(found, Skipped) else _as_learnt(model, given.trusted, found, settings)


def _as_learnt(model: nn.Module, trusted: Dataset, found: Suspected, settings: RepairSettings) -> Suspected:
    """The same, as a repair should learn it: as strong as turns most, and with its kin.

    Where none stands out, with all plain changes that turn many.
    """
    if not found.stands_out:
        plain = leading(model, trusted, seed=settings.seed, device=settings.device)
        return replace(found, supposed=(*found.supposed, *plain))
    return as_learnt(model, trusted, found, seed=settings.seed, device=settings.device)


def _sought(
    model: nn.Module, data: Dataset, target: int | None, settings: RepairSettings, progress: Progress
) -> Suspected | Skipped:
    return suspected_trigger(
        model,
        data,
        target=target,
        bars=settings.bars,
        seed=settings.seed,
        device=settings.device,
        progress=progress,
    )


def further_in(model: nn.Module, given: Given, settings: RepairSettings, progress: Progress) -> Met:
    """What stands out in the model beside the trigger that is known: a search that takes minutes."""
    if given.trusted is None or not settings.bars:
        return Met()
    seen = _sought(model, given.trusted, None, settings, progress)
    if isinstance(seen, Skipped):
        return Met(searches=seen)
    searches = seen.searches() or NOT_SEARCHED_BEFORE
    seen = _as_learnt(model, given.trusted, seen, settings)
    others = tuple(one for one in (seen, *seen.further) if one.stands_out and one.target != given.target)
    kin = tuple(one for one in seen.supposed if one.target != given.target) if others else ()
    return Met(others, searches, kin)


def unsure(found: Suspected | Skipped) -> TypeGuard[Suspected]:
    """Whether there are triggers, and none of them stands out."""
    return isinstance(found, Suspected) and not found.stands_out


def by_turned(
    model: nn.Module, given: Given, found: Suspected, turned: Turned | None, settings: RepairSettings
) -> tuple[Given, Suspected]:
    """With the samples that were turned among the suspects, and the trigger that these share, where they show one."""
    if turned is None or (trusted := given.trusted) is None:
        return given, found
    given = turned.among(given)
    shared = trigger_of_suspects(model, trusted, given, seed=settings.seed, device=settings.device)
    if isinstance(shared, Skipped) or not shared.stands_out:
        return given, found
    return given, replace(shared, searches=found.searches, supposed=found.supposed)


def of_supposed(supposed: Sequence[Aimed], turned: Turned | None) -> tuple[str, ...]:
    """What is worth telling of triggers that nobody knows to be one."""
    if not supposed:
        return ()
    classes = len({one.target for one in supposed})
    what = f"no trigger stood out in the model: {len(supposed)} that work, towards {classes} of the classes, "
    if turned is None:
        return (f"{what}were supposed to be triggers and unlearnt",)
    told = (
        f"{len(turned.likely.ids):,} training samples called {turned.likely.target!r}, and of other classes hardly any"
    )
    return (f"{what}were unlearnt in a copy, and that turned {told}; these became suspects",)
