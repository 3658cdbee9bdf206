"""What bezoar found out: frozen results that go to JSON and come back. No torch here.

`Skipped(reason)` stands wherever a number could not honestly be given.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from bezoar.errors import RecordError

T = TypeVar("T")

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Skipped:
    """Not measured, and why. Never a zero."""

    reason: str


@dataclass(frozen=True)
class Rate:
    """A share of trials with its 95% Wilson interval (low, high), all in 0..1."""

    successes: int
    trials: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """successes / trials."""
        return self.successes / self.trials


@dataclass(frozen=True)
class ClassMeasurement:
    """The three headline rates for the samples of one true class."""

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
    """How a model was trained."""

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


@dataclass(frozen=True)
class ModelResult:
    """One trained model and what was measured of it; `role` is 'victim' or 'clean twin'."""

    role: str
    training: TrainingRecord
    measurement: Measurement


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
class AttackRecord:
    """What the drill did. `relabelling` maps source to target class, by name."""

    attack: str
    trigger: str
    mode: str
    sources: tuple[str, ...]
    relabelling: tuple[tuple[str, str], ...]
    poisons: int
    poison_rate: float
    placement: Literal["add", "replace"]
    seed: int


@dataclass(frozen=True)
class Visibility:
    """How visible the trigger is, means over test images: PSNR in dB, SSIM, share of pixels changed."""

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
    `allowed_drop` and the difference is significant (`p_value` of an exact McNemar test, one-sided).
    """

    alarm: bool
    twin_accuracy: float
    victim_accuracy: float
    allowed_drop: float
    p_value: float
    sentence: str


@dataclass(frozen=True)
class Picture:
    """A PNG as base64, with its size in pixels and what it shows."""

    png: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True)
class PicturePair:
    """A clean test image and the same image triggered, with the victim's answers (class names)."""

    clean: Picture
    triggered: Picture
    true_class: str
    clean_prediction: str
    clean_confidence: float
    triggered_prediction: str
    triggered_confidence: float


@dataclass(frozen=True)
class StageTime:
    """Wall seconds of one stage of a run."""

    stage: str
    seconds: float


@dataclass(frozen=True)
class DrillRecord:
    """A whole drill: data, attack, victim and clean twin, measured. What `report` renders."""

    title: str
    created: str
    dataset: DatasetRecord
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
    schema_version: int = SCHEMA_VERSION
    kind: Literal["drill"] = "drill"


def to_json(record: object, *, indent: int | None = 2) -> str:
    """A record as JSON text. Raises ValueError on NaN or infinity: use Skipped instead."""
    return TypeAdapter(type(record)).dump_json(record, indent=indent).decode()


def from_json(cls: type[T], text: str | bytes, *, origin: str = "the record") -> T:
    """Read a record of type `cls` from JSON. Raises RecordError naming `origin` and the first fault."""
    try:
        return TypeAdapter(cls).validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the top level"
        raise RecordError(
            f"{origin} is not a {cls.__name__} of schema version {SCHEMA_VERSION}",
            found=f"{first['msg']} at {place}",
            remedy="Give the record.json of a run folder written by this version of bezoar",
        ) from error


def write_text_atomically(path: Path, text: str) -> None:
    """Write a file whole or not at all: a temporary sibling, synced, then renamed."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
