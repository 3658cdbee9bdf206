"""The automatic choice: cheap repairs first, judged by what a defender sees, until one is good."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from torch import nn

from bezoar.errors import ModelError, TrainingError
from bezoar.records import Rate, Skipped
from bezoar.records.repairing import AccuracyLost, FlipCheck, Mending, ModelCheck, RepairAttempt, RepairCost
from bezoar.registry import Registry, split_spec
from bezoar.repair.base import REPAIRS, Progress, Repair, Repaired, require, unheard
from bezoar.repair.checks.look import NOT_SEARCHED, Looking, further_flips, look, with_search
from bezoar.repair.checks.search import Suspected
from bezoar.repair.given import Given
from bezoar.training.clock import Clock
from bezoar.training.listening import Silence

CHEAP_FIRST = (
    "unlearn",
    "adversarial-training",
    "adversarial-training:distillation=0",
    "unlearn:distillation=0",
    "ft-sam",
    "i-bau",
    "anp",
    "fine-prune",
    "tsbd",
    "nad",
    "clp",
    "filter-retrain",
)
"""Plain fine-tuning is not among them: it is known to leave strong backdoors in place. A network that was trained too
briefly is kept from learning by its own answers, and does better by labels alone: held-out accuracy tells."""
USUAL_LOSS, SURE = 0.02, 2.0
"""What repairs in this order usually lose, up or down, by which a measured loss is judged; and how many standard errors
make one certain."""
UNCHECKED = "nothing could be checked"
LOOK, SEARCH = "look at the results", "search the results for a trigger"
"""Stages that every method goes through after it."""
OTHERS = "search the model for other triggers"
Others: TypeAlias = Callable[[], tuple[Suspected, ...]]
"""What stands out in the model beside the trigger that is known."""
CHOICES: Registry[Auto] = Registry("choice of repairs")


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


@dataclass(frozen=True, eq=False)
class Tried:
    """A repair that gave a model, and what is seen of that."""

    method: str
    repaired: Repaired
    seconds: float
    check: ModelCheck
    judgement: Judgement

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

    @property
    def cost(self) -> RepairCost:
        """What it cost, the looks at it left out."""
        cost = self.repaired.cost
        return RepairCost(self.seconds, cost.epochs_equivalent, cost.samples_forward, cost.samples_backward)


@dataclass(frozen=True, eq=False)
class Choice:
    """The repair that was chosen, by which rule, and all attempts in their order.

    `others` are triggers that were met on the way and taken out with the first.
    """

    best: Tried
    rule: str
    attempts: tuple[RepairAttempt, ...]
    others: tuple[Suspected, ...] = ()


@dataclass(frozen=True, eq=False)
class _Case:
    """What all methods are tried on, and how."""

    model: nn.Module
    given: Given
    by: Looking
    seed: int
    device: str
    progress: Progress
    clock: Clock

    def and_further(self, found: Sequence[Suspected]) -> _Case:
        """The same with further triggers to take out and to look at."""
        by = self.by.and_further(found)
        return replace(self, given=replace(self.given, further=by.further), by=by)

    def with_search(self, repaired: nn.Module, check: ModelCheck) -> ModelCheck:
        """A look with the search, if that was spared."""
        if check.searches != NOT_SEARCHED:
            return check
        with self.clock.stage(SEARCH):
            return with_search(repaired, check, self.by, self.progress)


@CHOICES.register("auto")
@dataclass(frozen=True, kw_only=True)
class Auto:
    """Try the `methods` in their order, each on the model as it was given, and stop at the first that is good.

    Good is a loss of accuracy of at most `allowed_loss`; flips of at most `allowed_flips`, of one sample, or those of
    the control; and a search that finds no class to stand out. Where none is good that model is taken of which flips
    left and accuracy lost add up to least.

    A repair that loses nothing changes some 8% of the answers, and so seems to lose 1.2 points of 562 samples, or 5
    of 25, one time in six. So a measured loss is shrunk towards none, by its standard error beside the 2 points that
    repairs usually lose; and one that is more than two standard errors beyond what is allowed counts in any case.
    """

    allowed_loss: float = 0.015
    allowed_flips: float = 0.05
    methods: tuple[str, ...] = CHEAP_FIRST

    def __post_init__(self) -> None:
        require(
            "auto",
            allowed_loss=(self.allowed_loss, 0, 1),
            allowed_flips=(self.allowed_flips, 0, 1),
        )

    def repairs(self) -> tuple[Repair, ...]:
        """The methods. Raises SpecError for one that is none."""
        return tuple(REPAIRS.create(spec) for spec in self.methods)

    def choose(
        self,
        model: nn.Module,
        given: Given,
        by: Looking,
        *,
        seed: int,
        device: str = "auto",
        progress: Progress = unheard,
        clock: Clock | None = None,
        others: Others = tuple,
    ) -> Choice | Skipped:
        """The best repair of `model`, or why there is none.

        `given.trusted` must not hold what is looked at; `by` compares with `model`. Where the search on a result finds
        a class that no trigger is known of, `others` is asked, once, for what stands out in `model` beside the known
        trigger, and the repair is done again with it.

        With several methods one that diverges is passed over; a single one raises TrainingError. The clock hears of
        every method, and of the searches on what they make.
        """
        case = _Case(model, given, by, seed, device, progress, clock or Clock(Silence()))
        attempts: list[RepairAttempt] = []
        tried: list[Tried] = []
        met: tuple[Suspected, ...] | None = None
        for repair in self.repairs():
            found = self._try(repair, case)
            if met is None and isinstance(found, Tried) and _unknown(found.check, case):
                with case.clock.stage(OTHERS):
                    met = others()
                if met:
                    case = case.and_further(met)
                    tried = [self._seen_again(one, case) for one in tried]
                    found = self._try(repair, case)
            if isinstance(found, Skipped):
                attempts.append(RepairAttempt(_spec(repair), found))
                continue
            tried.append(found)
            attempts.append(found.told())
            if not found.judgement.against:
                break
        if not tried:
            return Skipped("; ".join(f"{one.method}: {_reason(one)}" for one in attempts))
        return replace(self._best(tried, attempts, case), others=met or ())

    def _try(self, repair: Repair, case: _Case) -> Tried | Skipped:
        started = time.perf_counter()
        with case.clock.stage(f"repair: {_spec(repair)}"):
            repaired = self._repaired(repair, case)
        seconds = time.perf_counter() - started
        if isinstance(repaired, Skipped):
            return repaired
        with case.clock.stage(LOOK):
            check = look(repaired.model, case.by, search=False)
        if not self.judged(check).against:
            check = case.with_search(repaired.model, check)
        return Tried(_spec(repair), repaired, seconds, check, self.judged(check))

    def _seen_again(self, one: Tried, case: _Case) -> Tried:
        """What was tried, with what further triggers still turn."""
        check = replace(one.check, further=further_flips(one.repaired.model, case.by))
        return replace(one, check=check, judgement=self.judged(check))

    def _repaired(self, repair: Repair, case: _Case) -> Repaired | Skipped:
        try:
            return repair.repair(case.model, case.given, seed=case.seed, device=case.device, progress=case.progress)
        except ModelError:
            raise
        except TrainingError as error:
            if len(self.methods) == 1:
                raise
            return Skipped(f"it failed: {error}")

    def _best(self, tried: Sequence[Tried], attempts: Sequence[RepairAttempt], case: _Case) -> Choice:
        best = min(tried, key=lambda one: one.judgement.harm)
        check = case.with_search(best.repaired.model, best.check)
        best = replace(best, check=check, judgement=self.judged(check))
        told = tuple(best.told() if one.method == best.method else one for one in attempts)
        return Choice(best, self._rule(best, len(tried)), told)

    def _rule(self, best: Tried, tried: int) -> str:
        if len(self.methods) == 1:
            return "it was the only one asked for"
        if isinstance(best.check.accuracy, Skipped):
            return f"it was the first that could be done; {UNCHECKED}"
        if not best.judgement.against:
            return f"it is the first for which all spoke that was looked at; {tried} tried"
        return f"of {tried} tried none was good; with this one flips left and accuracy lost add up to least"

    def judged(self, after: ModelCheck) -> Judgement:
        """What speaks against a repaired model."""
        against: list[str] = []
        lost = left = 0.0
        if after.lost is not None:
            lost, error = likely_loss(after.lost), after.lost.error
            if lost > self.allowed_loss or after.lost.lost > self.allowed_loss + SURE * error:
                against.append(f"accuracy fell by {100 * after.lost.lost:.1f} points, give or take {100 * error:.1f}")
        for flips, named in ((after.flips, "the trigger"), *((one, _further(one)) for one in after.further)):
            if not isinstance(flips, Skipped):
                left = max(left, flips.flips.value)
                if flips.flips.value > self.flips_allowed(flips):
                    against.append(f"{named} still turns {flips.flips.value:.1%}")
        for detector, name, share in standing_out(after):
            left = max(left, share)
            against.append(f"{detector} finds signs of a backdoor towards {name!r}")
        return Judgement(left, lost, tuple(against))

    def flips_allowed(self, flips: FlipCheck) -> float:
        """The share of flips that is no reason for suspicion: the limit, one sample, or what the control does."""
        control = flips.control.value if isinstance(flips.control, Rate) else 0.0
        return max(self.allowed_flips, control, 1 / flips.flips.trials)


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


def _unknown(check: ModelCheck, case: _Case) -> bool:
    """Whether a search found a class that no known trigger leads to."""
    if check.further or case.given.trigger is None or case.by.held_out is None:
        return False
    known = None if case.by.target is None else case.by.held_out.class_names[case.by.target]
    return any(name != known for _, name, _ in standing_out(check))


def likely_loss(told: AccuracyLost) -> float:
    """The loss of accuracy to reckon with: less than was measured, and the less the fewer samples tell it."""
    return told.lost * USUAL_LOSS**2 / (USUAL_LOSS**2 + told.error**2)


def _further(flips: FlipCheck | Skipped) -> str:
    return "" if isinstance(flips, Skipped) else f"a further trigger, towards {flips.target!r},"


def _spec(repair: Repair) -> str:
    return REPAIRS.spec_of(repair)


def _reason(one: RepairAttempt) -> str:
    return one.outcome.reason if isinstance(one.outcome, Skipped) else ""


def choice_of(method: str) -> Auto:
    """The choice that a specification names; a single method is a choice of one. Raises SpecError for none."""
    name, _ = split_spec(method, (*CHOICES.names(), *REPAIRS.names()))
    auto = CHOICES.create(method) if name in CHOICES.names() else Auto(methods=(method,))
    auto.repairs()  # raises for a method that is none
    return auto
