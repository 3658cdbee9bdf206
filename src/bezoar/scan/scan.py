"""A scan: evidence, detectors, nominees, the causal test, findings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from bezoar.confirm.confirm import Confirmation
from bezoar.data.dataset import Dataset
from bezoar.evidence.store import Store
from bezoar.records import ClassSignal, Finding, ScanRecord
from bezoar.records.versions import versions
from bezoar.scan.calibration import references
from bezoar.scan.causal import Outcomes, causal_test
from bezoar.scan.finding import Covering, Found, Tested, Untested, finding_of, proves
from bezoar.scan.gathering import Seen, TrainedModel, gather
from bezoar.scan.glance import marks_of_many
from bezoar.scan.honest.report import remarks_on
from bezoar.scan.nominees import Nominee, nominees
from bezoar.scan.odd_parts import by_reason, odd_parts
from bezoar.scan.panel import kinds_of, panel
from bezoar.scan.settings import ScanSettings
from bezoar.scan.signals import Answers, ask, signals_of
from bezoar.scan.strength import turns
from bezoar.scan.suspicion import suspicion_of
from bezoar.scan.verdict import (
    false_alarm_sentence,
    unlike_calibration,
    verdict_of,
)
from bezoar.scan.views import histograms, projection
from bezoar.training.clock import Clock
from bezoar.training.listening import Listener, Silence


@dataclass(frozen=True, eq=False)
class Scanned:
    """A scan's record, and what measuring it needs beside: `suspicion` of every sample by id, suspect or not, higher
    more suspicious, and what became of every hypothesis that was tested, found or not.
    """

    record: ScanRecord
    suspicion: dict[str, float]
    tested: tuple[Confirmation, ...]


@dataclass(frozen=True, eq=False)
class _Judged:
    """What detectors made of the evidence, and which classes are put to the test."""

    answers: Answers
    signals: tuple[ClassSignal, ...]
    chosen: tuple[Nominee, ...]


def scan(
    data: Dataset,
    settings: ScanSettings | None = None,
    *,
    model: TrainedModel | None = None,
    trusted: Dataset | None = None,
    store: Store | None = None,
    listener: Listener | None = None,
) -> ScanRecord:
    """Look for a backdoor in `data`, show it and prove it.

    Evidence is gathered from the samples and from a probe trained on them, or from `model`; detectors judge it; classes
    that stand out are tested causally (see `confirm`); what is odd but no poison is told as remarks. `trusted` samples
    of the same classes are for the detectors that need them, at the budget thorough. With `store` evidence is kept, so
    that a second scan costs little. Where nothing can be judged the verdict is inconclusive.
    Raises ModelError for a model that does not fit, DataError for trusted data of another kind, TrainingError.
    """
    return scan_all(data, settings, model=model, trusted=trusted, store=store, listener=listener).record


def scan_all(
    data: Dataset,
    settings: ScanSettings | None = None,
    *,
    model: TrainedModel | None = None,
    trusted: Dataset | None = None,
    store: Store | None = None,
    listener: Listener | None = None,
) -> Scanned:
    """As `scan`, with the suspicion of every sample beside the record, for measuring how good the ranking is."""
    settings, clock = settings or ScanSettings(), Clock(listener or Silence())
    seen = gather(data, settings, model=model, trusted=trusted, store=store, clock=clock)
    judged = _judge(seen, settings, trusted is not None, clock)
    tested = causal_test(data, judged.chosen, settings, clock)
    with clock.stage("write the findings"):
        found = _found(data, seen, judged, tested)
        record = _record(data, seen, judged, tested, tuple(one.finding for one in found), settings)
        suspicion = suspicion_of(seen.evidence, judged.answers, found)
    confirmations = tuple(one.confirmation for one in tested if isinstance(one, Tested))
    return Scanned(_complete(record, model, trusted, clock), suspicion, confirmations)


def _judge(seen: Seen, settings: ScanSettings, with_trust: bool, clock: Clock) -> _Judged:
    specs = panel(settings.budget, list(seen.evidence.layers), trusted=with_trust)
    with clock.stage("ask the detectors"):
        answers = ask(seen.evidence, specs, trusted=seen.trusted, seed=settings.seed)
        signals = signals_of(answers, seen.evidence)
        return _Judged(answers, signals, nominees(answers, signals, seen.evidence))


def _found(data: Dataset, seen: Seen, judged: _Judged, outcomes: Outcomes) -> tuple[Found, ...]:
    """Findings, confirmed ones first, then by their least p-value."""
    covers = [one for one in outcomes if isinstance(one, Covering)]
    # Beside a trigger that is proved a marked class bears its covers, whether it was told so or not.
    shared = _any_proved(judged, outcomes) or marks_of_many(judged.chosen, outcomes)
    found = [
        finding_of(
            data,
            seen.evidence,
            judged.answers,
            judged.signals,
            _unmarked(nominee) if shared else nominee,
            outcome,
            covers,
        )
        for nominee, outcome in zip(judged.chosen, outcomes, strict=True)
        if isinstance(outcome, Tested | Untested)
    ]
    strengths = ("confirmed", "suspicious")
    return tuple(
        sorted(
            (one for one in found if one is not None),
            key=lambda one: (strengths.index(one.finding.strength), one.finding.signals[0].p_value),
        )
    )


def _unmarked(nominee: Nominee) -> Nominee:
    return replace(nominee, standing=replace(nominee.standing, marked=False))


def _turning(judged: _Judged, outcomes: Outcomes) -> list[str]:
    """Classes with a trigger that turns clean samples, proof or not."""
    return [
        nominee.signal.class_name
        for nominee, outcome in zip(judged.chosen, outcomes, strict=True)
        if isinstance(outcome, Tested) and turns(outcome.confirmation)
    ]


def _put_to_the_test(judged: _Judged, outcomes: Outcomes) -> list[str]:
    return [
        nominee.signal.class_name
        for nominee, outcome in zip(judged.chosen, outcomes, strict=True)
        if isinstance(outcome, Tested | Covering)
    ]


def _any_proved(judged: _Judged, outcomes: Outcomes) -> bool:
    return any(
        isinstance(outcome, Tested) and proves(nominee, outcome)
        for nominee, outcome in zip(judged.chosen, outcomes, strict=True)
    )


def _record(
    data: Dataset,
    seen: Seen,
    judged: _Judged,
    tested: Outcomes,
    findings: tuple[Finding, ...],
    settings: ScanSettings,
) -> ScanRecord:
    """The record, as if no model and no trusted data had been given and no time had passed."""
    answers, signals = judged.answers, judged.signals
    odd = odd_parts(data, seen.evidence, signals, judged.chosen, tested, findings)
    verdict, reason = verdict_of(
        findings,
        judged=len({signal.class_name for signal in signals}),
        classes=len(np.unique(seen.evidence.labels)),
        tested=_put_to_the_test(judged, tested),
        odd=by_reason(odd),
        turning=_turning(judged, tested),
        why_not=[run.skipped.reason for run in answers.runs if run.skipped is not None],
    )
    known = references()
    used = set(kinds_of(list(answers.scores)).values()) & known.keys()
    chances = {suspect.id: suspect.score for finding in findings for suspect in finding.suspects}
    return ScanRecord(
        title=f"Scan of {data.name}",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        verdict=verdict,
        reason=reason,
        false_alarm=false_alarm_sentence({kind: (known[kind].count, known[kind].data_sets) for kind in used}),
        dataset=data.record(),
        budget=settings.budget,
        seed=settings.seed,
        model=None,
        trusted=None,
        findings=findings,
        odd=odd,
        remarks=remarks_on(data, seen.evidence),
        detectors=answers.runs,
        signals=signals,
        projection=projection(seen.evidence, chances, settings.seed),
        histograms=histograms(seen.evidence, answers.scores, findings),
        notes=(*seen.notes, *unlike_calibration(signals, findings, seen.evidence.classes)),
        commands=settings.commands,
        stages=(),
        versions=versions(),
    )


def _complete(record: ScanRecord, model: TrainedModel | None, trusted: Dataset | None, clock: Clock) -> ScanRecord:
    """With what was given beside the data, and the time that each stage took."""
    return replace(
        record,
        model=model.name if model else None,
        trusted=trusted.record() if trusted else None,
        stages=tuple(clock.times),
    )
