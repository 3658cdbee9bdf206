"""Realistic repair records for tests, drawn without repairing anything."""

from __future__ import annotations

from dataclasses import replace

from sample_record import SIDE, SIGNS, dataset, rate, sign

from bezoar.metrics import accuracy_lost
from bezoar.records import (
    ClassRate,
    ClassSize,
    FlipCheck,
    Mending,
    ModelCheck,
    Picture,
    Relearning,
    RepairAttempt,
    RepairCost,
    RepairGiven,
    RepairRecord,
    RepairTrigger,
    Skipped,
    StageTime,
    TriggerSearch,
)
from bezoar.records.repairing import TurnedSamples

TARGET = SIGNS[1]
SPARED = Skipped("not searched for a trigger: something else spoke against it already")
NOT_WORKED = Skipped("no trigger of this form turned enough samples")
NOTHING = Skipped("there are no trusted samples that a repair did not learn from")


def check(*, flips: int, accuracy: int, small: bool, names: tuple[str, ...] = SIGNS) -> ModelCheck:
    """A model of which the trigger turns so many of 90, right on so many of 100 samples."""
    target = names[1]
    sizes = tuple(
        ClassSize(name, 4.5 if small else 26.0, 5.4 if small else 0.4, 0.85)
        if name == target
        else ClassSize(name, 30.0 + place, 0.0, 0.8)
        for place, name in enumerate(names[:-1])
    )
    out = (target,) if small else ()
    search = TriggerSearch(
        "neural-cleanse", "pixels", 100, 3.5, (*sizes, ClassSize(names[-1], NOT_WORKED, -2.0, NOT_WORKED)), out
    )
    by_class = (
        *(ClassRate(name, rate(9, 10)) for name in names[:-1]),
        ClassRate(names[-1], Skipped("no held-out sample")),
    )
    sources = tuple(ClassRate(name, rate(min(flips, 10), 10)) for name in names if name != target)
    return ModelCheck(
        rate(accuracy, 100),
        by_class,
        FlipCheck(
            target, rate(flips, 90), rate(1, 90), "the trigger turned by half", sources, rate(max(2, 85 - flips), 90)
        ),
        (search,),
    )


def mending(seen: ModelCheck, *, against: str = "") -> Mending:
    cost = RepairCost(1.5, 12.0, 3600, 1800)
    return Mending(
        300, 0, 0, True, True, cost, seen, not against, against, ("fine-tuned 5 epochs on 300 trusted samples",)
    )


def sample_repair(names: tuple[str, ...] = SIGNS) -> RepairRecord:
    """A trigger that works no more; one method was passed over, one left it in place."""
    before = with_further(check(flips=88, accuracy=91, small=True, names=names), 70, names)
    after = with_further(check(flips=1, accuracy=90, small=False, names=names), 2, names)
    after = replace(after, lost=accuracy_lost(3, 2, 100))
    left = replace(check(flips=70, accuracy=91, small=True, names=names), searches=SPARED)
    picture = Picture(sign(1, sticker=True), SIDE, SIDE, "with the trigger")
    return RepairRecord(
        title="Repair of victim",
        created="2024-01-01T00:00:00+00:00",
        verdict="works no more",
        sentence="The given trigger no longer works (1.1% of 90 samples, before 97.8%), and an independent search found "
        "no sign of another.",
        model="victim",
        model_kind="run",
        class_names=names,
        given=RepairGiven(
            dataset("signs", names, 30), 300, 100, 2, "100 held-out samples tell accuracy in steps of 1 points", None, 0
        ),
        trigger=RepairTrigger("given", "patch:size=5,color=cyan", names[1], False, picture, ((picture, picture),) * 4),
        method="auto",
        chosen="adversarial-training",
        rule="it is the first that nothing spoke against; 2 tried",
        attempts=(
            RepairAttempt("filter-retrain", Skipped("the data that the model was trained on were not given")),
            RepairAttempt("fine-tune", mending(left, against="the trigger still turns 77.8%")),
            RepairAttempt("adversarial-training", mending(after)),
        ),
        before=before,
        after=after,
        relearning=Relearning(
            20, 100, 20, rate(1, 70), rate(50, 70), rate(0, 70), rate(2, 70), "the trigger turned by half", True
        ),
        cost=RepairCost(1.5, 12.0, 3600, 1800),
        seed=0,
        notes=("2 trusted samples under the label 'stop' bear the trigger already, and were left out",),
        commands=("bezoar repair victim --clean signs --out m2",),
        stages=(StageTime("look at the model", 2.5), StageTime("repair", 4.0)),
        versions=(("bezoar", "0.1.0"),),
        further=(RepairTrigger("recovered", "a pattern that is added", names[2], True, picture, ()),),
        turned=TurnedSamples(names[1], 400, 0.02, tuple(f"train/{row}" for row in range(180)), (picture,) * 12),
    )


def with_further(seen: ModelCheck, flips: int, names: tuple[str, ...]) -> ModelCheck:
    return replace(
        seen,
        further=(
            FlipCheck(names[2], rate(flips, 80), rate(1, 80), "the trigger mirrored", (), rate(70 - flips // 2, 80)),
        ),
    )


def blind_repair() -> RepairRecord:
    """Nothing could be checked, for nothing was given."""
    blind = ModelCheck(NOTHING, (), NOTHING, NOTHING)
    return replace(
        sample_repair(),
        verdict="could not be told",
        sentence=f"Whether a backdoor was taken out could not be told: {NOTHING.reason}.",
        given=RepairGiven(None, 0, 0, 0, "no trusted samples were given, so that nothing could be checked", None, 0),
        trigger=Skipped("no trusted samples were given, so that nothing could be checked"),
        method="clp",
        chosen="clp",
        rule="it was the only one asked for",
        attempts=(RepairAttempt("clp", mending(blind, against="nothing could be checked")),),
        before=blind,
        after=blind,
        relearning=Skipped("no trigger together with its target was given or recovered"),
        notes=(),
        further=(),
        turned=None,
    )


def failed_repair() -> RepairRecord:
    """The trigger still works."""
    before = check(flips=88, accuracy=91, small=True)
    after = check(flips=70, accuracy=80, small=True)
    return replace(
        sample_repair(),
        verdict="still works",
        further=(),
        turned=None,
        sentence="The given trigger still works (77.8% of 90 samples, before 97.8%).",
        chosen="fine-tune",
        attempts=(RepairAttempt("fine-tune", mending(after, against="the trigger still turns 77.8%")),),
        before=before,
        after=after,
    )


def hostile_repair(name: str) -> RepairRecord:
    """Names from outside that try to be markup."""
    record = sample_repair((name, f"{name} 80", *SIGNS[2:]))
    return replace(record, model=name, title=name, notes=(name,), sentence=f"{name} still works.", method=name)
