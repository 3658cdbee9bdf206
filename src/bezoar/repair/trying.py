"""Repairs of one model, tried one after the other, each on all that was learnt from those before it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from bezoar.errors import ModelError, TrainingError
from bezoar.records import Rate, Skipped
from bezoar.records.repairing import Mending, ModelCheck, RepairAttempt, RepairCost, TurnedSamples
from bezoar.repair.base import REPAIRS, Repair, Repaired
from bezoar.repair.case import Case, Met, Others
from bezoar.repair.checks.kin import still_leading
from bezoar.repair.checks.learnt import all_learnt
from bezoar.repair.checks.look import further_flips, look
from bezoar.repair.checks.search import Suspected
from bezoar.repair.checks.turned import Labelled, Turned, labelled
from bezoar.repair.judgement import Judge, Judgement, standing_out

UNCHECKED = "nothing could be checked"
LOOK = "look at the results"
OTHERS, TURNED = "search the model for other triggers", "ask which training samples a repair turns"
KIN = "ask what is like the trigger and works as before"
LEARN = "learn from what the search found"
MOST_ROUNDS, MOST_SIGNS = 3, 2
"""So often what is turned makes further suspects, and signs on a result make further triggers, all methods together."""
TAKEN_OUT = 0.5
"""A repair that leaves the trigger less than this took it out so far that it tells which samples bear it."""


@dataclass(frozen=True, eq=False)
class Tried:
    """A repair that gave a model, and what is seen of that; `signs` are triggers that a search of it found."""

    method: str
    repaired: Repaired
    seconds: float
    check: ModelCheck
    judgement: Judgement
    signs: tuple[Suspected, ...] = ()

    def told(self) -> RepairAttempt:
        """As a record."""
        used, against = self.repaired.used, self.judgement.against
        outcome = Mending(
            **vars(used),
            cost=self.cost,
            check=self.check,
            good=isinstance(self.check.accuracy, Rate) and not against,
            why="; ".join(against) if isinstance(self.check.accuracy, Rate) else UNCHECKED,
            notes=self.repaired.notes,
        )
        return RepairAttempt(self.method, outcome)

    def noting(self, what: str) -> Tried:
        """The same, with something more that is worth telling of the repair."""
        return replace(self, repaired=replace(self.repaired, notes=(*self.repaired.notes, what)))

    @property
    def cost(self) -> RepairCost:
        """What it cost, the looks at it left out."""
        cost = self.repaired.cost
        return RepairCost(self.seconds, cost.epochs_equivalent, cost.samples_forward, cost.samples_backward)


@dataclass(frozen=True, eq=False)
class Choice:
    """The repair that was chosen, by which rule, and all attempts in their order.

    `met` are triggers that were met on the way and taken out with the first, by a search of the model if one was made;
    `turned` training samples that a first repair turned away from their label, and that were suspects for the next.
    """

    best: Tried
    rule: str
    attempts: tuple[RepairAttempt, ...]
    met: Met
    turned: TurnedSamples | None = None


class Trials:
    """What was tried so far, what was met on the way, and so what the next repair is given.

    Where the search on a result finds a class that no trigger is known of, `others` is asked, once, for what stands
    out in the model beside the known trigger, and the repair is done again with it. One that learns from triggers is
    done again with kin that it left at work, and with what the search on its result finds towards a known target.
    `alone` says that one method is all there is to try, so that it learns from kin at most, and raises TrainingError
    where it diverges; among several one that diverges is passed over, and one that takes the trigger out is done again
    with the training samples that it turned among the suspects, while these become clearly more. `turned` are suspects
    of that kind already.
    """

    def __init__(self, case: Case, judge: Judge, others: Others, *, alone: bool, turned: Turned | None = None) -> None:
        self.case, self.judge, self.alone = case, judge, alone
        self.tried: list[Tried] = []
        self.attempts: list[RepairAttempt] = []
        self.turned, self._rounds, self._learnt = turned, 0, 0
        self.met: Met | None = None
        self._others = others
        self._labelled: Labelled | None = None

    def goes_well(self, repair: Repair) -> bool:
        """Try a repair. Whether nothing speaks against what came of it."""
        found = self._searched(self._attempt(repair, heeding=True))
        if isinstance(found, Tried) and self._meets_others(found):
            self.tried = [self._seen_again(one) for one in self.tried]
            found = self._searched(self._attempt(repair, heeding=False))
        elif isinstance(found, Tried):
            found = replace(found, judgement=self._judged(found.check))
        while isinstance(found, Tried) and (signs := self._learns_signs(found)):
            again = self._searched(self._attempt(repair, heeding=False))
            if isinstance(again, Skipped) or _worse(again.judgement, found.judgement):
                break
            found = again.noting(f"done again with {signs} triggers that a search of its first result found")
        if isinstance(found, Skipped):
            self.attempts.append(RepairAttempt(_spec(repair), found))
            return False
        self.tried.append(found)
        self.attempts.append(found.told())
        return not found.judgement.against

    def best(self, rule: Callable[[Tried, int], str]) -> Choice | Skipped:
        """A good one, else that of which flips left and accuracy lost add up to least, or why there is none."""
        if not self.tried:
            return Skipped("; ".join(f"{one.method}: {_reason(one)}" for one in self.attempts))
        best = min(self.tried, key=lambda one: (bool(one.judgement.against), one.judgement.harm))
        check, _ = self.case.with_search(best.repaired.model, best.check)
        best = replace(best, check=check, judgement=self._judged(check))
        told = tuple(best.told() if one.method == best.method else one for one in self.attempts)
        turned = None if self.turned is None else self.turned.likely
        return Choice(best, rule(best, len(self.tried)), told, self.met or Met(), turned)

    def _attempt(self, repair: Repair, *, heeding: bool) -> Tried | Skipped:
        """One repair, looked at without a search; done again where it tells what else bears the trigger."""
        found = self._once(repair)
        if isinstance(found, Tried) and (left := self._learns_kin(found)):
            again = self._once(repair)
            if isinstance(again, Tried) and not _worse(again.judgement, found.judgement):
                found = again.noting(f"done again with {left} triggers that are like a known one and worked as before")
        while heeding and isinstance(found, Tried) and self._learns_what_is_turned(found):
            again = self._once(repair)
            if isinstance(again, Skipped) or _worse(again.judgement, found.judgement):
                return found
            found = again
        return found

    def _once(self, repair: Repair) -> Tried | Skipped:
        case, started = self.case, time.perf_counter()
        with case.clock.stage(f"repair: {_spec(repair)}"):
            repaired = self._repaired(repair)
        seconds = time.perf_counter() - started
        if isinstance(repaired, Skipped):
            return repaired
        with case.clock.stage(LOOK):
            check = look(repaired.model, case.by)
        return Tried(_spec(repair), repaired, seconds, check, self._judged(check))

    def _repaired(self, repair: Repair) -> Repaired | Skipped:
        case = self.case
        try:
            return repair.repair(case.model, case.given, seed=case.seed, device=case.device, progress=case.progress)
        except ModelError:
            raise
        except TrainingError as error:
            if self.alone:
                raise
            return Skipped(f"it failed: {error}")

    def _searched(self, found: Tried | Skipped) -> Tried | Skipped:
        """With a search, where nothing else speaks against it."""
        if isinstance(found, Skipped) or found.judgement.against:
            return found
        check, signs = self.case.with_search(found.repaired.model, found.check)
        return replace(found, check=check, judgement=self._judged(check), signs=signs)

    def _learns_what_is_turned(self, found: Tried) -> bool:
        """Whether the repair tells of training samples that bear the trigger, suspects from now on."""
        case, flips = self.case, found.check.flips
        if self.alone or self._rounds >= MOST_ROUNDS or case.given.training is None:
            return False
        if isinstance(flips, Skipped) or flips.flips.value > TAKEN_OUT:
            return False
        with case.clock.stage(TURNED):
            if self._labelled is None:
                self._labelled = labelled(case.model, case.given, seed=case.seed, device=case.device)
            turned = None if self._labelled is None else self._labelled.turned_by(found.repaired.model)
        if turned is None or not turned.goes_beyond(self.turned):
            return False
        self.turned, self._rounds = turned.beside(self.turned), self._rounds + 1
        self.case = case.and_turned(self.turned)
        return True

    def _learns_kin(self, found: Tried) -> int:
        """How many kin of the known triggers the repair left at work: learnt from now on."""
        case, trusted = self.case, self.case.given.trusted
        if trusted is None or not case.kin or not found.repaired.used.trigger:
            return 0
        with case.clock.stage(KIN):
            left = still_leading(found.repaired.model, trusted, case.kin, seed=case.seed, device=case.device)
        self.case = case.and_supposed(left)
        return len(left)

    def _learns_signs(self, found: Tried) -> int:
        """How many further triggers a search shows, towards a class that a known one leads to: learnt from now on."""
        case, trusted = self.case, self.case.given.trusted
        if self.alone or self._learnt >= MOST_SIGNS or trusted is None or not found.repaired.used.trigger:
            return 0  # what learns from no trigger would be the same model, searched until nothing is found
        known = {case.by.target, *(one.target for one in case.by.further)}
        signs = [one for one in found.signs if one.target in known]
        if not signs:
            return 0
        with case.clock.stage(LEARN):
            learnt = all_learnt(found.repaired.model, trusted, signs, seed=case.seed, device=case.device)
        self._learnt += 1
        self.case = case.and_signs(learnt)
        return len(learnt)

    def _meets_others(self, found: Tried) -> bool:
        """Whether further triggers were met: by a search of the model that is made once, if a result gives reason."""
        if self.met is not None or not _unknown(found.check, self.case):
            return False
        with self.case.clock.stage(OTHERS):
            self.met = self._others()
        self.case = self.case.and_met(self.met)
        return bool(self.met.suspected)

    def _judged(self, check: ModelCheck) -> Judgement:
        return self.judge(check, self.case.by.shown)

    def _seen_again(self, one: Tried) -> Tried:
        """What was tried, with what further triggers still turn."""
        check = replace(one.check, further=further_flips(one.repaired.model, self.case.by))
        return replace(one, check=check, judgement=self._judged(check))


def _worse(again: Judgement, first: Judgement) -> bool:
    """Whether there is more against a repair than against the first: one that is good is preferred to the first."""
    return bool(again.against) and (not first.against or again.harm > first.harm)


def _unknown(check: ModelCheck, case: Case) -> bool:
    """Whether a search found a class that no known trigger leads to."""
    if check.further or case.given.trigger is None or case.by.held_out is None:
        return False
    known = None if case.by.target is None else case.by.held_out.class_names[case.by.target]
    return any(name != known for _, name, _ in standing_out(check))


def _spec(repair: Repair) -> str:
    return REPAIRS.spec_of(repair)


def _reason(one: RepairAttempt) -> str:
    return one.outcome.reason if isinstance(one.outcome, Skipped) else ""
