"""The story of a repair: what is given is made ready, repairs are tried, the best is looked at and recorded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from torch import nn

from bezoar.records import Skipped
from bezoar.records.repairing import ModelCheck, Relearning, RepairRecord
from bezoar.records.versions import now, versions
from bezoar.repair.base import Progress, unheard
from bezoar.repair.case import Met
from bezoar.repair.checks.look import NO_TRIGGER, NOTHING_HELD_OUT, further_flips, look
from bezoar.repair.checks.relearning import relearning
from bezoar.repair.checks.search import Finder
from bezoar.repair.finding import further_in
from bezoar.repair.given import Given
from bezoar.repair.ready import Ready, lacking, made_ready
from bezoar.repair.settings import Patient, RepairSettings
from bezoar.repair.shown import pictured, told_of, turned_shown
from bezoar.repair.trying import Choice
from bezoar.repair.verdict import verdict_of
from bezoar.training.clock import Clock
from bezoar.training.elsewhere import usable_device
from bezoar.training.listening import Listener, Silence
from bezoar.training.predict import require_classes


@dataclass(frozen=True, eq=False)
class Cured:
    """The repaired model, in evaluation mode on the CPU, and the whole record."""

    model: nn.Module
    record: RepairRecord


def repair_model(
    patient: Patient,
    given: Given,
    settings: RepairSettings | None = None,
    *,
    finder: Finder | None = None,
    listener: Listener | None = None,
    progress: Progress = unheard,
) -> Cured:
    """Repair a model by what a defender has, and say how sure that is.

    A trigger that is not given is recovered from the suspects; where they show none, `finder` is asked for it, by
    default a search by the detectors of the settings. Raises TrainingError where no method could be carried out,
    ModelError for a model that does not fit the data.
    """
    settings, clock = settings or RepairSettings(), Clock(listener or Silence())
    if (data := given.any_data) is not None:
        require_classes(patient.model, data.inputs, data.class_names, patient.name, data=data.name)
        device = usable_device(patient.model, settings.device, data.shape)
        settings = replace(settings, device=str(device))
    ready = made_ready(patient, given, settings, finder, progress, clock)
    by = ready.looking(settings)
    with clock.stage("look at the model"):
        before = replace(look(patient.model, by), searches=ready.searches)
        by = by.beside(patient.model)
    sought = not isinstance(ready.searches, Skipped)
    choice = settings.auto.choose(
        patient.model,
        ready.given,
        by,
        seed=settings.seed,
        device=settings.device,
        progress=progress,
        clock=clock,
        others=Met if sought else partial(further_in, patient.model, ready.given, settings, progress),
        turned=ready.turned,
        kin=ready.kin,
    )
    if isinstance(choice, Skipped):
        raise lacking(choice)
    if not isinstance(choice.met.searches, Skipped):
        before = replace(before, searches=choice.met.searches)
    if choice.met.suspected:
        before = replace(before, further=further_flips(patient.model, by.and_further(choice.met.suspected)))
    with clock.stage("relearning test"):
        relearnt = _relearning(choice, ready, settings)
    return Cured(choice.best.repaired.model, _record(patient, settings, ready, before, choice, relearnt, clock))


def _record(
    patient: Patient,
    settings: RepairSettings,
    ready: Ready,
    before: ModelCheck,
    choice: Choice,
    relearnt: Relearning | Skipped,
    clock: Clock,
) -> RepairRecord:
    verdict, sentence = verdict_of(ready.trigger, before, choice.best.check, settings.auto, choice.attempts)
    further = (*ready.further, *choice.met.suspected)
    return RepairRecord(
        title=f"Repair of {patient.name}",
        created=now(),
        verdict=verdict,
        sentence=sentence,
        model=patient.name,
        model_kind=patient.kind,
        class_names=patient.class_names,
        given=ready.told,
        trigger=pictured(ready.trigger, ready.given, ready.held_out),
        method=settings.asked,
        chosen=choice.best.method,
        rule=choice.rule,
        attempts=choice.attempts,
        before=before,
        after=choice.best.check,
        relearning=relearnt,
        cost=choice.best.cost,
        seed=settings.seed,
        notes=(*patient.notes, *ready.notes, *_not_asked(ready, settings)),
        commands=settings.commands,
        stages=tuple(clock.times),
        versions=versions(),
        further=tuple(told_of(one, patient.class_names) for one in further),
        turned=turned_shown(choice.turned, ready.given),
    )


def _not_asked(ready: Ready, settings: RepairSettings) -> tuple[str, ...]:
    if settings.auto.alone and ready.given.training is not None and ready.given.trigger is not None:
        return ("which of the training data bear the trigger is asked by --method auto alone",)
    return ()


def _relearning(choice: Choice, ready: Ready, settings: RepairSettings) -> Relearning | Skipped:
    given, parts = ready.given, ready.parts
    if given.trigger is None or given.target is None:
        return NO_TRIGGER
    if parts is None or parts.held_out is None:
        return NOTHING_HELD_OUT
    return relearning(
        choice.best.repaired.model,
        parts.fit,
        parts.held_out,
        given.trigger,
        given.target,
        seed=settings.seed,
        device=settings.device,
    )
