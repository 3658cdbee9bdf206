"""What an inspection of a model found: frozen dataclasses, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bezoar.records.references import ClassReference, ReferenceModels
from bezoar.records.results import SCHEMA_VERSION, DatasetRecord, Rate, Skipped, StageTime
from bezoar.records.scanning import FlipTest, RecoveredTrigger, Strength, Verdict

NOT_ASKED = Skipped("the bezoar that wrote this record did not ask")


@dataclass(frozen=True)
class ModelDetectorRun:
    """One detector of an inspection: its specification, wall seconds, and why it was skipped if it was.

    Classes whose statistic exceeds `cut` are nominated; None for a detector that is only told. `references` are the
    models on which the cut rests; None for one that comes with bezoar.
    """

    detector: str
    seconds: float
    cut: float | None = None
    skipped: Skipped | None = None
    references: int | None = None


@dataclass(frozen=True)
class ClassStatistic:
    """What one detector says of one class. For an inversion, `size` is that of the trigger in `unit`, if any worked.

    With `beside` the statistic is in spreads of references: its own statistic less what is usual there.
    """

    detector: str
    class_name: str
    statistic: float
    size: float | None = None
    unit: str = ""
    beside: ClassReference | None = None


@dataclass(frozen=True)
class ModelFinding:
    """A backdoor of a model, or what may be one: target, source classes where they are told, trigger and its test."""

    fingerprint: str
    strength: Strength
    target: str
    sources: tuple[str, ...]
    detector: str
    reason: str
    trigger: RecoveredTrigger | Skipped
    flip_test: FlipTest | Skipped
    atlas: tuple[str, ...]
    remedies: tuple[str, ...]


@dataclass(frozen=True)
class InspectionRecord:
    """A whole inspection. `false_alarm` says how often clean models get such a verdict, and on what that rests.

    `kind_of_model` is how it was opened; `clean` describes the clean samples that it was tried on, if there were any,
    and `accuracy` tells how many of them, or of 2,000, it answers right.
    `weights` is a digest of the model's weights, "" where they are not known. `cuts_from` says on what the cuts rest;
    `references` are the models of the user's that they rest on, if it was those.
    """

    title: str
    created: str
    verdict: Verdict
    reason: str
    false_alarm: str
    model: str
    kind_of_model: str
    class_names: tuple[str, ...]
    clean: DatasetRecord | Skipped
    findings: tuple[ModelFinding, ...]
    detectors: tuple[ModelDetectorRun, ...]
    statistics: tuple[ClassStatistic, ...]
    seed: int
    notes: tuple[str, ...]
    commands: tuple[str, ...]
    stages: tuple[StageTime, ...]
    versions: tuple[tuple[str, str], ...]
    weights: str = ""
    cuts_from: str = ""
    references: ReferenceModels | None = None
    accuracy: Rate | Skipped = NOT_ASKED
    schema_version: int = SCHEMA_VERSION
    kind: Literal["inspection"] = "inspection"
