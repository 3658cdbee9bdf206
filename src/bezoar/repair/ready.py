"""What is known before the first repair: data sorted and parted, and the trigger that suspects or the model show."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bezoar.confirm.answers import answers
from bezoar.data.dataset import Dataset
from bezoar.errors import ModelError, TrainingError
from bezoar.records import Skipped
from bezoar.records.repairing import RepairGiven, RepairTrigger, TriggerSearch
from bezoar.repair.base import Progress
from bezoar.repair.checks.giving_away import poisons_given_away
from bezoar.repair.checks.look import NO_TRIGGER, NOT_SEARCHED_BEFORE, Looking
from bezoar.repair.checks.parts import Parts, Sorted, cleared, parted, sorted_out, unseen_training
from bezoar.repair.checks.search import NO_DETECTOR, Finder, Suspected
from bezoar.repair.checks.turned import Turned
from bezoar.repair.finding import NO_TRUSTED, by_turned, of_supposed, suspected, unsure
from bezoar.repair.given import Aimed, Given
from bezoar.repair.judgement import shown_by
from bezoar.repair.possible import impossible
from bezoar.repair.settings import Patient, RepairSettings
from bezoar.repair.shown import told_of
from bezoar.training.clock import Clock
from bezoar.training.elsewhere import computing_on

FRESH = 1_000_003
"""Added to the seed for the search on the result, so that it is independent of the one before the repair."""


@dataclass(frozen=True, eq=False)
class Ready:
    """What repairs may see of what was `given`, the `parts` of the trusted samples, and the trigger as it was `found`.

    `trigger` is that of the record, `searches` what the search showed that found it; `told` is what the record says of
    what was handed over, and `notes` what else is worth telling; `turned` are suspects that the model gave away.
    """

    given: Given
    parts: Parts | None
    found: Suspected | Skipped
    trigger: RepairTrigger | Skipped
    searches: tuple[TriggerSearch, ...] | Skipped
    told: RepairGiven
    notes: tuple[str, ...]
    turned: Turned | None

    @property
    def held_out(self) -> Dataset | None:
        """The trusted samples that no repair sees."""
        return None if self.parts is None else self.parts.held_out

    @property
    def further(self) -> tuple[Suspected, ...]:
        """What stands out beside the trigger."""
        return () if isinstance(self.found, Skipped) else self.found.further

    @property
    def kin(self) -> tuple[Aimed, ...]:
        """What does the same as the trigger or a further one; () where no trigger stands out."""
        return () if isinstance(self.found, Skipped) or self.given.trigger is None else self.found.supposed

    def looking(self, settings: RepairSettings) -> Looking:
        """What every model of the repair is looked at by."""
        return Looking(
            self.held_out,
            self.given.trigger,
            self.given.target,
            settings.seed + FRESH,
            settings.bars,
            settings.device,
            further=self.given.further,
            searched=None if self.parts is None else self.parts.searched,
            shown=shown_by(self.searches),
        )


def made_ready(
    patient: Patient, given: Given, settings: RepairSettings, finder: Finder | None, progress: Progress, clock: Clock
) -> Ready:
    """Sort, part, and look for the trigger.

    Raises TrainingError where no method could be carried out, ModelError where the model only guesses at the samples.
    """
    handed_over = None if given.trusted is None else given.trusted.digest()
    told = sorted_out(given)
    if told.trusted is not None:
        _require_known(patient, told.trusted, settings)
    if (reason := impossible(settings.auto, replace(given, trusted=told.trusted))) is not None:
        raise lacking(reason)
    parts = None if told.trusted is None else parted(told.trusted, settings.seed)
    given = _for_learning(given, parts)
    with clock.stage("look for the trigger"):
        found = suspected(patient.model, given, settings, finder, progress)
    searches, suspects, turned = _searched_before(given, found, settings), len(given.suspects), None
    supposed = found.supposed if unsure(found) else ()
    if unsure(found) and given.training is not None and not settings.auto.alone:
        with clock.stage("unlearn all that may be a trigger, and ask which training samples that turns"):
            turned = poisons_given_away(patient.model, given, supposed, seed=settings.seed, device=settings.device)
            given, found = by_turned(patient.model, given, found, turned, settings)
    given, trigger = _with_suspected(given, found, settings)
    given, parts, borne = _without_bearing(given, parts, trigger)
    left_out = told.left_out + borne.left_out
    return Ready(
        given,
        parts,
        found,
        trigger,
        searches,
        _handed_over(given, parts, suspects, left_out, handed_over),
        (*told.notes, *borne.notes, *of_supposed(supposed, turned)),
        turned,
    )


def _require_known(patient: Patient, trusted: Dataset, settings: RepairSettings) -> None:
    """A model that only guesses at the samples it is judged by would be ruined and not repaired."""
    with computing_on(patient.model, settings.device):
        doubt = answers(patient.model, trusted, settings.seed).doubt
    if not doubt:
        return
    raise ModelError(
        f"{patient.name} does not know the classes of {trusted.name}",
        expected="clean samples of the model's own classes, in its order, preprocessed as for it",
        found=f"{doubt[:1].lower()}{doubt[1:]}",
        remedy="Give such samples",
    )


def lacking(reason: Skipped) -> TrainingError:
    """The error that says why no method could be carried out."""
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
        reason = f"no trigger stands out; the likeliest leads to {target!r}: {found.found}"
        return replace(given, supposed=found.supposed), Skipped(reason)
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


def _handed_over(
    given: Given, parts: Parts | None, suspects: int, left_out: int, handed_over: str | None
) -> RepairGiven:
    held_out = 0 if parts is None or parts.held_out is None else len(parts.held_out)
    return RepairGiven(
        trusted=None if given.trusted is None else given.trusted.record(),
        learnt_from=0 if parts is None else len(parts.fit),
        held_out=held_out,
        left_out=left_out,
        coarse=NO_TRUSTED if parts is None else parts.coarse,
        training=None if given.training is None else given.training.record(),
        suspects=suspects,
        handed_over=handed_over,
    )
