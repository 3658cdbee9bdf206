"""The story of an inspection: detectors ask for triggers, nominated classes are tried, a verdict is told."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bezoar.confirm.recover.recovered import Recovered
from bezoar.data.dataset import Dataset
from bezoar.data.picture import picture
from bezoar.detect.models.base import MODEL_DETECTORS, ModelScores
from bezoar.errors import ModelError
from bezoar.inspection.calibration import model_calibration
from bezoar.inspection.settings import InspectionSettings
from bezoar.inspection.trial import Tried, tried
from bezoar.inspection.verdict import reason_of, verdict_of
from bezoar.records import RecoveredTrigger, Skipped, StageTime
from bezoar.records.inspecting import ClassStatistic, InspectionRecord, ModelDetectorRun, ModelFinding
from bezoar.records.versions import now, versions
from bezoar.training.listening import Listener, Silence
from bezoar.training.opening import OpenedModel

FITTED = 0.75
"""Of the clean samples this share is for finding triggers, the others for trying them."""
EXAMPLES = 6
ATLAS = ("AML.T0018", "AML.T0010")
REPAIR = "bezoar repair MODEL --clean DATA --out repaired"
NO_CLEAN = Skipped("no clean samples were given")
BLACK_BOX = Skipped("the model can only be asked: no gradients go through it")


@dataclass(frozen=True, eq=False)
class Inspected:
    """The record, and the triggers of its findings in their order."""

    record: InspectionRecord
    triggers: tuple[Recovered | None, ...]


@dataclass(frozen=True, eq=False)
class _Heard:
    """What one detector said."""

    spec: str
    scores: ModelScores
    cut: float | None


def inspect_model(
    opened: OpenedModel,
    clean: Dataset | None,
    settings: InspectionSettings | None = None,
    *,
    class_names: Sequence[str] = (),
    shape: tuple[int, ...] = (),
    listener: Listener | None = None,
) -> Inspected:
    """Look for a backdoor in a model, with clean samples of its classes or without.

    `class_names` and `shape` (c, h, w) are needed where neither the model's card nor clean samples tell them. Raises
    ModelError where nothing tells them, or the model fails.
    """
    settings, listener = settings or InspectionSettings(), listener or Silence()
    names, shape = _kind_of_samples(opened, clean, tuple(class_names), shape)
    parts = None if clean is None else clean.split({"fit": FITTED, "held out": 1 - FITTED}, seed=settings.seed)
    runs, heard = [], []
    for spec in settings.detectors:
        listener.begins(spec)
        started = time.perf_counter()
        said = _asked(spec, opened, parts["fit"] if parts else None, shape, len(names), settings.seed)
        seconds = time.perf_counter() - started
        listener.ends(spec, seconds)
        cut = model_calibration().cut(spec)
        runs.append(ModelDetectorRun(spec, seconds, cut, said if isinstance(said, Skipped) else None))
        if isinstance(said, ModelScores):
            heard.append(_Heard(spec, said, cut))
    found = [] if parts is None else _findings(opened, heard, parts["held out"], names)
    findings = tuple(finding for finding, _ in found)
    verdict, reason = verdict_of(findings, runs)
    record = InspectionRecord(
        title=opened.name,
        created=now(),
        verdict=verdict,
        reason=reason,
        false_alarm=model_calibration().sentence,
        model=opened.name,
        kind_of_model=opened.kind,
        class_names=names,
        clean=NO_CLEAN if clean is None else clean.record(),
        findings=findings,
        detectors=tuple(runs),
        statistics=_statistics(heard, names),
        seed=settings.seed,
        notes=opened.notes,
        commands=settings.commands,
        stages=tuple(StageTime(run.detector, run.seconds) for run in runs),
        versions=versions(),
    )
    return Inspected(record, tuple(trigger for _, trigger in found))


def _kind_of_samples(
    opened: OpenedModel, clean: Dataset | None, names: tuple[str, ...], shape: tuple[int, ...]
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Class names and shape of a sample, from clean samples, the model's card, or what was said."""
    if clean is not None:
        return clean.class_names, clean.shape
    if opened.card is not None:
        return opened.card.class_names, opened.card.shape
    if not names or not shape:
        raise ModelError(
            f"nothing tells which classes {opened.name} has, or of what shape its samples are",
            expected="clean samples, or class names and a shape",
            remedy="Give clean data, or class_names and shape",
        )
    return names, shape


def _asked(
    spec: str, opened: OpenedModel, trusted: Dataset | None, shape: tuple[int, ...], classes: int, seed: int
) -> ModelScores | Skipped:
    if not opened.differentiable:
        return BLACK_BOX
    return MODEL_DETECTORS.create(spec).inspect(opened.model, trusted, shape, classes, seed=seed)


def _findings(
    opened: OpenedModel, heard: Sequence[_Heard], held_out: Dataset, names: tuple[str, ...]
) -> list[tuple[ModelFinding, Recovered | None]]:
    """Every class above some detector's cut, most suspicious first; of several detectors the loudest is told."""
    loudest: dict[int, _Heard] = {}
    for one in heard:
        for label in range(len(names)):
            over = _over(one, label)
            if over > 1 and (label not in loudest or over > _over(loudest[label], label)):
                loudest[label] = one
    order = sorted(loudest, key=lambda label: -_over(loudest[label], label))
    return [_finding(opened, loudest[label], label, held_out, names) for label in order]


def _over(one: _Heard, label: int) -> float:
    """How many times its cut a detector's statistic of a class is; 0 for a detector without one."""
    return 0.0 if one.cut is None else float(one.scores.classes[label]) / one.cut


def _finding(
    opened: OpenedModel, one: _Heard, label: int, held_out: Dataset, names: tuple[str, ...]
) -> tuple[ModelFinding, Recovered | None]:
    inverted = one.scores.inverted
    tested = None if inverted is None else tried(opened.model, inverted, label, held_out)
    size = "" if inverted is None else f"{float(inverted.sizes[label]):.1f} {inverted.form.unit}"
    nothing = Skipped(f"{one.spec} recovers no trigger")
    finding = ModelFinding(
        fingerprint=hashlib.sha256(f"{opened.name}\0{names[label]}\0{one.spec}".encode()).hexdigest()[:32],
        strength="confirmed" if tested is not None and tested.proved else "suspicious",
        target=names[label],
        sources=(),
        detector=one.spec,
        reason=reason_of(one.spec, float(one.scores.classes[label]), one.cut or 0.0, size),
        trigger=nothing if tested is None else _pictured(tested, held_out, label),
        flip_test=nothing if tested is None else tested.test,
        atlas=ATLAS,
        remedies=(REPAIR,),
    )
    return finding, None if tested is None else tested.trigger


def _pictured(tested: Tried, held_out: Dataset, label: int) -> RecoveredTrigger:
    """The trigger alone, and clean samples of other classes before and after."""
    rows = np.flatnonzero(held_out.labels.numpy() != label)[:EXAMPLES]
    images = held_out.inputs[rows]
    after = tested.trigger(images)
    return RecoveredTrigger(
        tested.trigger.kind,
        tested.trigger.description,
        picture(tested.trigger.picture, "the recovered trigger"),
        tuple(
            (picture(images[place], "a clean sample"), picture(after[place], "the same with the recovered trigger"))
            for place in range(len(images))
        ),
    )


def _statistics(heard: Sequence[_Heard], names: tuple[str, ...]) -> tuple[ClassStatistic, ...]:
    told = []
    for one in heard:
        inverted = one.scores.inverted
        for label, name in enumerate(names):
            size = float(inverted.sizes[label]) if inverted is not None and inverted.worked[label] else None
            unit = "" if inverted is None else inverted.form.unit
            told.append(ClassStatistic(one.spec, name, round(float(one.scores.classes[label]), 4), size, unit))
    return tuple(told)
