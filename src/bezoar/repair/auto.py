"""The automatic choice: cheap repairs first, judged by what a defender sees, until one is good."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from bezoar.records import Rate, Skipped
from bezoar.records.repairing import AccuracyLost, FlipCheck, ModelCheck
from bezoar.registry import Registry, split_spec
from bezoar.repair.base import REPAIRS, Progress, Repair, require, unheard
from bezoar.repair.case import Case, Met, Others
from bezoar.repair.checks.look import Looking
from bezoar.repair.checks.turned import Turned
from bezoar.repair.given import Aimed, Given
from bezoar.repair.judgement import (
    OF_ONE_CLASS,
    SURE,
    Judgement,
    fallen,
    further_one,
    hit_source,
    likely_loss,
    of_source,
    standing_out,
)
from bezoar.repair.trying import UNCHECKED, Choice, Trials, Tried
from bezoar.training.clock import Clock
from bezoar.training.listening import Silence

CHEAP_FIRST = (
    "unlearn",
    "adversarial-training",
    "adversarial-training:distillation=0",
    "unlearn:distillation=0",
    "unlearn:of=trigger-alone",
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
MOST_BY_NATURE = 0.15
"""A control that turns more is no measure of what sound models do, but a trigger itself: noise mirrored is noise."""
CHOICES: Registry[Auto] = Registry("choice of repairs")


@CHOICES.register("auto")
@dataclass(frozen=True, kw_only=True)
class Auto:
    """Try the `methods` in their order, each on the model as it was given, and stop at the first that is good.

    Good is a loss of accuracy of at most `allowed_loss`; flips of at most `allowed_flips`, of one sample, or those of
    the control where that turns few; and a search that finds no class to stand out. Where none is good that model is
    taken of which flips left and accuracy lost add up to least.

    With training data, the first repair that takes the trigger out tells which of them bear it: those that it turns
    away from the target's label. It is done again with these among the suspects.

    A repair that loses nothing changes some 8% of the answers, and so seems to lose 1.2 points of 562 samples, or 5
    of 25, one time in six. So a measured loss is shrunk towards none, by its standard error beside the 2 points that
    repairs usually lose; and one that is more than two standard errors beyond what is allowed counts in full.
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

    @property
    def alone(self) -> bool:
        """Whether one method is all there is to try."""
        return len(self.methods) == 1

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
        others: Others = Met,
        turned: Turned | None = None,
        kin: tuple[Aimed, ...] = (),
    ) -> Choice | Skipped:
        """The best repair of `model`, or why there is none.

        `given.trusted` must not hold what is looked at; `by` compares with `model`. `others` is asked for what stands
        out in `model` beside the known trigger, see `Trials`; `turned` are suspects that a repair showed already, and
        `kin` do what a known trigger does. The clock hears of every method and search. Raises TrainingError where a
        single method diverges.
        """
        case = Case(model, given, by, seed, device, progress, clock or Clock(Silence()), kin)
        trials = Trials(case, self.judged, others, alone=self.alone, turned=turned)
        for repair in self.repairs():
            if trials.goes_well(repair):
                break
        return trials.best(self._rule)

    def _rule(self, best: Tried, tried: int) -> str:
        if self.alone:
            return "it was the only one asked for"
        if isinstance(best.check.accuracy, Skipped):
            return f"it was the first that could be done; {UNCHECKED}"
        if not best.judgement.against:
            return f"it is the first that nothing spoke against; {tried} tried"
        return f"none of {tried} tried was good; flips left and accuracy lost together are least with it"

    def judged(self, after: ModelCheck, shown: frozenset[str] | None = None) -> Judgement:
        """What speaks against a repaired model.

        `shown` are the classes that stood out before, None where nobody looked. One that stands out since the repair
        alone counts for nothing: no attacker put it there, and no other repair would know of it either.
        """
        against: list[str] = []
        lost = left = 0.0
        if after.lost is not None:
            lost = after.lost.lost if self.surely_loses(after.lost) else likely_loss(after.lost)
            if self.loses_too_much(after.lost):
                against.append(fallen(after.lost))
        aimed = {one.target for one in (after.flips, *after.further) if not isinstance(one, Skipped)}
        for flips, named in ((after.flips, "the trigger"), *((one, further_one(one)) for one in after.further)):
            if not isinstance(flips, Skipped):
                left = max(left, flips.flips.value)
                if self.still_turns(flips):
                    against.append(f"{named} still turns {flips.flips.value:.1%}{of_source(flips)}")
        for detector, name, share in standing_out(after):
            if shown is not None and name not in shown and name not in aimed:
                continue
            left = max(left, share)
            against.append(f"{detector} finds signs of a backdoor towards {name!r}")
        return Judgement(left, lost, tuple(against))

    def loses_too_much(self, lost: AccuracyLost) -> bool:
        """Whether accuracy fell by more than is allowed, chance allowed for."""
        return likely_loss(lost) > self.allowed_loss or self.surely_loses(lost)

    def surely_loses(self, lost: AccuracyLost) -> bool:
        """Whether chance alone does not explain that more accuracy was lost than is allowed."""
        return lost.lost > self.allowed_loss + SURE * lost.error

    def still_turns(self, flips: FlipCheck) -> bool:
        """Whether a trigger turns more than is allowed: of all samples, or of one true class by far."""
        return flips.flips.value > self.flips_allowed(flips) or hit_source(flips, OF_ONE_CLASS) is not None

    def flips_allowed(self, flips: FlipCheck) -> float:
        """The share of flips that is no reason for suspicion: the limit, one sample, or what a weak control does."""
        control = flips.control.value if isinstance(flips.control, Rate) else 0.0
        by_nature = control if control <= MOST_BY_NATURE else 0.0
        return max(self.allowed_flips, by_nature, 1 / flips.flips.trials)


def choice_of(method: str) -> Auto:
    """The choice that a specification names; a single method is a choice of one. Raises SpecError for none."""
    name, _ = split_spec(method, (*CHOICES.names(), *REPAIRS.names()))
    auto = CHOICES.create(method) if name in CHOICES.names() else Auto(methods=(method,))
    auto.repairs()  # raises for a method that is none
    return auto
