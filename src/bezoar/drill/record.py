"""From the parts of a drill to its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bezoar.data.dataset import Dataset
from bezoar.drill.evaluate import Evaluation, source_rows
from bezoar.drill.pictures import picture_pairs
from bezoar.drill.versions import now, versions
from bezoar.metrics import accuracy_alarm, visibility
from bezoar.records import (
    AttackRecord,
    DatasetRecord,
    DrillRecord,
    ModelResult,
    MonitoringAnswer,
    Saturation,
    Skipped,
    StageTime,
    TrainingRecord,
    Visibility,
)
from bezoar.triggers import Trigger
from bezoar.truth import PoisonTruth

PICTURES = 12
VISIBILITY_IMAGES = 500


@dataclass(frozen=True, eq=False)
class Judged:
    """What a model answered, and how it was trained where that is known."""

    training: TrainingRecord | Skipped
    evaluation: Evaluation


def drill_record(
    title: str,
    *,
    dataset: DatasetRecord | Skipped,
    test: Dataset,
    attack: AttackRecord,
    trigger: Trigger,
    relabelling: Mapping[int, int],
    victim: Judged,
    twin: Judged | Skipped,
    saturation: Saturation | Skipped,
    commands: tuple[str, ...],
    stages: tuple[StageTime, ...] = (),
) -> DrillRecord:
    """The record of a drill, `relabelling` being the attack's source and target labels among the test classes."""
    return DrillRecord(
        title=title,
        created=now(),
        dataset=dataset,
        test_dataset=test.record(),
        attack=attack,
        victim=ModelResult("victim", victim.training, victim.evaluation.measurement),
        twin=twin
        if isinstance(twin, Skipped)
        else ModelResult("clean twin", twin.training, twin.evaluation.measurement),
        visibility=trigger_visibility(trigger, test, relabelling),
        saturation=saturation,
        monitoring=monitoring_answer(test, victim, twin),
        pairs=picture_pairs(test, trigger, victim.evaluation, tuple(relabelling), count=PICTURES, seed=attack.seed),
        commands=commands,
        stages=stages,
        versions=versions(),
    )


def attack_record(truth: PoisonTruth, trigger: Trigger) -> AttackRecord:
    """What the attack did with `trigger`, for the record."""
    return AttackRecord(
        attack=truth.attack,
        trigger=truth.trigger,
        mode=str(getattr(trigger, "mode", "replace")),
        sources=tuple(source for source, _ in truth.relabelling),
        relabelling=truth.relabelling,
        poisons=len(truth.samples),
        poison_rate=len(truth.samples) / truth.originals,
        placement=truth.placement,
        seed=truth.seed,
    )


def monitoring_answer(test: Dataset, victim: Judged, twin: Judged | Skipped) -> MonitoringAnswer | Skipped:
    """Whether an alarm on overall accuracy would have gone off."""
    if isinstance(twin, Skipped):
        return Skipped("without a clean twin there is no accuracy to compare with")
    return accuracy_alarm(test.labels, victim.evaluation.clean_predictions, twin.evaluation.clean_predictions)


def trigger_visibility(trigger: Trigger, test: Dataset, relabelling: Mapping[int, int]) -> Visibility:
    """How visible the trigger is on test images of the source classes."""
    images = test.inputs[source_rows(test, relabelling)[:VISIBILITY_IMAGES]]
    return visibility(images, trigger(images))
