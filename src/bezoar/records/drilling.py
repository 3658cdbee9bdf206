"""A whole drill, what a scan found of it, and what a repair made of its victim: frozen dataclasses, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bezoar.records.repairing import Relearning, RepairVerdict
from bezoar.records.results import (
    SCHEMA_VERSION,
    AttackRecord,
    DatasetRecord,
    DetectionMeasurement,
    Measurement,
    ModelResult,
    MonitoringAnswer,
    PicturePair,
    Rate,
    Saturation,
    Skipped,
    StageTime,
    Visibility,
)
from bezoar.records.scanning import RecoveredTrigger, Strength, Verdict

NOT_SCANNED = Skipped("the poisoned data were not scanned")
NOT_REPAIRED = Skipped("the victim was not repaired")
ITSELF_REPAIRED = Skipped("the model measured here is a repaired one; its repair has a record and a page of its own")


@dataclass(frozen=True)
class FindingSummary:
    """A finding of a drill's scan. The successes of `poisons` are those of its suspects that are poisons.

    `flips` and `control` are the causal test's shares of clean held-out samples that went over to the target.
    """

    target: str
    strength: Strength
    poisons: Rate | Skipped
    trigger: RecoveredTrigger | Skipped
    flips: Rate | Skipped
    control: Rate | Skipped
    control_kind: str


@dataclass(frozen=True)
class ScanSummary:
    """What a scan that was told nothing made of a drill's poisoned data, measured with the truth afterwards.

    The successes of `caught` are the poisons that are suspects of any finding, its trials all poisons. `detection`
    measures the ranking of all samples.
    """

    verdict: Verdict
    reason: str
    findings: tuple[FindingSummary, ...]
    caught: Rate | Skipped
    detection: DetectionMeasurement | Skipped


@dataclass(frozen=True)
class DefenderView:
    """What a defender sees of a model on clean samples held out from the repair, without the truth.

    `flips` are the shares that the recovered trigger turns to its target, `control` those of the same trigger turned.
    """

    accuracy: Rate | Skipped
    flips: Rate | Skipped
    control: Rate | Skipped


@dataclass(frozen=True)
class RepairSummary:
    """What a repair by a scan's suspects made of a drill's victim.

    It was given the poisoned data, the suspects, and `trusted` clean samples, of which `held_out` judged it: `before`,
    `after` and `relearning`. `measurement` is made with the truth afterwards, on the drill's test data.
    """

    verdict: RepairVerdict
    sentence: str
    method: str
    suspects: int
    trusted: int
    held_out: int
    before: DefenderView
    after: DefenderView
    relearning: Relearning | Skipped
    measurement: Measurement


@dataclass(frozen=True)
class DrillRecord:
    """A whole drill: data, attack, victim and clean twin, measured. What `report` renders."""

    title: str
    created: str
    dataset: DatasetRecord | Skipped
    test_dataset: DatasetRecord
    attack: AttackRecord
    victim: ModelResult
    twin: ModelResult | Skipped
    visibility: Visibility
    saturation: Saturation | Skipped
    monitoring: MonitoringAnswer | Skipped
    pairs: tuple[PicturePair, ...]
    commands: tuple[str, ...]
    stages: tuple[StageTime, ...]
    versions: tuple[tuple[str, str], ...]
    scan: ScanSummary | Skipped = NOT_SCANNED
    repair: RepairSummary | Skipped = NOT_REPAIRED
    schema_version: int = SCHEMA_VERSION
    kind: Literal["drill"] = "drill"
