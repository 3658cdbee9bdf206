"""What was found: frozen dataclasses, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Skipped:
    """Not measured, and why. Never a zero."""

    reason: str


@dataclass(frozen=True)
class Rate:
    """A share of trials with its Wilson interval (low, high) at `confidence`, all in 0..1."""

    successes: int
    trials: int
    low: float
    high: float
    confidence: float = 0.95

    @property
    def value(self) -> float:
        """The share itself."""
        return self.successes / self.trials


@dataclass(frozen=True)
class MeanInterval:
    """A mean over seeds with Student's t interval (low, high) at `confidence`, and the values it rests on."""

    mean: float
    low: float
    high: float
    values: tuple[float, ...]
    confidence: float = 0.95


@dataclass(frozen=True)
class ClassMeasurement:
    """The three headline rates for the samples of one true class.

    `attack_success` counts answers of the class's own target, or of the attack's only target where
    the class is not one of its sources.
    """

    class_name: str
    clean_accuracy: Rate | Skipped
    attack_success: Rate | Skipped
    robust_accuracy: Rate | Skipped


@dataclass(frozen=True)
class Measurement:
    """A model on clean and on triggered test samples.

    `attack_success` (ASR) and `robust_accuracy` (RA) are over the attack's source classes, samples
    already of the target class left out; `attack_success_any_source` over every other class as well.
    Confusion matrices are counts, rows the true class, columns the prediction.
    """

    clean_accuracy: Rate
    attack_success: Rate | Skipped
    robust_accuracy: Rate | Skipped
    attack_success_any_source: Rate | Skipped
    by_class: tuple[ClassMeasurement, ...]
    confusion_clean: tuple[tuple[int, ...], ...]
    confusion_triggered: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class OperatingPoint:
    """A detector that flags scores strictly above `threshold`, set for a false-positive rate of `wanted_fpr`.

    The successes of `tpr` are the hits, those of `fpr` the false alarms.
    """

    wanted_fpr: float
    threshold: float
    tpr: Rate | Skipped
    fpr: Rate


@dataclass(frozen=True)
class DetectionMeasurement:
    """How well scores by sample tell poisons from the rest; `unscored_poisons` got no score at all."""

    auroc: float | Skipped
    operating_points: tuple[OperatingPoint, ...]
    poisons: int
    clean: int
    unscored_poisons: int


@dataclass(frozen=True)
class EpochRecord:
    """One epoch of training; `loss` is the mean over its samples, `seconds` its own wall time."""

    epoch: int
    loss: float
    train_accuracy: float
    learning_rate: float
    seconds: float
    images_per_second: float


@dataclass(frozen=True)
class TrainingRecord:
    """How a model was trained; `tuned` are the modules that learnt where not all of them did."""

    model: str
    recipe: str
    seed: int
    samples: int
    parameters: int
    precision: str
    device: str
    threads: int
    seconds: float
    history: tuple[EpochRecord, ...]
    interrupted: bool = False
    tuned: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelResult:
    """One trained model and what was measured of it; `role` is 'victim' or 'clean twin'.

    `training` and the drill's `dataset` are Skipped for a model that was trained elsewhere. Where an attack
    plants several backdoors, `measurement` counts them together and `by_trigger` holds the ASR of each.
    """

    role: str
    training: TrainingRecord | Skipped
    measurement: Measurement
    by_trigger: tuple[Rate | Skipped, ...] = ()


@dataclass(frozen=True)
class DatasetRecord:
    """Which data: a name, a digest over ids and labels, and its size."""

    name: str
    digest: str
    samples: int
    class_names: tuple[str, ...]
    shape: tuple[int, ...]
    class_counts: tuple[int, ...]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class FurtherBackdoor:
    """Another backdoor planted by the same attack: its trigger, and source and target classes by name."""

    trigger: str
    relabelling: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class AttackRecord:
    """What the drill did. `relabelling` maps source to target class, by name.

    `covers` are samples that carry a trigger, or something like it, under their true label; the poison rate
    leaves them out. `further` are the backdoors beside the first.
    """

    attack: str
    trigger: str
    mode: str
    sources: tuple[str, ...]
    relabelling: tuple[tuple[str, str], ...]
    poisons: int
    poison_rate: float
    placement: Literal["add", "replace", "none"]
    seed: int
    covers: int = 0
    further: tuple[FurtherBackdoor, ...] = ()


@dataclass(frozen=True)
class Visibility:
    """How visible the trigger is, means over test images: PSNR in dB, SSIM, share of pixels changed.

    PSNR is over the images that changed at all: it is infinite for the others.
    """

    psnr: float | Skipped
    ssim: float | Skipped
    pixels_changed: float
    images: int


@dataclass(frozen=True)
class Saturation:
    """What clipping at the pixel limits left of a trigger.

    `swallowed` is the share of the trigger's pixels that kept less than half of their intended
    change; `images_lost` the share of images in which that is so for most of the trigger.
    """

    swallowed: float
    images_lost: float
    images: int
    warn_above: float

    @property
    def warns(self) -> bool:
        """Whether the share is past the stated limit."""
        return self.swallowed > self.warn_above


@dataclass(frozen=True)
class MonitoringAnswer:
    """Would an alarm on overall accuracy have gone off?

    `alarm` is True when the victim's clean accuracy is lower than the twin's by more than
    `allowed_drop` and the difference is significant (`p_value` of an exact McNemar test, one-sided,
    at most `significance`).
    """

    alarm: bool
    twin_accuracy: float
    victim_accuracy: float
    allowed_drop: float
    p_value: float
    sentence: str
    significance: float = 0.01


@dataclass(frozen=True)
class Picture:
    """A PNG as base64, with its size in pixels and what it shows."""

    png: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True)
class PicturePair:
    """A clean test image and the same image triggered, with the victim's answers (class names).

    `backdoor` is the number, from 0, of the backdoor whose trigger it is.
    """

    clean: Picture
    triggered: Picture
    true_class: str
    clean_prediction: str
    clean_confidence: float
    triggered_prediction: str
    triggered_confidence: float
    backdoor: int = 0


@dataclass(frozen=True)
class TrainingRunRecord:
    """One `bezoar train`: which data, how, and with which versions."""

    created: str
    dataset: DatasetRecord
    training: TrainingRecord
    commands: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    schema_version: int = SCHEMA_VERSION
    kind: Literal["training"] = "training"


@dataclass(frozen=True)
class EvaluationRecord:
    """A model on clean test data alone."""

    created: str
    training: TrainingRecord | Skipped
    test_dataset: DatasetRecord
    clean_accuracy: Rate
    by_class: tuple[tuple[str, Rate | Skipped], ...]
    confusion: tuple[tuple[int, ...], ...]
    commands: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    schema_version: int = SCHEMA_VERSION
    kind: Literal["evaluation"] = "evaluation"


@dataclass(frozen=True)
class AttackRunRecord:
    """One `bezoar attack`: what was done to which data, and where data and truth lie."""

    dataset: DatasetRecord
    attack: AttackRecord
    saturation: Saturation | Skipped
    data_file: str
    truth_file: str
    schema_version: int = SCHEMA_VERSION
    kind: Literal["attack"] = "attack"


@dataclass(frozen=True)
class StageTime:
    """Wall seconds of one stage of a run."""

    stage: str
    seconds: float
