"""A search for small triggers towards every class, and the trigger that a model seems to have.

The detectors are those of an inspection, and so are the cuts: both are handed in from above, for which classes of a
sound model have small triggers by nature only measurements tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np
from torch import Tensor, nn

from bezoar.confirm.flips import LEAST_FLIPS, Carriers, flips
from bezoar.confirm.recover.inverted import proposed, recovered
from bezoar.confirm.recover.recovered import Recovered
from bezoar.data.dataset import Dataset
from bezoar.detect import models  # noqa: F401  registers
from bezoar.detect.models.base import MODEL_DETECTORS, ModelScores
from bezoar.records import Skipped
from bezoar.records.repairing import ClassSize, TriggerSearch
from bezoar.repair.checks.turning import Turning
from bezoar.repair.given import Aimed
from bezoar.training.elsewhere import computing_on
from bezoar.training.listening import Working
from bezoar.triggers.base import Trigger

FEWEST_SAMPLES, MOST_FURTHER, MOST_SUPPOSED = 12, 6, 50
LESS = 0.5
"""A trigger turned so much less of what it turns now before a repair that it is new."""
NOT_WORKED = Skipped("no trigger of this form turned enough samples")
NO_TRIGGERS = Skipped("this detector looks for no triggers")
NONE_RIGHT = Skipped("the model gets none of the samples right that a trigger could turn")
NO_DETECTOR = Skipped("no detector with a cut was named to search by")


@dataclass(frozen=True)
class Bar:
    """A detector of models by its specification, and the cut: by a statistic above it a class stands out."""

    detector: str
    cut: float


@dataclass(frozen=True, eq=False)
class Suspected:
    """A trigger that may be a backdoor's, the class it leads to, and how it was found, in words.

    `stands_out` says whether there is a reason to suspect anybody: the smallest trigger of a sound model is one, too.
    `searches` tells all that the search showed which found it, where it was one: asked again about every class, and
    so only when somebody wants it. `further` ones stand out as well, towards other classes. `supposed` ones do what
    one of all these does, and are nothing of their own; where nothing stands out, they are all that work.
    """

    trigger: Trigger
    target: int
    stands_out: bool
    found: str
    description: str
    picture: Tensor | None = None
    searches: Callable[[], tuple[TriggerSearch, ...]] = tuple
    further: tuple[Suspected, ...] = ()
    supposed: tuple[Aimed, ...] = ()

    @property
    def aimed(self) -> Aimed:
        """As a repair is given it."""
        return Aimed(self.trigger, self.target)


@dataclass(frozen=True, eq=False)
class Searched:
    """What a search of one model told, and the triggers that stand out in it, loudest first."""

    told: tuple[TriggerSearch, ...]
    signs: tuple[Suspected, ...]


Finder: TypeAlias = Callable[[], Suspected | Skipped]
"""Looks for a trigger, or gives one that was found before."""


@dataclass(frozen=True, eq=False)
class Worn:
    """A recovered trigger on uint8 images."""

    recovered: Recovered

    def __call__(self, batch: Tensor) -> Tensor:
        """The batch with the trigger."""
        return self.recovered(batch)


@dataclass(frozen=True, eq=False)
class Heard:
    """What one detector said of a model, and its cut."""

    bar: Bar
    scores: ModelScores

    def over(self, label: int) -> float:
        """How many times its cut the statistic of a class is: above 1 it stands out."""
        return float(self.scores.classes[label]) / self.bar.cut


def suspected_trigger(
    model: nn.Module,
    data: Dataset,
    *,
    bars: Sequence[Bar],
    target: int | None = None,
    seed: int,
    device: str = "auto",
    progress: Working | None = None,
) -> Suspected | Skipped:
    """The trigger, of those that the detectors invert, whose statistic is the largest beside its cut.

    Found on clean `data`; with `target` it is that class's, whether it stands out or not. Triggers towards other
    classes that stand out, by whichever detector, are its `further` ones. Where none stands out, it and all that were
    inverted and work, 50 at most, are `supposed`, the likeliest first.
    """
    told = heard(model, data, bars, seed=seed, device=device, progress=progress)
    if isinstance(told, Skipped):
        return told
    ranked = [entry for entry in _ranked(told) if target in (None, entry[2])]
    if not ranked:
        return Skipped("no trigger could be found in the model")
    _, loudest, aim = ranked[0]
    others = [(one, label) for over, one, label in ranked[1:] if over > 1 and label != aim][:MOST_FURTHER]
    likely = [
        (one, label) for place, (_, one, label) in enumerate(ranked) if not place or one.scores.inverted is not None
    ]
    return replace(
        _suspected(loudest, aim, data),
        searches=partial(_all_told, model, told, data, device),
        further=tuple(_suspected(one, label, data) for one, label in others),
        supposed=tuple(
            _suspected(one, label, data).aimed for one, label in ([] if ranked[0][0] > 1 else likely[:MOST_SUPPOSED])
        ),
    )


def _ranked(told: Sequence[Heard]) -> list[tuple[float, Heard, int]]:
    """Every trigger that works, by its detector and class, with how many times its cut it is; the loudest first."""
    every = [(one.over(label), one, label) for one in told for label in _working(one)]
    return sorted(every, key=lambda entry: entry[0], reverse=True)


def _suspected(one: Heard, label: int, data: Dataset) -> Suspected:
    trigger = _trigger(one, label, data.shape)
    how = (
        f"found by {one.bar.detector} on {len(data):,} trusted samples: {one.scores.classes[label]:.1f} "
        f"{one.scores.measure} ({one.bar.cut:g} stands out)"
    )
    return Suspected(Worn(trigger), label, one.over(label) > 1, how, trigger.description, trigger.picture)


def heard(
    model: nn.Module,
    data: Dataset,
    bars: Sequence[Bar],
    *,
    seed: int,
    device: str = "auto",
    progress: Working | None = None,
) -> tuple[Heard, ...] | Skipped:
    """What every detector says, or why none can say anything."""
    if reason := _too_little(data):
        return Skipped(reason)
    with computing_on(model, device):
        asked = [(bar, _asked(model, data, bar, seed, progress)) for bar in bars]
    told = tuple(Heard(bar, said) for bar, said in asked if isinstance(said, ModelScores))
    reasons = dict.fromkeys(said.reason for _, said in asked if isinstance(said, Skipped))
    return told or (Skipped("; ".join(reasons)) if reasons else NO_DETECTOR)


def searched(
    model: nn.Module,
    data: Dataset,
    *,
    bars: Sequence[Bar],
    seed: int,
    device: str = "auto",
    before: nn.Module | None = None,
    progress: Working | None = None,
) -> Searched | Skipped:
    """What all detectors say. `before` is the model as it was before a repair, which tells what is new."""
    told = heard(model, data, bars, seed=seed, device=device, progress=progress)
    if isinstance(told, Skipped):
        return told
    signs = tuple(_suspected(one, label, data) for over, one, label in _ranked(told) if over > 1)
    return Searched(_all_told(model, told, data, device, before), signs)


def _all_told(
    model: nn.Module, told: Sequence[Heard], data: Dataset, device: str, before: nn.Module | None = None
) -> tuple[TriggerSearch, ...]:
    with computing_on(model, device):
        searches = tuple(_told(model, one, data) for one in told)
    if before is None or not any(one.stands_out for one in searches):
        return searches
    with computing_on(model, device), computing_on(before, device):
        now, then = (Turning.asked(asked, data, len(data), seed=0) for asked in (model, before))  # all samples: no draw
        return tuple(_compared(now, then, one, search, data) for one, search in zip(told, searches, strict=True))


def _asked(model: nn.Module, data: Dataset, bar: Bar, seed: int, progress: Working | None) -> ModelScores | Skipped:
    def hear(done: int, total: int) -> None:
        if progress is not None:
            progress(f"search for a trigger: {bar.detector}", done, total)

    detector = MODEL_DETECTORS.create(bar.detector)
    return detector.inspect(model, data, data.shape, len(data.class_names), seed=seed, progress=hear)


def _working(one: Heard) -> Iterator[int]:
    """Classes for which it has a trigger that works."""
    if one.scores.inverted is not None:
        yield from (label for label, worked in enumerate(one.scores.inverted.worked.tolist()) if worked)
    yield from (proposal.target for proposal in one.scores.proposals)


def _trigger(one: Heard, label: int, shape: tuple[int, ...]) -> Recovered:
    """The trigger towards a working class."""
    if one.scores.inverted is not None:
        return recovered(one.scores.inverted, label, shape)
    return proposed(one.scores.proposals[label], shape)


def _told(model: nn.Module, one: Heard, data: Dataset) -> TriggerSearch:
    working = frozenset(_working(one))
    none = NOT_WORKED if one.scores.inverted is not None else NO_TRIGGERS
    carriers = Carriers.of(data, np.arange(len(data), dtype=np.int64))
    right = carriers.answers(model) == carriers.labels

    def size(label: int) -> float | Skipped:
        found = one.scores.size(label) if label in working else None
        return none if found is None else found

    def turned(label: int) -> float | Skipped:
        if label not in working:
            return none
        share = flips(model, carriers, _trigger(one, label, data.shape), label, right).rate
        return share if share == share else NONE_RIGHT  # NaN where no sample counts

    classes = tuple(
        ClassSize(
            class_name=name,
            size=size(label),
            statistic=float(one.scores.classes[label]),
            flips=turned(label),
        )
        for label, name in enumerate(data.class_names)
    )
    out = tuple(name for label, name in enumerate(data.class_names) if one.over(label) > 1)
    return TriggerSearch(one.bar.detector, one.scores.unit, len(data), one.bar.cut, classes, out)


def _compared(now: Turning, then: Turning, one: Heard, search: TriggerSearch, data: Dataset) -> TriggerSearch:
    """The search, with what is new of that which stands out."""
    classes = tuple(
        replace(each, new=each.class_name in search.stands_out and _is_new(now, then, one, label, data))
        for label, each in enumerate(search.classes)
    )
    return replace(search, classes=classes)


def _is_new(now: Turning, then: Turning, one: Heard, label: int, data: Dataset) -> bool:
    """Whether a trigger turns few samples, and turned less than half as many of its source classes in another model."""
    if label not in frozenset(_working(one)):
        return False
    trigger = _trigger(one, label, data.shape)
    sources = one.scores.proposals[label].sources if one.scores.inverted is None else ()
    few = now.rate(trigger, label) < LEAST_FLIPS
    return few and then.rate(trigger, label, sources) < LESS * now.rate(trigger, label, sources)


def _too_little(data: Dataset) -> str:
    if not data.is_images:
        return "triggers are searched for in image classifiers alone"
    if len(data) - max(data.class_counts) < FEWEST_SAMPLES:
        return f"a search needs {FEWEST_SAMPLES} clean samples beside those of the largest class"
    return ""
