"""Triggers on trial: what one does to clean samples, beside its matched controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bezoar.confirm.flips import Carriers, Change, Flags, Flips, flips
from bezoar.confirm.networks import Networks
from bezoar.confirm.recover.candidates import Candidate

Which: TypeAlias = Literal["blind", "exposed", "placebo"]

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
        """Gain over the strongest control: half that of the best source and half of all, -1 where nothing counts.

        Half by source, since some triggers work on samples of one class alone.
        """
        return min((self._gain(control) for control in self.controls.values()), default=-1.0)

    def _gain(self, control: Flips) -> float:
        overall = self.done.rate - control.rate
        if np.isnan(overall):
            return -1.0
        by_class = self.gains(int(self.labels.max()) + 1, control)
        best = float(np.nanmax(by_class)) if np.isfinite(by_class).any() else overall
        return 0.5 * (best + overall)


@dataclass(frozen=True, eq=False)
class Bench:
    """Carriers before the three networks; `right` (n,) of each says what it answers rightly without a trigger."""

    networks: Networks
    target: int
    carriers: Carriers
    right: Mapping[Which, Flags]

    @staticmethod
    def of(networks: Networks, carriers: Carriers, target: int) -> Bench:
        """Ask every network once about the carriers as they are."""
        models = {"blind": networks.blind, "exposed": networks.exposed, "placebo": networks.placebo}
        right = {name: carriers.answers(model) == carriers.labels for name, model in models.items()}
        return Bench(networks, target, carriers, right)  # type: ignore[arg-type]

    def part(self, chosen: Flags) -> Bench:
        """The same with the chosen carriers alone."""
        right: dict[Which, Flags] = {name: flags[chosen] for name, flags in self.right.items()}
        return Bench(self.networks, self.target, self.carriers.part(chosen), right)

    @property
    def others(self) -> Carriers:
        """Carriers that are not of the target class."""
        return self.carriers.part(self.carriers.labels != self.target)

    def flips(self, which: Which, change: Change) -> Flips:
        """What `change` does on one of the networks."""
        return flips(getattr(self.networks, which), self.carriers, change, self.target, self.right[which])

    def trial(self, candidate: Candidate) -> Trial:
        """What a candidate does on the exposed network, and its controls: the same on the two others, and its twin.

        A twin is tried on the network it was recovered with, or, as its original, on the exposed one.
        """
        trigger, twin = candidate.trigger, candidate.twin
        controls = {ON_BLIND: self.flips("blind", trigger), ON_PLACEBO: self.flips("placebo", trigger)}
        if twin is not None:
            controls[TWIN] = self.flips("placebo" if twin.kind == "warp" else "exposed", twin)
        return Trial(candidate, self.carriers.labels, self.flips("exposed", trigger), controls)
