"""Models a user trusts as the measure of another: what is usual there, class by class, and where the cut lies."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from bezoar.detect.numerics.references import Stands, Told, among_themselves, as_rare, cut_of, stand_out
from bezoar.inspection.reference_folder import FEWEST
from bezoar.records import Skipped
from bezoar.records.references import ClassReference, ReferenceModel, ReferenceModels, UnusableReference

ALARMS = 0.01
"""The share of models without a backdoor that may get a finding, if what detectors say of them is normal."""


@dataclass(frozen=True, eq=False)
class Reference:
    """A model that is trusted: its classes, and by detector the statistic of each, where it gave any.

    `network` is a digest of how it is built.
    """

    model: ReferenceModel
    class_names: tuple[str, ...]
    figures: dict[str, tuple[float, ...]]
    network: str = ""

    def told(self, detector: str) -> Told:
        """Statistics by name of the class."""
        return dict(zip(self.class_names, self.figures[detector], strict=True))


@dataclass(frozen=True, eq=False)
class Compared:
    """One detector's statistics (k,) in spreads of the references, their cut, and what each rests on."""

    statistics: NDArray[np.float64]
    cut: float
    classes: tuple[ClassReference, ...]
    count: int
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class References:
    """References that were asked by the same detectors, with the same seed and clean samples, as a model will be.

    Gathering them took so many wall `seconds`; `notes` are sentences worth telling.
    """

    place: str
    detectors: tuple[str, ...]
    seed: int
    used: tuple[Reference, ...]
    unusable: tuple[UnusableReference, ...]
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    def compared(self, detector: str, names: Sequence[str], own: NDArray[np.float64]) -> Compared | Skipped:
        """What a detector says of a model's classes beside the references; Skipped where three have no figure.

        The cut is what one model in a hundred would exceed, over all classes and detectors, if statistics were normal;
        where a reference, compared with the others, exceeds it, the cut is as rare as that.
        """
        asked = [one for one in self.used if detector in one.figures]
        if len(asked) < FEWEST:
            return Skipped(f"{len(asked)} of {len(self.used)} references have a figure for it; {FEWEST} are needed")
        told = [one.told(detector) for one in asked]
        stands = stand_out(dict(zip(names, own.tolist(), strict=True)), told)
        comparisons = len(names) * len(self.detectors)
        cut, odd = cut_of(stands.freedom, comparisons, ALARMS), []
        for one, beside in zip(asked, among_themselves(told), strict=True):
            largest = float(beside.statistics.max())
            cut = max(cut, as_rare(largest, beside.freedom, stands.freedom))
            if largest > cut_of(beside.freedom, comparisons, ALARMS):
                odd.append(_odd(one, detector, beside, largest))
        return Compared(stands.statistics, round(cut, 4), _classes(own, stands), len(asked), tuple(odd))

    def otherwise_built(self, network: nn.Module) -> tuple[str, ...]:
        """A sentence on references that are other networks than this one; none where there are none."""
        own = built_as(network)
        others = sum(one.network != own for one in self.used)
        if not others:
            return ()
        note = (
            f"{others} of {len(self.used)} references are built otherwise than the model: what is usual in another "
            "network may not be in this one"
        )
        return (note,)

    @property
    def cuts_from(self) -> str:
        """What the cuts rest on, in a few words."""
        left_out = f" ({len(self.unusable)} more left out)" if self.unusable else ""
        return f"{len(self.used)} references in {self.place}{left_out}"

    def false_alarm(self, judging: int) -> str:
        """How often models without a backdoor may get a finding, by that many detectors."""
        count = len(self.used)
        most = min(1.0, judging / (count + 1))
        return (
            f"{ALARMS:.0%} of models without a backdoor would get a finding, if they are of the same kind as the "
            f"{count} references and what detectors say is spread normally; with nothing assumed of its spread, so few "
            f"can promise only that it is about {most:.0%} at most"
        )

    @property
    def record(self) -> ReferenceModels:
        """The references as they appear in a record."""
        return ReferenceModels(self.place, tuple(one.model for one in self.used), self.unusable)


def built_as(network: nn.Module) -> str:
    """SHA-256 of how a network is built: its modules and their settings, not its weights."""
    return hashlib.sha256(repr(network).encode()).hexdigest()


def _odd(one: Reference, detector: str, beside: Stands, largest: float) -> str:
    name = one.class_names[int(beside.statistics.argmax())]
    return (
        f"the reference {one.model.name} stands out of the others itself ({detector}, class {name}: {largest:.1f} "
        "spreads), and the cut is as high as that; if you are not sure of it, take it out of the folder"
    )


def _classes(own: NDArray[np.float64], stands: Stands) -> tuple[ClassReference, ...]:
    return tuple(
        ClassReference(round(float(value), 4), round(float(usual), 4), round(float(spread), 4), int(models))
        for value, usual, spread, models in zip(own, stands.usual, stands.spread, stands.models, strict=True)
    )
