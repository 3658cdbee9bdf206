"""The story of a repair: what is given is sorted and parted, repairs are tried, the best is looked at and recorded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.errors import TrainingError
from bezoar.records import Skipped
from bezoar.records.repairing import Relearning, RepairGiven, RepairRecord, RepairTrigger, TriggerSearch
from bezoar.records.versions import now, versions
from bezoar.repair.auto import Auto
from bezoar.repair.base import Progress, unheard
from bezoar.repair.checks.from_suspects import trigger_of_suspects
from bezoar.repair.checks.look import NO_TRIGGER, NOT_SEARCHED_BEFORE, NOTHING_HELD_OUT, Looking, further_flips, look
from bezoar.repair.checks.parts import Parts, Sorted, cleared, parted, sorted_out, unseen_training
from bezoar.repair.checks.relearning import relearning
from bezoar.repair.checks.search import NO_DETECTOR, Bar, Finder, Suspected, suspected_trigger
from bezoar.repair.checks.strength import as_strong
from bezoar.repair.given import Given
from bezoar.repair.possible import impossible
from bezoar.repair.shown import pictured, told_of
from bezoar.repair.trying import Choice
from bezoar.repair.verdict import verdict_of
from bezoar.training.clock import Clock
from bezoar.training.elsewhere import usable_device
from bezoar.training.listening import Listener, Silence
from bezoar.training.predict import require_classes

FRESH = 1_000_003
"""Added to the seed for the search on the result, so that it is independent of the one before the repair."""
NO_TRUSTED = "no trusted samples were given, so that nothing could be checked"


@dataclass(frozen=True, eq=False)
class Patient:
    """A model to be repaired, its name, how it was opened, its classes, and what is worth telling of it."""

    model: nn.Module
    name: str
    kind: str
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RepairSettings:
    """How: the choice among methods, and as it was `asked` for; seed, device, and what the record says of the call.

    Triggers are searched for by the detectors of `bars`, above whose cuts a class stands out; without any none is.
    """

    auto: Auto = field(default_factory=Auto)
    bars: tuple[Bar, ...] = ()
    asked: str = "auto"
    seed: int = 0
    device: str = "auto"
    described: str = ""
    commands: tuple[str, ...] = ()


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
    notes = list(patient.notes)
    if (data := given.any_data) is not None:
        require_classes(patient.model, data.inputs, data.class_names, patient.name)
        device = usable_device(patient.model, settings.device, data.shape)
        settings = replace(settings, device=str(device))
    handed_over = None if given.trusted is None else given.trusted.digest()
    told = sorted_out(given)
    if (reason := impossible(settings.auto, replace(given, trusted=told.trusted))) is not None:
        raise _lacking(reason)
    notes += told.notes
    parts = None if told.trusted is None else parted(told.trusted, settings.seed)
    given = _for_learning(given, parts)
    with clock.stage("look for the trigger"):
        found = _suspected(patient.model, given, settings, finder, progress)
    searches = _searched_before(given, found, settings)
    given, trigger = _with_suspected(given, found, settings)
    given, parts, borne = _without_bearing(given, parts, trigger)
    notes += borne.notes
    held_out = None if parts is None else parts.held_out
    by = Looking(
        held_out,
        given.trigger,
        given.target,
        settings.seed + FRESH,
        settings.bars,
        settings.device,
        further=given.further,
        searched=None if parts is None else parts.searched,
    )
    with clock.stage("look at the model"):
        before = replace(look(patient.model, by, search=False), searches=searches)
        by = by.beside(patient.model)
    sought = not isinstance(searches, Skipped)
    choice = settings.auto.choose(
        patient.model,
        given,
        by,
        seed=settings.seed,
        device=settings.device,
        progress=progress,
        clock=clock,
        others=tuple if sought else partial(_others, patient.model, given, settings, progress),
    )
    if isinstance(choice, Skipped):
        raise _lacking(choice)
    further = (*(() if isinstance(found, Skipped) else found.further), *choice.others)
    if choice.others:
        before = replace(before, further=further_flips(patient.model, by.and_further(choice.others)))
    with clock.stage("relearning test"):
        relearnt = _relearning(choice, given, parts, settings)
    verdict, sentence = verdict_of(trigger, before, choice.best.check, settings.auto)
    record = RepairRecord(
        title=f"Repair of {patient.name}",
        created=now(),
        verdict=verdict,
        sentence=sentence,
        model=patient.name,
        model_kind=patient.kind,
        class_names=patient.class_names,
        given=_given(given, parts, told.left_out + borne.left_out, handed_over),
        trigger=pictured(trigger, given, held_out),
        method=settings.asked,
        chosen=choice.best.method,
        rule=choice.rule,
        attempts=choice.attempts,
        before=before,
        after=choice.best.check,
        relearning=relearnt,
        cost=choice.best.cost,
        seed=settings.seed,
        notes=tuple(notes),
        commands=settings.commands,
        stages=tuple(clock.times),
        versions=versions(),
        further=tuple(told_of(one, patient.class_names) for one in further),
        turned=choice.turned,
    )
    return Cured(choice.best.repaired.model, record)


def _lacking(reason: Skipped) -> TrainingError:
    return TrainingError(
        "the model could not be repaired",
        found=reason.reason,
        remedy="Give what is lacking: trusted samples (--clean), the training data with suspects (--data, "
        "--suspects), or a trigger with its target (--trigger, --target)",
    )


def _for_learning(given: Given, parts: Parts | None) -> Given:
    """What repairs may see: the fit part of the trusted samples, and no training sample that is held out."""
    if parts is None:
        return replace(given, trusted=None)
    given = replace(given, trusted=parts.fit)
    return given if parts.held_out is None else unseen_training(given, parts.held_out)


def _suspected(
    model: nn.Module, given: Given, settings: RepairSettings, finder: Finder | None, progress: Progress
) -> Suspected | Skipped:
    """A trigger that nobody gave, from the suspects where those show one that works, else from the model."""
    if given.trigger is not None:
        return Skipped("a trigger was given")
    if given.trusted is None:
        return Skipped(NO_TRUSTED) if finder is None else finder()
    if given.suspects:
        found = trigger_of_suspects(model, given.trusted, given, seed=settings.seed, device=settings.device)
        if isinstance(found, Suspected) and found.stands_out:
            return found
    found = finder() if finder is not None else _sought(model, given.trusted, given.target, settings, progress)
    if isinstance(found, Skipped):
        return found
    return as_strong(model, given.trusted, found, seed=settings.seed, device=settings.device)


def _sought(
    model: nn.Module, data: Dataset, target: int | None, settings: RepairSettings, progress: Progress
) -> Suspected | Skipped:
    return suspected_trigger(
        model,
        data,
        target=target,
        bars=settings.bars,
        seed=settings.seed,
        device=settings.device,
        progress=progress,
    )


def _others(model: nn.Module, given: Given, settings: RepairSettings, progress: Progress) -> tuple[Suspected, ...]:
    """What stands out in the model beside the trigger that is known."""
    if given.trusted is None or not settings.bars:
        return ()
    seen = _sought(model, given.trusted, None, settings, progress)
    if isinstance(seen, Skipped):
        return ()
    seen = as_strong(model, given.trusted, seen, seed=settings.seed, device=settings.device)
    return tuple(one for one in (seen, *seen.further) if one.stands_out and one.target != given.target)


def _searched_before(
    given: Given, found: Suspected | Skipped, settings: RepairSettings
) -> tuple[TriggerSearch, ...] | Skipped:
    """What the search showed that found the trigger, or did not: it takes minutes, so that no other one is made."""
    if not settings.bars:
        return NO_DETECTOR
    if isinstance(found, Skipped):
        return found if given.trigger is None else NOT_SEARCHED_BEFORE
    return found.searches() or NOT_SEARCHED_BEFORE


def _with_suspected(
    given: Given, found: Suspected | Skipped, settings: RepairSettings
) -> tuple[Given, RepairTrigger | Skipped]:
    """What is given together with a trigger that was found, if it stands out, and the trigger as a record."""
    if given.trigger is not None:
        if given.target is None or given.any_data is None:
            return given, NO_TRIGGER
        target = given.any_data.class_names[given.target]
        return given, RepairTrigger("given", settings.described or "a trigger of the user's", target, False, None, ())
    if isinstance(found, Skipped):
        return given, found
    assert given.any_data is not None
    target = given.any_data.class_names[found.target]
    if not found.stands_out:
        return given, Skipped(f"no trigger stands out; the likeliest leads to {target!r}: {found.found}")
    further = tuple(one.aimed for one in found.further)
    told = told_of(found, given.any_data.class_names)
    return replace(given, trigger=found.trigger, target=found.target, further=further), told


def _without_bearing(
    given: Given, parts: Parts | None, trigger: RepairTrigger | Skipped
) -> tuple[Given, Parts | None, Sorted]:
    """What is given and its parts without trusted samples that bear a trigger which was recovered, and that told."""
    if isinstance(trigger, Skipped) or parts is None or given.trigger is None or given.target is None:
        return given, parts, Sorted(given.trusted, (), 0)
    parts, found = cleared(parts, given.trigger, given.target)
    note = (
        f"{found:,} trusted samples under the label {trigger.target!r} bear the recovered trigger, and were left out: "
        "the clean samples hold poisons, and may hold others that do not show"
    )
    return replace(given, trusted=parts.fit), parts, Sorted(parts.fit, (note,) if found else (), found)


def _relearning(choice: Choice, given: Given, parts: Parts | None, settings: RepairSettings) -> Relearning | Skipped:
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


def _given(given: Given, parts: Parts | None, left_out: int, handed_over: str | None) -> RepairGiven:
    held_out = 0 if parts is None or parts.held_out is None else len(parts.held_out)
    return RepairGiven(
        trusted=None if given.trusted is None else given.trusted.record(),
        learnt_from=0 if parts is None else len(parts.fit),
        held_out=held_out,
        left_out=left_out,
        coarse=NO_TRUSTED if parts is None else parts.coarse,
        training=None if given.training is None else given.training.record(),
        suspects=len(given.suspects),
        handed_over=handed_over,
    )
