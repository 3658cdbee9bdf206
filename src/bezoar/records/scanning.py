"""What a scan found: frozen dataclasses, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from bezoar.records.results import SCHEMA_VERSION, DatasetRecord, Picture, Rate, Skipped, StageTime

Verdict: TypeAlias = Literal["confirmed", "suspicious", "no evidence", "inconclusive"]
Strength: TypeAlias = Literal["confirmed", "suspicious"]


@dataclass(frozen=True)
class DetectorRun:
    """One detector of a scan: its specification, wall seconds, and why it was skipped if it was.

    `cut` is what about a tenth of clean classes exceed, None for one that only ranks.
    """

    detector: str
    seconds: float
    skipped: Skipped | None = None
    cut: float | None = None


@dataclass(frozen=True)
class ClassSignal:
    """What one detector says of one class: its statistic, its p-value, the same after correction, and whether it fired.

    `p_adjusted` holds over all classes and detectors of the scan (Holm).
    """

    detector: str
    class_name: str
    statistic: float
    p_value: float
    p_adjusted: float
    fired: bool


@dataclass(frozen=True)
class Suspect:
    """One suspicious sample: `score` in 0..1 is the estimated chance that it belongs to the finding.

    `looks_like` is the class that a model without the trigger gives it. `evidence` holds, for each detector, the share
    of its class's samples with a lower score. `neighbour` is the id of the nearest sample that is no suspect.
    """

    id: str
    label: str
    score: float
    source: str | None = None
    looks_like: str | None = None
    evidence: tuple[tuple[str, float], ...] = ()
    neighbour: str | None = None


@dataclass(frozen=True)
class SuspectPicture:
    """A suspect as a picture beside its nearest neighbour that is no suspect."""

    id: str
    score: float
    suspect: Picture
    neighbour: Picture | None
    caption: str


@dataclass(frozen=True)
class RecoveredTrigger:
    """The trigger as far as it was recovered: its kind, what it is in words, and pictures of it.

    `pattern` shows the trigger alone, `examples` clean samples before and after it was put on.
    """

    kind: Literal["patch", "additive", "blend", "warp", "colours", "levels", "pieces", "residual"]
    description: str
    pattern: Picture | None
    examples: tuple[tuple[Picture, Picture], ...] = ()


@dataclass(frozen=True)
class SourceFlips:
    """Held-out clean samples of one class that went over to the target: with the trigger, and with the control."""

    class_name: str
    flips: Rate | Skipped
    control: Rate | Skipped


@dataclass(frozen=True)
class FlipTest:
    """The causal test: clean held-out samples that the model gets right, with the trigger and with matched controls.

    `flips` counts those that the model then gives to the target class. `control` is the strongest matched control, of
    which there were `controls` in all; `control_kind` says what it was. `p_value` is that of the difference.
    """

    flips: Rate
    control: Rate
    control_kind: str
    controls: int
    p_value: float
    by_source: tuple[SourceFlips, ...]
    model: str


@dataclass(frozen=True)
class Contributor:
    """A source in which the suspects of a finding are concentrated."""

    source: str
    suspects: int
    samples: int
    p_value: float


@dataclass(frozen=True)
class Covers:
    """Samples of a class, by id, that bear a finding's trigger under their right labels."""

    class_name: str
    samples: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """A backdoor, or what may be one. `fingerprint` stays the same when the same data are scanned again.

    `covers` bear the trigger under their right labels, as adaptive attacks plant them to hide the suspects.
    """

    fingerprint: str
    strength: Strength
    target: str
    sources: tuple[str, ...]
    reason: str
    suspects: tuple[Suspect, ...]
    signals: tuple[ClassSignal, ...]
    trigger: RecoveredTrigger | Skipped
    flip_test: FlipTest | Skipped
    content: str
    contributors: tuple[Contributor, ...]
    atlas: tuple[str, ...]
    remedies: tuple[str, ...]
    pictures: tuple[SuspectPicture, ...] = ()
    covers: tuple[Covers, ...] = ()


@dataclass(frozen=True)
class OddPart:
    """What is odd in a class that stands out and is no finding, and why it is none: ids of samples, the oddest first.

    `flip_test` and `content` are as in a finding, `content` empty where nobody was asked.
    """

    class_name: str
    why: str
    samples: tuple[str, ...]
    flip_test: FlipTest | Skipped
    content: str = ""
    pictures: tuple[SuspectPicture, ...] = ()


@dataclass(frozen=True)
class Remark:
    """Something about the data that is no poison: duplicates, likely label errors, imbalance, an odd source.

    `count` are the samples concerned.
    """

    kind: Literal["near-duplicates", "label errors", "imbalance", "odd source", "too small"]
    sentence: str
    count: int
    examples: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class ProjectedPoint:
    """A sample in the plane of the features: place, class, score in 0..1, and whether it is a suspect."""

    x: float
    y: float
    class_name: str
    score: float
    suspect: bool


@dataclass(frozen=True)
class Histogram:
    """Counts of a detector's scores in one class, between `edges`: suspects and the others."""

    detector: str
    class_name: str
    edges: tuple[float, ...]
    others: tuple[int, ...]
    suspects: tuple[int, ...]


@dataclass(frozen=True)
class ScanRecord:
    """A whole scan. `false_alarm` says how often data without a backdoor get such a verdict, and on what that rests.

    `odd` are classes that stand out and are no findings.
    """

    title: str
    created: str
    verdict: Verdict
    reason: str
    false_alarm: str
    dataset: DatasetRecord
    budget: Literal["quick", "standard", "thorough"]
    seed: int
    model: str | None
    trusted: DatasetRecord | None
    findings: tuple[Finding, ...]
    remarks: tuple[Remark, ...]
    detectors: tuple[DetectorRun, ...]
    signals: tuple[ClassSignal, ...]
    projection: tuple[ProjectedPoint, ...]
    histograms: tuple[Histogram, ...]
    notes: tuple[str, ...]
    commands: tuple[str, ...]
    stages: tuple[StageTime, ...]
    versions: tuple[tuple[str, str], ...]
    odd: tuple[OddPart, ...] = ()
    schema_version: int = SCHEMA_VERSION
    kind: Literal["scan"] = "scan"

    @property
    def suspect_ids(self) -> frozenset[str]:
        """Ids of all suspects of all findings."""
        return frozenset(suspect.id for finding in self.findings for suspect in finding.suspects)
