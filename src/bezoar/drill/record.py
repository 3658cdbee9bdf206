"""From the parts of a drill to its record."""

from __future__ import annotations

from collections.abc import Mapping

from bezoar.data.dataset import Dataset
from bezoar.drill.evaluate import Evaluation, source_rows
from bezoar.drill.pictures import picture_pairs
from bezoar.drill.state import DrillState, made
from bezoar.drill.versions import now, versions
from bezoar.metrics import accuracy_alarm, visibility
from bezoar.records import AttackRecord, DrillRecord, ModelResult, MonitoringAnswer, Skipped, Visibility
from bezoar.training import Trained
from bezoar.triggers import TRIGGERS, Trigger
from bezoar.truth import PoisonTruth

PICTURES = 12
VISIBILITY_IMAGES = 500


def drill_record(state: DrillState) -> DrillRecord:
    """The record of a drill whose stages have all run."""
    plan, test = state.plan, made(state.test, "test data")
    poisoned, victim = made(state.poisoned, "poisoned data"), made(state.victim, "victim")
    evaluation = made(state.victim_evaluation, "measurement")
    trigger, relabelling = plan.attack.trigger, plan.attack.relabelling(test.class_names)
    return DrillRecord(
        title=plan.title,
        created=now(),
        dataset=made(state.train, "training data").record(),
        test_dataset=test.record(),
        attack=attack_record(poisoned.truth, len(poisoned.data)),
        victim=ModelResult("victim", victim.record, evaluation.measurement),
        twin=twin_result(state.twin, state.twin_evaluation),
        visibility=trigger_visibility(trigger, test, relabelling),
        saturation=poisoned.saturation,
        monitoring=monitoring_answer(test, evaluation, state.twin_evaluation),
        pairs=picture_pairs(test, trigger, evaluation, tuple(relabelling), count=PICTURES, seed=plan.seed),
        commands=plan.commands,
        stages=state.times,
        versions=versions(),
    )


def attack_record(truth: PoisonTruth, samples: int) -> AttackRecord:
    """What the attack did, for the record; `samples` is the size of the poisoned set."""
    originals = samples - (len(truth.samples) if truth.placement == "add" else 0)
    return AttackRecord(
        attack=truth.attack,
        trigger=truth.trigger,
        mode=str(getattr(TRIGGERS.create(truth.trigger), "mode", "replace")),
        sources=tuple(source for source, _ in truth.relabelling),
        relabelling=truth.relabelling,
        poisons=len(truth.samples),
        poison_rate=len(truth.samples) / originals,
        placement=truth.placement,
        seed=truth.seed,
    )


def twin_result(twin: Trained | None, evaluation: Evaluation | None) -> ModelResult | Skipped:
    """The clean twin's part of the record."""
    if twin is None or evaluation is None:
        return Skipped("no clean twin was trained")
    return ModelResult("clean twin", twin.record, evaluation.measurement)


def monitoring_answer(test: Dataset, victim: Evaluation, twin: Evaluation | None) -> MonitoringAnswer | Skipped:
    """Whether an alarm on overall accuracy would have gone off."""
    if twin is None:
        return Skipped("without a clean twin there is no accuracy to compare with")
    return accuracy_alarm(test.labels, victim.clean_predictions, twin.clean_predictions)


def trigger_visibility(trigger: Trigger, test: Dataset, relabelling: Mapping[int, int]) -> Visibility:
    """How visible the trigger is on test images of the source classes."""
    images = test.inputs[source_rows(test, relabelling)[:VISIBILITY_IMAGES]]
    return visibility(images, trigger(images))
