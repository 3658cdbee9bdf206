"""The story of an inspection: detectors ask for triggers, nominated classes are tried, a verdict is told."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from bezoar.confirm.answers import answers
from bezoar.confirm.recover.recovered import Recovered
from bezoar.data.dataset import Dataset
from bezoar.data.picture import picture
from bezoar.detect.models.base import ModelScores
from bezoar.errors import UsageError
from bezoar.inspection.asking import asked
from bezoar.inspection.calibration import model_calibration
from bezoar.inspection.heard import BUILT_IN, Heard, heard
from bezoar.inspection.references import References
from bezoar.inspection.samples import FEWEST, Kind, in_parts, kind_of
from bezoar.inspection.settings import InspectionSettings
from bezoar.inspection.trial import Tried, tried, tried_proposal
from bezoar.inspection.verdict import about_control, reason_of, verdict_of
from bezoar.records import RecoveredTrigger, Skipped, StageTime
from bezoar.records.inspecting import InspectionRecord, ModelDetectorRun, ModelFinding
from bezoar.records.versions import now, versions
from bezoar.training.digest import weights_digest
from bezoar.training.elsewhere import computing_on, usable_device
from bezoar.training.listening import Listener, Silence, Working, unheard
from bezoar.training.opening import OpenedModel

EXAMPLES = 6
ATLAS = ("AML.T0018", "AML.T0010")
REPAIR = "bezoar repair MODEL --clean DATA --findings INSPECTION --out repaired"
NO_CLEAN = Skipped("no clean samples were given")


@dataclass(frozen=True, eq=False)
class Inspected:
    """The record, and the triggers of its findings in their order."""

    record: InspectionRecord
    triggers: tuple[Recovered | None, ...]


def inspect_model(
    opened: OpenedModel,
    clean: Dataset | None,
    settings: InspectionSettings | None = None,
    *,
    class_names: Sequence[str] = (),
    shape: tuple[int, ...] = (),
    references: References | None = None,
    listener: Listener | None = None,
    progress: Working = unheard,
) -> Inspected:
    """Look for a backdoor in a model, with clean samples of its classes or without.

    `class_names` and `shape` (c, h, w) are needed where neither the model's card nor clean samples tell them. With
    `references` (see `gather_references`) the model is compared with these in place of the calibration that comes with
    bezoar. `progress` hears of which detector how many steps are done, of how many. Raises ModelError where nothing
    tells the classes, or the model fails, UsageError where references were asked by other settings.
    """
    settings, listener = settings or InspectionSettings(), listener or Silence()
    _require_alike(settings, references)
    kind = kind_of(opened, clean, tuple(class_names), shape)
    fit, held_out = (None, None) if clean is None else in_parts(clean, settings.seed)
    with computing_on(opened.model, usable_device(opened.model, settings.device, kind.shape)):
        answered = None if clean is None else answers(opened.model, clean, settings.seed)
        runs, told = _asked(opened, fit, kind, settings, references, listener, progress)
        found = _findings(opened, told, held_out, kind.class_names)
    findings = tuple(finding for finding, _ in found)
    doubt = "" if answered is None else answered.doubt
    verdict, reason = verdict_of(findings, runs, told, compared=references is not None, doubt=doubt)
    record = InspectionRecord(
        title=opened.name,
        created=now(),
        verdict=verdict,
        reason=reason,
        false_alarm=_false_alarm(runs, references),
        model=opened.name,
        kind_of_model=opened.kind,
        class_names=kind.class_names,
        clean=NO_CLEAN if clean is None else clean.record(),
        findings=findings,
        detectors=tuple(runs),
        statistics=tuple(statistic for one in told for statistic in one.told(kind.class_names)),
        seed=settings.seed,
        notes=(*_of_samples(doubt if findings else "", fit, clean, runs), *_notes(opened, told, references)),
        commands=settings.commands,
        stages=_stages(runs, references),
        versions=versions(),
        weights=weights_digest(opened.model),
        cuts_from=BUILT_IN if references is None else references.cuts_from,
        references=None if references is None else references.record,
        accuracy=NO_CLEAN if answered is None else answered.accuracy,
    )
    return Inspected(record, tuple(trigger for _, trigger in found))


def _require_alike(settings: InspectionSettings, references: References | None) -> None:
    """Raise UsageError for references that were asked otherwise than the model will be."""
    if references is None:
        return
    asked, wanted = (references.detectors, references.seed), (settings.detectors, settings.seed)
    if asked != wanted:
        raise UsageError(
            "the references were asked by other settings than the model would be",
            expected=f"detectors {', '.join(wanted[0])} with seed {wanted[1]}",
            found=f"{', '.join(asked[0])} with seed {asked[1]}",
            remedy="Gather them with the same settings and clean samples",
        )


def _asked(
    opened: OpenedModel,
    fit: Dataset | None,
    kind: Kind,
    settings: InspectionSettings,
    references: References | None,
    listener: Listener,
    progress: Working,
) -> tuple[list[ModelDetectorRun], list[Heard]]:
    """Every detector's run, and what those said that were not skipped."""
    runs, told = [], []
    for spec in settings.detectors:
        listener.begins(spec)
        started = time.perf_counter()
        said = asked(spec, opened, fit, kind, settings.seed, partial(progress, spec))
        seconds = time.perf_counter() - started
        listener.ends(f"{spec} did not run: {said.reason}" if isinstance(said, Skipped) else spec, seconds)
        if isinstance(said, Skipped):
            cut = None if references is not None else model_calibration().cut(spec)
            runs.append(ModelDetectorRun(spec, seconds, cut, said))
            continue
        one = heard(spec, said, kind.class_names, references)
        runs.append(ModelDetectorRun(spec, seconds, one.cut, None, one.references))
        told.append(one)
    return runs, told


def _false_alarm(runs: Sequence[ModelDetectorRun], references: References | None) -> str:
    if references is None:
        return model_calibration().sentence
    return references.false_alarm(sum(run.cut is not None for run in runs))


def _of_samples(
    doubt: str, fit: Dataset | None, clean: Dataset | None, runs: Sequence[ModelDetectorRun]
) -> tuple[str, ...]:
    """What is worth telling of the clean samples: a doubt that the verdict does not tell, and how few detectors saw."""
    doubts = (doubt,) if doubt else ()
    if fit is None or clean is None or len(clean) >= FEWEST or all(run.skipped is None for run in runs):
        return doubts
    parted = f"Of the {len(clean)} clean samples {len(fit)} are for finding triggers, the others for trying them"
    return (*doubts, parted)


def _notes(opened: OpenedModel, told: Sequence[Heard], references: References | None) -> tuple[str, ...]:
    """What is worth telling: of the model, of references that were left out, and of how detectors were measured."""
    if references is None:
        return opened.notes
    otherwise = references.otherwise_built(opened.model)
    left_out = tuple(f"the reference {one.name} was left out: {one.reason}" for one in references.unusable)
    of_detectors = tuple(note for one in told for note in one.notes)
    return (*opened.notes, *of_detectors, *references.notes, *otherwise, *left_out)


def _stages(runs: Sequence[ModelDetectorRun], references: References | None) -> tuple[StageTime, ...]:
    before = () if references is None else (StageTime("references", references.seconds),)
    return (*before, *(StageTime(run.detector, run.seconds) for run in runs))


def _findings(
    opened: OpenedModel, told: Sequence[Heard], held_out: Dataset | None, names: tuple[str, ...]
) -> list[tuple[ModelFinding, Recovered | None]]:
    """Every class above some detector's cut, most suspicious first; of several detectors the loudest is told."""
    loudest: dict[int, Heard] = {}
    for one in told:
        for label in range(len(names)):
            over = one.over(label)
            if over > 1 and (label not in loudest or over > loudest[label].over(label)):
                loudest[label] = one
    order = sorted(loudest, key=lambda label: -loudest[label].over(label))
    return [_finding(opened, loudest[label], label, held_out, names) for label in order]


def _finding(
    opened: OpenedModel, one: Heard, label: int, held_out: Dataset | None, names: tuple[str, ...]
) -> tuple[ModelFinding, Recovered | None]:
    tested = None if held_out is None else _tested(opened, one.scores, label, held_out)
    sources = one.scores.proposals[label].sources if one.scores.proposals else ()
    nothing = Skipped(f"{one.spec} recovers no trigger")
    finding = ModelFinding(
        fingerprint=hashlib.sha256(f"{opened.name}\0{names[label]}\0{one.spec}".encode()).hexdigest()[:32],
        strength="confirmed" if tested is not None and tested.proved else "suspicious",
        target=names[label],
        sources=tuple(names[source] for source in sources),
        detector=one.spec,
        reason=reason_of(one, label) + ("" if tested is None else about_control(tested.test)),
        trigger=nothing if tested is None or held_out is None else _pictured(tested, held_out, label, sources),
        flip_test=nothing if tested is None else tested.test,
        atlas=ATLAS,
        remedies=(REPAIR,),
    )
    return finding, None if tested is None else tested.trigger


def _tested(opened: OpenedModel, scores: ModelScores, label: int, held_out: Dataset) -> Tried | None:
    """The trigger towards a class on trial; None where there is none."""
    if scores.inverted is not None:
        return tried(opened.model, scores.inverted, label, held_out)
    return tried_proposal(opened.model, scores.proposals[label], held_out) if scores.proposals else None


def _pictured(tested: Tried, held_out: Dataset, label: int, sources: tuple[int, ...]) -> RecoveredTrigger:
    """The trigger alone, and clean samples of its source classes, or all others, before and after."""
    labels = held_out.labels.numpy()
    rows = np.flatnonzero(np.isin(labels, sources) if sources else labels != label)[:EXAMPLES]
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
