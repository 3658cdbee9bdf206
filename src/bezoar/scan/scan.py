"""A scan: evidence, detectors, nominees, the causal test, findings."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from torch import nn

from bezoar.confirm.confirm import Confirmation, confirm
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.networks import Networks, train_networks
from bezoar.data.dataset import Dataset
from bezoar.evidence import Evidence
from bezoar.evidence.gather import gather_model, gather_probe, gather_samples
from bezoar.evidence.samples.pixels import PIXELS
from bezoar.evidence.samples.spectrum import SPECTRUM
from bezoar.evidence.store import Store
from bezoar.records import ClassSignal, Finding, ScanRecord, StageTime
from bezoar.records.versions import versions
from bezoar.scan.calibration import references
from bezoar.scan.finding import Found, finding_of
from bezoar.scan.honest.report import remarks_on
from bezoar.scan.panel import kind_of, panel
from bezoar.scan.settings import Listener, ScanSettings, Silence
from bezoar.scan.signals import Answers, Nominee, ask, nominees, signals_of
from bezoar.scan.verdict import false_alarm_sentence, verdict_of
from bezoar.scan.views import histograms, projection
from bezoar.training import predict_logits

GATHERERS = (SPECTRUM, PIXELS)
DOUBTFUL = 0.1
"""Samples with more than these odds, suspects or not, are kept from the networks that shall not meet any."""


@dataclass
class _Clock:
    """Tells the listener of stages, and keeps their times."""

    listener: Listener
    times: list[StageTime] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.listener.begins(name)
        started = time.perf_counter()
        yield
        seconds = time.perf_counter() - started
        self.times.append(StageTime(name, seconds))
        self.listener.ends(name, seconds)


@dataclass(frozen=True)
class TrainedModel:
    """A user's own model and what it is called."""

    model: nn.Module
    name: str


@dataclass(frozen=True, eq=False)
class Scanned:
    """A scan's record, and what measuring it needs beside: `suspicion` of every sample by id, suspect or not, higher
    more suspicious, and what became of every hypothesis that was tested, found or not.
    """

    record: ScanRecord
    suspicion: dict[str, float]
    tested: tuple[Confirmation, ...]


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
    that stand out are tested causally (see `confirm`); what is odd but no poison is told as remarks. With `store`
    evidence is kept, so that a second scan costs little. Raises DataError where there is nothing to scan.
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
    settings, listener = settings or ScanSettings(), listener or Silence()
    clock = _Clock(listener)
    evidence = _gather(data, settings, model, store, clock)
    specs = panel(settings.budget, list(evidence.layers), trusted=trusted is not None)
    with clock.stage("ask the detectors"):
        answers = ask(evidence, specs, trusted=None, seed=settings.seed, heard=lambda _: None)
        signals = signals_of(answers, evidence)
        chosen = nominees(answers, signals, evidence)
    tested = _test(data, chosen, settings, clock)
    with clock.stage("write the findings"):
        found = _found(data, evidence, answers, signals, chosen, tested)
        remarks = remarks_on(data, evidence)
    findings = tuple(one.finding for one in found)
    record = _record(data, evidence, settings, answers, signals, findings, remarks, model, trusted, clock)
    return Scanned(record, _suspicion(evidence, answers, found), tested.confirmations if tested else ())


def _gather(
    data: Dataset, settings: ScanSettings, model: TrainedModel | None, store: Store | None, clock: _Clock
) -> Evidence:
    with clock.stage("look at the samples"):
        from_samples = gather_samples(data, store, GATHERERS)
    if settings.budget == "quick" or len(np.unique(from_samples.labels)) < 2:
        return from_samples
    with clock.stage("read the model's features" if model else "train a probe"):
        if model is not None:
            gathered = gather_model(data, model.model, name=model.name, store=store, device=settings.device)
        else:
            gathered = gather_probe(
                data,
                recipe=settings.probe,
                store=store,
                seed=settings.seed,
                device=settings.device,
                progress=clock.listener.trains,
            )
    learnt = gathered.evidence
    whole = Evidence(
        from_samples.ids,
        from_samples.labels,
        from_samples.class_names,
        inputs=from_samples.inputs,
        layers=learnt.layers,
        logits=learnt.logits,
        history=learnt.history,
        sources=from_samples.sources,
    )
    return whole


@dataclass(frozen=True, eq=False)
class Tested:
    """What the causal test made of the nominees, and the answers of the blind network for the rows of each."""

    confirmations: tuple[Confirmation, ...]
    networks: Networks
    logits: tuple[NDArray[np.float32], ...]


def _test(data: Dataset, chosen: Sequence[Nominee], settings: ScanSettings, clock: _Clock) -> Tested | None:
    if not chosen or settings.budget == "quick":
        return None
    hypotheses = [
        Hypothesis(one.label, tuple(data.ids[row] for row in one.suspects), one.signal.detector) for one in chosen
    ]
    doubtful = {data.ids[row] for one in chosen for row in one.rows[one.odds > DOUBTFUL]}
    with clock.stage("train networks with and without the suspects"):
        networks = train_networks(
            data,
            hypotheses,
            doubtful,
            recipe=settings.probe,
            seed=settings.seed,
            device=settings.device,
            progress=clock.listener.trains,
        )
    with clock.stage("recover triggers and try them"):
        confirmations = tuple(confirm(data, one, networks, seed=settings.seed) for one in hypotheses)
        logits = tuple(predict_logits(networks.blind, data.inputs[one.rows]).numpy() for one in chosen)
    return Tested(confirmations, networks, logits)


def _found(
    data: Dataset,
    evidence: Evidence,
    answers: Answers,
    signals: Sequence[ClassSignal],
    chosen: Sequence[Nominee],
    tested: Tested | None,
) -> tuple[Found, ...]:
    found = []
    for place, nominee in enumerate(chosen):
        confirmation = tested.confirmations[place] if tested else None
        logits = tested.logits[place] if tested else None
        held_out = tested.networks.held_out if tested else None
        one = finding_of(data, evidence, answers, signals, nominee, confirmation, logits, held_out)
        if one is not None:
            found.append(one)
    strengths = ("confirmed", "suspicious")
    return tuple(sorted(found, key=lambda one: (strengths.index(one.finding.strength), one.finding.signals[0].p_value)))


def _suspicion(evidence: Evidence, answers: Answers, found: Sequence[Found]) -> dict[str, float]:
    """Samples of classes with a finding above all others, by their odds; within equals by the first detector's rank."""
    values = np.zeros(len(evidence))
    first = next((one.values for one in answers.scores.values() if one.classes is not None), None)
    if first is not None:
        values += 1e-3 * np.argsort(np.argsort(first)) / max(1, len(first))
    for one in found:
        values[one.rows] += 1.0 + one.odds
    return dict(zip(evidence.ids, values.tolist(), strict=True))


def _record(
    data: Dataset,
    evidence: Evidence,
    settings: ScanSettings,
    answers: Answers,
    signals: tuple[ClassSignal, ...],
    findings: tuple[Finding, ...],
    remarks: tuple,  # type: ignore[type-arg]
    model: TrainedModel | None,
    trusted: Dataset | None,
    clock: _Clock,
) -> ScanRecord:
    verdict, reason = verdict_of(findings, judged=len({signal.class_name for signal in signals}))
    known = references()
    used = {kind_of(run.detector) for run in answers.runs if run.skipped is None} & known.keys()
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
        model=model.name if model else None,
        trusted=trusted.record() if trusted else None,
        findings=findings,
        remarks=remarks,
        detectors=answers.runs,
        signals=signals,
        projection=projection(evidence, chances, settings.seed),
        histograms=histograms(evidence, answers.scores, findings),
        notes=(),
        commands=settings.commands,
        stages=tuple(clock.times),
        versions=versions(),
    )
