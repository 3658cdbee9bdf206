"""From scores to signals: which class is odd by which detector."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bezoar.detect.scores import Scores
from bezoar.evidence import Evidence
from bezoar.records import ClassSignal, DetectorRun, Skipped
from bezoar.scan.calibration import holm, references_for
from bezoar.scan.panel import built

SIGNIFICANCE = 0.01
"""Chance of any false alarm among all classes and detectors of a scan."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What each detector of a scan said: its scores, if any, by specification; and how each run went."""

    scores: dict[str, Scores]
    runs: tuple[DetectorRun, ...]


def ask(evidence: Evidence, specs: Sequence[str], *, trusted: Evidence | None, seed: int) -> Answers:
    """Ask every detector; one that is Skipped is kept with its reason. Raises SpecError for one that can't be built."""
    known = references_for(specs)
    scores, runs = {}, []
    for spec, detector in zip(specs, built(specs), strict=True):
        started = time.perf_counter()
        answer = detector.score(evidence, trusted=trusted, seed=seed)
        seconds = time.perf_counter() - started
        if isinstance(answer, Skipped):
            runs.append(DetectorRun(spec, seconds, answer))
            continue
        scores[spec] = answer
        judges = spec in known and answer.classes is not None
        runs.append(DetectorRun(spec, seconds, None, known[spec].start if judges else None))
    return Answers(scores, tuple(runs))


def signals_of(answers: Answers, evidence: Evidence) -> tuple[ClassSignal, ...]:
    """Statistic, p-value and Holm's p-value of each class by each detector that has a reference.

    Classes with fewer samples than the smallest of the reference are left out, and those without a finite statistic.
    """
    raw: dict[tuple[str, str], tuple[float, float]] = {}
    for spec, reference in references_for(list(answers.scores)).items():
        scores = answers.scores[spec]
        if scores.classes is None:
            continue
        enough = np.bincount(evidence.labels, minlength=evidence.classes) >= reference.smallest
        for name, statistic, large in zip(evidence.class_names, scores.classes.tolist(), enough.tolist(), strict=True):
            if large and np.isfinite(statistic):
                raw[spec, name] = (statistic, reference.p_value(statistic))
    adjusted = holm({key: p for key, (_, p) in raw.items()})
    return tuple(
        ClassSignal(spec, name, statistic, p, adjusted[spec, name], adjusted[spec, name] <= SIGNIFICANCE)
        for (spec, name), (statistic, p) in raw.items()
    )
