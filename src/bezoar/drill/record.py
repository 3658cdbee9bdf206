"""From the parts of a drill to its record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bezoar.attacks import Backdoor
from bezoar.attacks.choose import source_rows
from bezoar.data.dataset import Dataset
from bezoar.drill.evaluate import Evaluation
from bezoar.drill.pictures import picture_pairs
from bezoar.metrics import accuracy_alarm, visibility
from bezoar.records import (
    AttackRecord,
    DatasetRecord,
    DrillRecord,
    FurtherBackdoor,
    ModelResult,
    MonitoringAnswer,
    RepairSummary,
    Saturation,
    ScanSummary,
    Skipped,
    StageTime,
    TrainingRecord,
    Visibility,
)
from bezoar.records.drilling import NOT_REPAIRED, NOT_SCANNED
from bezoar.records.versions import now, versions
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
    backdoors: Sequence[Backdoor],
    victim: Judged,
    twin: Judged | Skipped,
    saturation: Saturation | Skipped,
    commands: tuple[str, ...],
    stages: tuple[StageTime, ...] = (),
    scan: ScanSummary | Skipped = NOT_SCANNED,
    repair: RepairSummary | Skipped = NOT_REPAIRED,
) -> DrillRecord:
    """The record of a drill; `backdoors` relabel from and to the test data's classes."""
    return DrillRecord(
        title=title,
        created=now(),
        dataset=dataset,
        test_dataset=test.record(),
        attack=attack,
        victim=_result("victim", victim),
        twin=twin if isinstance(twin, Skipped) else _result("clean twin", twin),
        visibility=trigger_visibility(backdoors[0], test),
        saturation=saturation,
        monitoring=monitoring_answer(test, victim, twin),
        pairs=picture_pairs(test, backdoors, victim.evaluation, count=PICTURES, seed=attack.seed),
        commands=commands,
        stages=stages,
        versions=versions(),
        scan=scan,
        repair=repair,
    )


def attack_record(truth: PoisonTruth, trigger: Trigger) -> AttackRecord:
    """What the attack did, for the record; `trigger` is that of its first backdoor."""
    first = truth.backdoors[0]
    poisons = len(truth.poison_ids)
    return AttackRecord(
        attack=truth.attack,
        trigger=first.trigger,
        mode=str(getattr(trigger, "mode", "replace")),
        sources=tuple(source for source, _ in first.relabelling),
        relabelling=first.relabelling,
        poisons=poisons,
        covers=len(truth.samples) - poisons,
        poison_rate=poisons / truth.originals,
        placement=truth.placement,
        seed=truth.seed,
        further=tuple(FurtherBackdoor(one.trigger, one.relabelling) for one in truth.backdoors[1:]),
    )


def _result(role: str, judged: Judged) -> ModelResult:
    evaluation = judged.evaluation
    by_trigger = tuple(one.attack_success for one in evaluation.measurements)
    return ModelResult(role, judged.training, evaluation.measurement, by_trigger if len(by_trigger) > 1 else ())


def monitoring_answer(test: Dataset, victim: Judged, twin: Judged | Skipped) -> MonitoringAnswer | Skipped:
    """Whether an alarm on overall accuracy would have gone off."""
    if isinstance(twin, Skipped):
        return Skipped("without a clean twin there is no accuracy to compare with")
    return accuracy_alarm(test.labels, victim.evaluation.clean_predictions, twin.evaluation.clean_predictions)


def trigger_visibility(backdoor: Backdoor, test: Dataset) -> Visibility:
    """How visible the trigger is on test images of the source classes."""
    images = test.inputs[source_rows(test, backdoor.relabelling)[:VISIBILITY_IMAGES]]
    return visibility(images, backdoor.trigger(images))
