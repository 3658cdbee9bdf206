"""Classes to be put to the test, and the experts who say which of their samples are suspects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bezoar.detect.numerics.two_groups import two_groups
from bezoar.evidence import Evidence, Real
from bezoar.records import ClassSignal
from bezoar.scan.calibration import references_for
from bezoar.scan.panel import IN_DETAIL
from bezoar.scan.signals import Answers
from bezoar.scan.strength import NOWHERE, Standing, standings

NOMINATED = 0.005
"""A class whose uncorrected p-value is at most this is put to the test: one clean set in three or so has one."""
NOMINATED_IN_DETAIL = 0.05
"""The same for fine detail alone: 9 of 67 clean sets have a class between the two, and few poisons in small classes
reach no farther."""
FEWEST_SUSPECTS = 5
"""An expert that names fewer suspects than this is not believed."""
MOST_CLASSES, MOST_EXPERTS = 12, 3
ALIKE = 0.7
"""Experts whose suspects overlap more (intersection over union) would only repeat one another."""
MOST_SUSPECTED = 0.6
"""No expert is added by whom more of a class would be suspected: too little would remain to compare suspects with."""


@dataclass(frozen=True, eq=False)
class Expert:
    """What one detector says of the samples (rows) of a class that stands out: score and odds of each to be odd."""

    signal: ClassSignal
    rows: np.ndarray
    scores: Real
    odds: Real

    @property
    def suspects(self) -> np.ndarray:
        """Rows more likely odd than not, most suspicious first."""
        ranked = self.rows[np.lexsort((-self.scores, -self.odds))]
        return ranked[: int((self.odds > 0.5).sum())]

    @property
    def share(self) -> float:
        """Share of the class that is suspected."""
        return float((self.odds > 0.5).mean())

    def turned(self) -> Expert:
        """The same with the rest of the class suspected, for a class of which half is odd, whichever it is."""
        return Expert(self.signal, self.rows, -self.scores, 1.0 - self.odds)


@dataclass(frozen=True, eq=False)
class Nominee:
    """A class to be put to the test: the signal that speaks loudest for it, its experts, the most trusted first, and
    where it stands out.

    There is at least one. They name different suspects: which of them is right is for the causal test to say.
    """

    label: int
    signal: ClassSignal
    experts: tuple[Expert, ...]
    standing: Standing = NOWHERE


def nominees(answers: Answers, signals: Sequence[ClassSignal], evidence: Evidence) -> tuple[Nominee, ...]:
    """The classes with a p-value of at most 0.5% by any detector, or else of 5% in their fine detail.

    The clearest come first, each with up to three experts. The expert that fires names the suspects: an average over
    detectors would thin out what one of them sees clearly. First comes, of those equally sure, the one on whose
    suspects the others agree most; of two, or of equals, the one whose statistic lies farthest beyond its reference, in
    mean excesses of it. (P-values end at the least that is believed, where many are equal; how far scores lie apart
    can't be compared between detectors.) Then come those that name other suspects. An expert that names fewer than 5
    is passed over.
    """
    known = references_for(list(answers.scores))

    def clearness(signal: ClassSignal) -> float:
        return known[signal.detector].beyond(signal.statistic)

    where = standings(signals, evidence.classes)
    found = []
    for label, name in enumerate(evidence.class_names):
        speaking = _speaking([signal for signal in signals if signal.class_name == name])
        ordered = sorted(speaking, key=clearness, reverse=True)
        usable = [
            one
            for one in (_expert(evidence, answers, label, signal) for signal in ordered)
            if len(one.suspects) >= FEWEST_SUSPECTS
        ]
        if usable:
            experts = different(_most_trusted(usable), usable)
            found.append(Nominee(label, ordered[0], experts, where.get(name, NOWHERE)))
    return tuple(sorted(found, key=lambda one: clearness(one.signal), reverse=True)[:MOST_CLASSES])


def _speaking(signals: Sequence[ClassSignal]) -> list[ClassSignal]:
    """Those of the signals of one class for which it is put to the test, if any."""
    clear = [signal for signal in signals if signal.p_value <= NOMINATED]
    return clear or [one for one in signals if one.detector == IN_DETAIL and one.p_value <= NOMINATED_IN_DETAIL]


def _most_trusted(experts: Sequence[Expert]) -> Expert:
    """Of those that are as sure as the surest, the one the others agree with; the first of equals."""
    least = min(one.signal.p_value for one in experts)
    sure = [one for one in experts if one.signal.p_value <= 3 * least]
    return max(sure, key=lambda one: agreement(one, sure))


def different(first: Expert, experts: Sequence[Expert]) -> tuple[Expert, ...]:
    """`first`, then those of `experts`, in their order, that name other suspects than all before: three at most."""
    chosen, named = [first], set(first.suspects.tolist())
    for one in experts:
        together = named | set(one.suspects.tolist())
        new = all(overlap(one, other) <= ALIKE for other in chosen) and len(together) <= MOST_SUSPECTED * len(one.rows)
        if new and len(chosen) < MOST_EXPERTS:
            chosen.append(one)
            named = together
    return tuple(chosen)


def overlap(one: Expert, other: Expert) -> float:
    """Share of suspects that both name, of all that either names."""
    mine, theirs = set(one.suspects.tolist()), set(other.suspects.tolist())
    return len(mine & theirs) / max(1, len(mine | theirs))


def agreement(expert: Expert, experts: Sequence[Expert]) -> float:
    """Mean overlap with the other experts; 0 unless two others speak."""
    others = [one for one in experts if one is not expert]
    return float(np.mean([overlap(expert, one) for one in others])) if len(others) >= 2 else 0.0


def _expert(evidence: Evidence, answers: Answers, label: int, signal: ClassSignal) -> Expert:
    rows = evidence.members(label)
    scores = answers.scores[signal.detector].values[rows]
    return Expert(signal, rows, scores, two_groups(scores).odds(scores))
