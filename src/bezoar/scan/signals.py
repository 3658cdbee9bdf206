"""From scores to signals: which class is odd by which detector, and who the suspects are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bezoar.detect.numerics.two_groups import TwoGroups, two_groups
from bezoar.detect.scores import Scores
from bezoar.evidence import Evidence, Real
from bezoar.records import ClassSignal, DetectorRun, Skipped
from bezoar.scan.calibration import holm, references
from bezoar.scan.panel import built, kind_of

SIGNIFICANCE = 0.01
"""Chance of any false alarm among all classes and detectors of a scan."""
NOMINATED = 0.02
"""A class whose uncorrected p-value is at most this is put to the test, whatever becomes of it."""
FEWEST_SUSPECTS = 5
"""An expert that names fewer suspects than this is not believed."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What each detector of a scan said: its scores, if any, by specification; and how each run went."""

    scores: dict[str, Scores]
    runs: tuple[DetectorRun, ...]


def ask(evidence: Evidence, specs: Sequence[str], *, trusted: Evidence | None, seed: int) -> Answers:
    """Ask every detector; one that is Skipped is kept with its reason. Raises SpecError for one that can't be built."""
    scores, runs = {}, []
    for spec, detector in zip(specs, built(specs), strict=True):
        started = time.perf_counter()
        answer = detector.score(evidence, trusted=trusted, seed=seed)
        seconds = time.perf_counter() - started
        if isinstance(answer, Skipped):
            runs.append(DetectorRun(spec, seconds, answer))
            continue
        scores[spec] = answer
        known = references().get(kind_of(spec)) if answer.classes is not None else None
        runs.append(DetectorRun(spec, seconds, None, known.start if known else None))
    return Answers(scores, tuple(runs))


def signals_of(answers: Answers, evidence: Evidence) -> tuple[ClassSignal, ...]:
    """Statistic, p-value and Holm's p-value of each class by each detector that has a reference.

    Classes with fewer samples than the smallest of the reference are left out, and those without a finite statistic.
    """
    raw: dict[tuple[str, str], tuple[float, float]] = {}
    for spec, scores in answers.scores.items():
        reference = references().get(kind_of(spec))
        if scores.classes is None or reference is None:
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


@dataclass(frozen=True, eq=False)
class Nominee:
    """A class to be put to the test: the signal that speaks loudest for it, its rows, and each row's odds and score."""

    label: int
    signal: ClassSignal
    rows: np.ndarray
    scores: Real
    odds: Real
    groups: TwoGroups

    @property
    def suspects(self) -> np.ndarray:
        """Rows more likely odd than not, most suspicious first."""
        ranked = self.rows[np.lexsort((-self.scores, -self.odds))]
        return ranked[: int((self.odds > 0.5).sum())]


def nominees(
    answers: Answers, signals: Sequence[ClassSignal], evidence: Evidence, *, most: int = 12
) -> tuple[Nominee, ...]:
    """The classes with a p-value of at most 2% by any detector, the clearest first, each by its clearest detector.

    The expert that fires names the suspects: an average over detectors would thin out what one of them sees clearly.
    Of several that are equally sure, the one on whose suspects the others agree most is taken; of two, or of equals,
    the one whose statistic lies farthest beyond its reference, in mean excesses of it. (P-values end at the least that
    is believed, where many are equal; how far scores lie apart can't be compared between detectors.) An expert that
    names fewer than 5 suspects is passed over.
    """
    found = []
    for label, name in enumerate(evidence.class_names):
        speaking = [signal for signal in signals if signal.class_name == name and signal.p_value <= NOMINATED]
        least = min((signal.p_value for signal in speaking), default=0.0)
        groups = ([one for one in speaking if one.p_value <= 3 * least], speaking)
        for group in groups:
            ordered = sorted(group, key=clearness, reverse=True)
            experts = [_nominee(evidence, answers, label, one) for one in ordered]
            usable = [one for one in experts if len(one.suspects) >= FEWEST_SUSPECTS]
            if usable:
                found.append(max(usable, key=lambda one: agreement(one, usable)))
                break
    return tuple(sorted(found, key=lambda one: clearness(one.signal), reverse=True)[:most])


def agreement(nominee: Nominee, experts: Sequence[Nominee]) -> float:
    """Mean share of suspects in common with the other experts', of all that either names; 0 unless two others speak."""
    own, others = set(nominee.suspects.tolist()), [one for one in experts if one is not nominee]
    if len(others) < 2:
        return 0.0
    named = [set(one.suspects.tolist()) for one in others]
    return float(np.mean([len(own & theirs) / len(own | theirs) for theirs in named]))


def clearness(signal: ClassSignal) -> float:
    """How far the statistic lies beyond what clean classes reach, see `Reference.beyond`."""
    return references()[kind_of(signal.detector)].beyond(signal.statistic)


def _nominee(evidence: Evidence, answers: Answers, label: int, signal: ClassSignal) -> Nominee:
    rows = evidence.members(label)
    scores = answers.scores[signal.detector].values[rows]
    groups = two_groups(scores)
    return Nominee(label, signal, rows, scores, groups.odds(scores), groups)
