"""What became of a model that was repaired: frozen dataclasses, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from bezoar.records.results import SCHEMA_VERSION, DatasetRecord, Picture, Rate, Skipped, StageTime

RepairVerdict: TypeAlias = Literal["works no more", "signs are left", "still works", "could not be told"]
NOT_ASKED = Skipped("it was not asked for when this was recorded")


@dataclass(frozen=True)
class ClassRate:
    """A rate among the samples of one true class."""

    class_name: str
    rate: Rate | Skipped


@dataclass(frozen=True)
class FlipCheck:
    """Held-out samples that the model gets right, none of the `target`: how many the trigger turns to it.

    `control` are the same samples with the trigger mirrored, as `control_kind` says; `by_source` is by true class.
    `rightly` are those that are still answered rightly with the trigger on.
    """

    target: str
    flips: Rate
    control: Rate | Skipped
    control_kind: str
    by_source: tuple[ClassRate, ...]
    rightly: Rate | Skipped = NOT_ASKED


@dataclass(frozen=True)
class ClassSize:
    """What a detector says of a class: its `statistic`, in spreads from the other classes, and its trigger's `size`.

    `flips` is the share of the clean samples that the trigger turns, of those that could be. A trigger is `new` that
    was found in a repaired model, turns few samples (less than 30%), and of the classes that it turns less than half as
    many in the model before the repair: nobody had put it there.
    """

    class_name: str
    size: float | Skipped
    statistic: float
    flips: float | Skipped
    new: bool = False


@dataclass(frozen=True)
class TriggerSearch:
    """A search by one detector of models for what leads to every class, sizes in `unit`.

    A class stands out whose statistic is more than `cut`; `samples` is on how many it searched.
    """

    detector: str
    unit: str
    samples: int
    cut: float
    classes: tuple[ClassSize, ...]
    stands_out: tuple[str, ...]


@dataclass(frozen=True)
class AccuracyLost:
    """By how much a repair lowered accuracy, in 0..1, and negative where it rose; `error` is its standard error.

    Of `trials` samples the model got `gone` right before the repair alone, and `come` after it alone.
    """

    lost: float
    error: float
    gone: int
    come: int
    trials: int


@dataclass(frozen=True)
class ModelCheck:
    """What a defender sees of a model, on clean samples that no repair learnt from.

    `lost` is told of a repaired model, beside the one before; `further` are the flips of each further trigger.
    """

    accuracy: Rate | Skipped
    by_class: tuple[ClassRate, ...]
    flips: FlipCheck | Skipped
    searches: tuple[TriggerSearch, ...] | Skipped
    lost: AccuracyLost | None = None
    further: tuple[FlipCheck | Skipped, ...] = ()


@dataclass(frozen=True)
class Relearning:
    """A few samples with the trigger back in, and a short fine-tuning of a copy: does the backdoor return at once?

    `stamped` samples got the trigger and the target's label, `beside` stayed clean, in `steps` steps. Rates are of
    other held-out samples, `before` and `after`; those of the control are of another copy, which learnt the trigger
    turned as `control_kind` says. `returns` where the trigger clearly comes further than it was before, and further
    than its control.
    """

    stamped: int
    beside: int
    steps: int
    before: Rate
    after: Rate
    control_before: Rate
    control_after: Rate
    control_kind: str
    returns: bool


@dataclass(frozen=True)
class TurnedSamples:
    """Training samples under the label `target` that a repair turned away from it: very likely they bear the trigger.

    Of `of` under that label that nobody suspected and that the model answered by it, it gives these a probability of it
    below 10%; `elsewhere` is the share (0..1) of samples under other labels of which that is true. `examples` shows
    some.
    """

    target: str
    of: int
    elsewhere: float
    ids: tuple[str, ...]
    examples: tuple[Picture, ...] = ()

    @property
    def share(self) -> float:
        """The share (0..1) of the samples under the target's label that were turned."""
        return len(self.ids) / self.of

    @property
    def chance(self) -> float:
        """The chance (0..1) that a turned sample bears the trigger, if under that label as many are merely hard."""
        return max(0.0, 1 - self.elsewhere / self.share)


@dataclass(frozen=True)
class RepairGiven:
    """What a defender handed over. `learnt_from` of the trusted samples the repairs may see, `held_out` they may not.

    `left_out` are trusted samples that were not used, since they seem to be poisoned themselves; `coarse` says how fine
    the held-out samples can tell. `trusted` are those that repairs learnt from, `handed_over` the digest of all.
    """

    trusted: DatasetRecord | None
    learnt_from: int
    held_out: int
    left_out: int
    coarse: str
    training: DatasetRecord | None
    suspects: int
    handed_over: str | None = None


@dataclass(frozen=True)
class RepairTrigger:
    """The trigger that the repairs were given and tried by: handed over by the user, or recovered from the model.

    `stood_out` says whether a recovered one was far smaller than those towards other classes. `pattern` shows it alone,
    `examples` held-out samples before and after it was put on.
    """

    origin: Literal["given", "recovered"]
    description: str
    target: str
    stood_out: bool
    pattern: Picture | None
    examples: tuple[tuple[Picture, Picture], ...]


@dataclass(frozen=True)
class RepairCost:
    """Wall seconds, samples through the network and back, and the same in epochs of the data at hand."""

    seconds: float
    epochs_equivalent: float
    samples_forward: int
    samples_backward: int


@dataclass(frozen=True)
class Mending:
    """One repair that was tried: what of all that was given it used, what it cost, and what came of it.

    `good` says whether all that was looked at spoke for it, `why` what spoke against it.
    """

    trusted: int
    training: int
    suspects: int
    trigger: bool
    target: bool
    cost: RepairCost
    check: ModelCheck
    good: bool
    why: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class RepairAttempt:
    """A method by its specification, and what came of it, or why it was not done."""

    method: str
    outcome: Mending | Skipped


@dataclass(frozen=True)
class RepairRecord:
    """A whole repair. `method` is what was asked for, `chosen` the one whose model was kept, `rule` why.

    `before` and `after` look at the same held-out samples. `sentence` is the verdict in words; it never says more than
    that nothing was found any more. `further` triggers, towards other classes, were taken out with the first. `turned`
    are training samples that a first repair turned, and suspects for all that were tried after it.
    """

    title: str
    created: str
    verdict: RepairVerdict
    sentence: str
    model: str
    model_kind: str
    class_names: tuple[str, ...]
    given: RepairGiven
    trigger: RepairTrigger | Skipped
    method: str
    chosen: str
    rule: str
    attempts: tuple[RepairAttempt, ...]
    before: ModelCheck
    after: ModelCheck
    relearning: Relearning | Skipped
    cost: RepairCost
    seed: int
    notes: tuple[str, ...]
    commands: tuple[str, ...]
    stages: tuple[StageTime, ...]
    versions: tuple[tuple[str, str], ...]
    further: tuple[RepairTrigger, ...] = ()
    turned: TurnedSamples | None = None
    schema_version: int = SCHEMA_VERSION
    kind: Literal["repair"] = "repair"
