"""Triggers on trial: what one does to clean samples, beside its matched controls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bezoar.confirm.flips import Carriers, Flags, Flips
from bezoar.confirm.recover.candidates import Candidate
from bezoar.confirm.witness import Witnesses

ON_BLIND = "the same trigger on a network that never met the suspects"
ON_PLACEBO = "the same trigger on a network that met innocent samples in their place"
TWIN = "a trigger recovered the same way from innocent samples"


@dataclass(frozen=True, eq=False)
class Trial:
    """A candidate's flips on carriers with these `labels` (n,), and those of its controls by name."""

    candidate: Candidate
    labels: NDArray[np.int64]
    done: Flips
    controls: Mapping[str, Flips]

    def gains(self, classes: int, control: Flips) -> NDArray[np.float64]:
        """By how much the flips of each class (k,) exceed the control's, NaN where either is not known."""
        return self.done.by_class(self.labels, classes) - control.by_class(self.labels, classes)

    @property
    def worth(self) -> float:
        """Gain over the strongest control, see `gain`; -1 where nothing counts."""
        return min((gain(self.done, control, self.labels) for control in self.controls.values()), default=-1.0)


def gain(done: Flips, control: Flips | None, labels: NDArray[np.int64]) -> float:
    """Half that of the best source and half that of all, over a control, or over none; -1 where nothing counts.

    Half by source, since some triggers work on samples of one class alone.
    """
    overall = done.rate - (control.rate if control else 0.0)
    if np.isnan(overall):
        return -1.0
    classes = int(labels.max()) + 1
    by_class = done.by_class(labels, classes) - (control.by_class(labels, classes) if control else 0.0)
    best = float(np.nanmax(by_class)) if np.isfinite(by_class).any() else overall
    return 0.5 * (best + overall)


@dataclass(frozen=True, eq=False)
class Bench:
    """Where triggers towards a target are tried: before three networks, each asked about the same carriers."""

    witnesses: Witnesses
    target: int

    @property
    def carriers(self) -> Carriers:
        """What triggers are put on."""
        return self.witnesses.carriers

    @property
    def others(self) -> Carriers:
        """Carriers that are not of the target class."""
        return self.carriers.part(self.carriers.labels != self.target)

    def part(self, chosen: Flags) -> Bench:
        """The same with the chosen carriers alone."""
        return Bench(self.witnesses.part(chosen), self.target)

    def trial(self, candidate: Candidate) -> Trial:
        """What a candidate does on the exposed network, and its controls."""
        return self._judged(candidate, self._done(candidate))

    def trials(self, candidates: Iterable[Candidate], *, near: float, least: float) -> list[Trial]:
        """Trials of the candidates that may gain as much as the best of them, or less by no more than `near`, in order.

        Controls take most of the time, and only lessen what a candidate gains: none are asked of those that by their
        own flips can't come near the best. Where no candidate can gain `least`, the first is tried alone.
        """
        tried = [(candidate, self._done(candidate)) for candidate in candidates]
        hopes = [gain(done, None, self.carriers.labels) for _, done in tried]
        if max(hopes, default=least) < least:
            return [self._judged(*tried[0])]
        found: dict[int, Trial] = {}
        best = -1.0
        for place in sorted(range(len(tried)), key=lambda one: -hopes[one]):
            if hopes[place] >= best - near:
                found[place] = self._judged(*tried[place])
                best = max(best, found[place].worth)
        return [found[place] for place in sorted(found)]

    def _done(self, candidate: Candidate) -> Flips:
        return self.witnesses.exposed.flips(candidate.trigger, self.target)

    def _judged(self, candidate: Candidate, done: Flips) -> Trial:
        """Controls are the same trigger on the two other networks, and its twin.

        A twin is tried on the network it was recovered with, or, as its original, on the exposed one.
        """
        trigger, twin, asked = candidate.trigger, candidate.twin, self.witnesses
        on_blind = asked.blind.flips(trigger, self.target)
        same = asked.placebo is asked.blind
        controls = {ON_BLIND: on_blind, ON_PLACEBO: on_blind if same else asked.placebo.flips(trigger, self.target)}
        if twin is not None:
            controls[TWIN] = (asked.placebo if twin.kind == "warp" else asked.exposed).flips(twin, self.target)
        return Trial(candidate, self.carriers.labels, done, controls)
