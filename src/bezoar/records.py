"""What bezoar found out: frozen results that go to JSON and come back. No torch here.

`Skipped(reason)` stands wherever a number could not honestly be given.
"""

from __future__ import annotations

import dataclasses
import math
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json as parse_json

from bezoar.errors import RecordError

T = TypeVar("T")

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
    """A clean test image and the same image triggered, with the victim's answers (class names)."""

    clean: Picture
    triggered: Picture
    true_class: str
    clean_prediction: str
    clean_confidence: float
    triggered_prediction: str
    triggered_confidence: float


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
    training: TrainingRecord
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
    """A record as JSON text that `from_json` reads back as an equal record.

    Raises ValueError naming the field on NaN or infinity, for which JSON has no word (use Skipped
    instead), on text that UTF-8 cannot hold, and on a value of another type than the field's.
    """
    _check_values(record, type(record).__name__)
    return TypeAdapter(type(record)).dump_json(record, indent=indent, warnings="error").decode()


def from_json(cls: type[T], text: str | bytes, *, origin: str = "the record") -> T:
    """Read a record of type `cls` from JSON. Raises RecordError naming `origin` and the first fault."""
    # A lone surrogate becomes bytes that are no UTF-8, which both parsers refuse in words.
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    _check_version(cls, content, origin)
    try:
        record = TypeAdapter(cls).validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the top level"
        raise _unreadable(cls, origin, f"{first['msg']} at {place}") from error
    try:
        _check_values(record, cls.__name__)
    except ValueError as error:
        raise _unreadable(cls, origin, str(error)) from error
    return record


def write_text_atomically(path: Path, text: str) -> None:
    """Write a UTF-8 file whole or not at all: a temporary sibling, synced, then renamed over `path`.

    The folder must exist. Raises OSError, or ValueError on text that UTF-8 cannot hold; either
    leaves a file that was there as it was.
    """
    content = text.encode("utf-8")
    temporary = path.parent / f".{secrets.token_hex(8)}.tmp"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _check_values(value: object, place: str) -> None:
    """Raise ValueError naming the field that holds what JSON cannot."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place} is {value}; a record holds finite numbers only. Use Skipped(reason) instead.")
    if isinstance(value, str) and not _is_utf8(value):
        raise ValueError(f"{place} is {value!r}, which UTF-8 cannot hold. Replace its lone surrogates.")
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            _check_values(getattr(value, field.name), f"{place}.{field.name}")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _check_values(key, f"a key of {place}")
            _check_values(item, f"{place}[{key!r}]")
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            _check_values(item, f"{place}[{position}]")


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _check_version(cls: type, text: bytes, origin: str) -> None:
    """Raise RecordError when a record that carries a schema version carries another than ours, or none."""
    if not (dataclasses.is_dataclass(cls) and "schema_version" in {field.name for field in dataclasses.fields(cls)}):
        return
    try:
        content = parse_json(text)
    except ValueError as error:
        raise _unreadable(cls, origin, str(error)) from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if type(version) is int and version == SCHEMA_VERSION:
        return
    newer = type(version) is int and version > SCHEMA_VERSION
    raise RecordError(
        f"{origin} has an unknown schema version",
        expected=str(SCHEMA_VERSION),
        found="none" if version is None else repr(version)[:40],
        remedy="Read it with a newer bezoar" if newer else "Write it anew by running the command that made it",
    )


def _unreadable(cls: type, origin: str, found: str) -> RecordError:
    return RecordError(
        f"{origin} is not a {cls.__name__} of schema version {SCHEMA_VERSION}",
        found=found,
        remedy="Give the record.json of a run folder written by this version of bezoar",
    )
