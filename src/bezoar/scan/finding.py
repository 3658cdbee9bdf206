"""A finding put together from a nominee and what became of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bezoar.confirm.confirm import Confirmation
from bezoar.confirm.content import Content
from bezoar.confirm.covers import bearers
from bezoar.confirm.recover.recovered import Recovered
from bezoar.data.dataset import Dataset
from bezoar.evidence import Evidence, Real
from bezoar.records import ClassSignal, Contributor, Covers, Finding, RecoveredTrigger, Skipped, Suspect
from bezoar.scan.case import hypotheses_of
from bezoar.scan.honest.sources import concentration
from bezoar.scan.nominees import Expert, Nominee
from bezoar.scan.pictures import EXAMPLES, suspect_pictures, trigger_record
from bezoar.scan.shown import shown_in_words
from bezoar.scan.signals import Answers
from bezoar.scan.strength import labels_are_wrong, strength_of, turns
from bezoar.scan.suspects import listed, with_content
from bezoar.scan.verdict import QUICK, reason_of

PROVE = "bezoar scan DATA --budget standard"
ATLAS = ("AML.T0020", "AML.T0019")


@dataclass(frozen=True, eq=False)
class Found:
    """A finding, and the chance of each sample of its class (rows) to belong to it."""

    finding: Finding
    rows: NDArray[np.int64]
    odds: Real


@dataclass(frozen=True, eq=False)
class Tested:
    """A nominee's confirmation, the expert who was right, the blind network's logits (m, k) for the rows of the class,
    and rows that no network has met.
    """

    confirmation: Confirmation
    expert: Expert
    logits: NDArray[np.float32]
    held_out: NDArray[np.int64]


@dataclass(frozen=True)
class Untested:
    """A nominee of which no trigger was tried, the reason, and what its suspects show as far as that was looked at."""

    reason: str
    shown: Content | None = None


def proves(nominee: Nominee, tested: Tested) -> bool:
    """Whether the test confirms the nominee."""
    return strength_of(nominee.signal, tested.confirmation, nominee.standing) == "confirmed"


@dataclass(frozen=True)
class Covering:
    """Suspects of class `label`, by id, that bear the trigger proved for class `of`.

    `certain` where that trigger turns most classes: to two targets it can't lead. (All-to-all, each class has its own.)
    """

    of: int
    label: int
    suspects: tuple[str, ...]
    certain: bool


def finding_of(
    data: Dataset,
    evidence: Evidence,
    answers: Answers,
    signals: Sequence[ClassSignal],
    nominee: Nominee,
    tested: Tested | Untested,
    covers: Sequence[Covering] = (),
) -> Found | None:
    """The finding, or None where neither statistics nor flips say anything.

    Of `covers` those of its own trigger belong to it.
    """
    known = tested if isinstance(tested, Tested) else None
    confirmation = known.confirmation if known else None
    shown = confirmation.content if confirmation else tested.shown if isinstance(tested, Untested) else None
    strength = strength_of(nominee.signal, confirmation, nominee.standing, shown)
    if strength is None:
        return None
    target = evidence.class_names[nominee.label]
    expert = known.expert if known else nominee.experts[0]
    odds = _odds(data, nominee, known) if known else expert.odds
    looks = known.logits.argmax(1) if known else None
    untried = tested.reason if isinstance(tested, Untested) else ""
    suspects = listed(evidence, nominee.label, expert, odds, looks, answers.scores)
    finding = Finding(
        fingerprint=_fingerprint(target, suspects),
        strength=strength,
        target=target,
        sources=_sources(evidence, nominee.label, confirmation),
        reason=reason_of(nominee.signal, confirmation, untried),
        suspects=suspects,
        signals=_speaking(signals, target, {nominee.signal, expert.signal}),
        trigger=_trigger(data, nominee.label, known) if known else Skipped(untried),
        flip_test=known.confirmation.flip_test if known else Skipped(untried),
        content=shown_in_words(shown, evidence.class_names, target)
        if shown
        else f"What the suspects show was not asked: {untried}.",
        contributors=_contributors(evidence, suspects),
        atlas=ATLAS,
        remedies=(*((PROVE,) if untried == QUICK else ()), "bezoar clean DATA --findings record.json --out cleaned"),
        pictures=suspect_pictures(data, suspects, "suspect"),
        covers=_covers(evidence, nominee.label, covers),
    )
    return Found(finding, expert.rows, odds)


def _covers(evidence: Evidence, label: int, covers: Sequence[Covering]) -> tuple[Covers, ...]:
    return tuple(Covers(evidence.class_names[one.label], one.suspects) for one in covers if one.of == label)


def _speaking(signals: Sequence[ClassSignal], target: str, heard: set[ClassSignal]) -> tuple[ClassSignal, ...]:
    """Signals of the class that fired or were heard, the least p-value first."""
    speaking = [one for one in signals if one.class_name == target and (one.fired or one in heard)]
    return tuple(sorted(speaking, key=lambda one: one.p_value))


def _trigger(data: Dataset, label: int, tested: Tested) -> RecoveredTrigger | Skipped:
    trigger = tested.confirmation.trigger
    if isinstance(trigger, Skipped):
        return trigger
    return trigger_record(data, trigger, _source_rows(data, tested.held_out, label, tested.confirmation))


def _odds(data: Dataset, nominee: Nominee, tested: Tested) -> Real:
    """The expert's odds, sharpened by what samples show where most suspects carry a wrong label.

    There others' suspects join them if they bear the proved trigger as well: one expert may see a part of them.
    """
    confirmation, odds = tested.confirmation, tested.expert.odds
    if not labels_are_wrong(confirmation):
        return odds
    trigger = confirmation.trigger
    if isinstance(trigger, Recovered) and turns(confirmation) and not confirmation.is_detail:
        odds = _joined(data, nominee, tested, trigger.borne or trigger)
    return with_content(odds, tested.logits, nominee.label)


def _joined(data: Dataset, nominee: Nominee, tested: Tested, trigger: Recovered) -> Real:
    """The expert's odds, with those of others' suspects that bear the trigger."""
    rows, odds = tested.expert.rows, tested.expert.odds
    ids = np.array([data.ids[row] for row in rows], dtype=object)
    for hypothesis, expert in zip(hypotheses_of(data, nominee), nominee.experts, strict=True):
        known = set(ids[odds > 0.5])
        new = tuple(one for one in hypothesis.suspects if one not in known)
        if new:
            joining = bearers(data, replace(hypothesis, suspects=new), trigger, beside=known)
            odds = np.where(np.isin(ids, joining), expert.odds, odds)
    return odds


def _sources(evidence: Evidence, label: int, confirmation: Confirmation | None) -> tuple[str, ...]:
    """Names of the classes that the trigger turns."""
    return tuple(evidence.class_names[one] for one in (confirmation.sources if confirmation else ()) if one != label)


def _source_rows(data: Dataset, held_out: NDArray[np.int64], label: int, confirmation: Confirmation) -> list[int]:
    """Held-out rows of the classes that the trigger turns, or of all but the target, to show the trigger on."""
    labels = data.labels[held_out].numpy()
    among = np.isin(labels, confirmation.sources) if confirmation.sources else labels != label
    return [int(row) for row in held_out[among][:EXAMPLES]]


def _contributors(evidence: Evidence, suspects: Sequence[Suspect]) -> tuple[Contributor, ...]:
    if evidence.sources is None:
        return ()
    return concentration([suspect.id for suspect in suspects], evidence.ids, evidence.sources)


def _fingerprint(target: str, suspects: Sequence[Suspect]) -> str:
    """The same for the same target and suspects, in whatever order."""
    digest = hashlib.sha256(target.encode())
    for sample_id in sorted(suspect.id for suspect in suspects):
        digest.update(f"\0{sample_id}".encode(errors="surrogatepass"))
    return digest.hexdigest()[:32]
