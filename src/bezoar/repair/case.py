"""What all repairs of one model are tried on: the model, what is given, and what it is looked at by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from torch import nn

from bezoar.records import Skipped
from bezoar.records.repairing import ModelCheck, TriggerSearch
from bezoar.repair.base import Progress
from bezoar.repair.checks.look import NOT_SEARCHED, NOT_SEARCHED_BEFORE, Looking, with_search
from bezoar.repair.checks.search import Suspected
from bezoar.repair.checks.turned import Turned
from bezoar.repair.given import Aimed, Given
from bezoar.repair.judgement import shown_by
from bezoar.training.clock import Clock

SEARCH = "search the results for a trigger"


@dataclass(frozen=True, eq=False)
class Met:
    """What a search of the model as it was given shows, and what stands out in it beside the trigger that is known.

    `kin` do what one of the suspected triggers does.
    """

    suspected: tuple[Suspected, ...] = ()
    searches: tuple[TriggerSearch, ...] | Skipped = NOT_SEARCHED_BEFORE
    kin: tuple[Aimed, ...] = ()


Others: TypeAlias = Callable[[], Met]
"""Makes that search, which takes minutes."""


@dataclass(frozen=True, eq=False)
class Case:
    """What all methods are tried on, and how.

    `kin` do what a known trigger does, and are learnt from by a repair that leaves them at work.
    """

    model: nn.Module
    given: Given
    by: Looking
    seed: int
    device: str
    progress: Progress
    clock: Clock
    kin: tuple[Aimed, ...] = ()

    def and_met(self, met: Met) -> Case:
        """The same with further triggers to take out and to look at, and with what the model is known to show."""
        shown = self.by.shown if isinstance(met.searches, Skipped) else shown_by(met.searches)
        by = replace(self.by.and_further(met.suspected), shown=shown)
        return replace(self, given=replace(self.given, further=by.further), by=by, kin=(*self.kin, *met.kin))

    def and_turned(self, turned: Turned) -> Case:
        """The same with further suspects."""
        return replace(self, given=turned.among(self.given))

    def and_supposed(self, more: Sequence[Aimed]) -> Case:
        """The same with further triggers to learn from."""
        given = replace(self.given, supposed=(*self.given.supposed, *more))
        return replace(self, given=given, kin=tuple(one for one in self.kin if one not in more))

    def and_signs(self, signs: Sequence[Aimed]) -> Case:
        """The same with further triggers to learn from, and a search by a seed that found none of them."""
        return replace(self.and_supposed(signs), by=replace(self.by, seed=self.by.seed + 1))

    def with_search(self, repaired: nn.Module, check: ModelCheck) -> tuple[ModelCheck, tuple[Suspected, ...]]:
        """A look with the search, if that was spared, and what stands out by it."""
        if check.searches != NOT_SEARCHED:
            return check, ()
        with self.clock.stage(SEARCH):
            return with_search(repaired, check, self.by, self.progress)
