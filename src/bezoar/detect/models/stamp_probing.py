"""Stamps tried one after another: marks that lead all classes to one, one class alone, or each class to another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.detect.inversion.quiet import untouched
from bezoar.detect.models.base import MODEL_DETECTORS, ModelScores, Progress, Proposal, unheard
from bezoar.detect.probing.answers import Shares, beyond, each_to_its_own, from_one_alone, to_each
from bezoar.detect.probing.asked import Asked, asked_with
from bezoar.detect.probing.stamps import Stamp, every_stamp, neighbours
from bezoar.records import Skipped

USUAL_TO_ONE, USUAL_FROM_ONE, USUAL_EACH = 0.75, 0.75, 0.25
"""The largest of the three shares that stamps reach on clean models for choosing."""
MEASURE = "times as effective as the best stamps usually are on models without a backdoor"
SURVIVORS = 12
"""So many stamps of each kind are tried again on more images."""


@MODEL_DETECTORS.register("stamp-probing")
@dataclass(frozen=True, kw_only=True)
class StampProbing:
    """Puts small squares of every plain colour at many places on clean images and sees where the model sends these.

    Three shares of images are told, each in units of the largest that clean models of the zoo show: of all other
    classes that go to one; of one class, less the share of the remaining ones (a source-specific backdoor); and of all
    classes that go each to another of its own (all-to-all). The statistic of a class is the largest of the three that
    has it as target. What few images (`first` of each class) show is tried again on `more`, with stamps that
    differ a little; what then leads best is told by `last` of each class, for of many the best seems better than it
    is. The model is only asked: no gradients. Classes of which it gets fewer than 4 clean samples right are targets
    and no sources; needs images and 3 such classes, else Skipped.

    A stamp may also make one thing of another: a sign whose mark is covered is another sign. So where any statistic
    exceeds 1, an innocent twin is made (see `probing/innocent.py`), and of what stamps do to the model counts what
    they do not do to that one.

    Our own, after the scanning of single pixels in Huang et al. 2020, One-pixel signature (ECCV). What descent finds
    from one class to another is as small in clean models as a trigger is; of plain stamps that is not so.
    """

    black_box: ClassVar[bool] = True

    first: int = 3
    more: int = 15
    last: int = 60
    positions: int = 11
    lessons: int = 800

    def inspect(
        self,
        model: nn.Module,
        trusted: Dataset | None,
        shape: tuple[int, ...],
        classes: int,
        *,
        seed: int,
        progress: Progress = unheard,
    ) -> ModelScores | Skipped:
        """Shares in units of clean models' largest (k,), and the stamp that reaches each."""
        with untouched(model):
            asked = asked_with(model, trusted, shape, classes, self.last, seed)
            return asked if isinstance(asked, Skipped) else self._tried(asked, seed, progress)

    def _tried(self, asked: Asked, seed: int, progress: Progress) -> ModelScores:
        shape = asked.trusted.shape
        stamps = every_stamp(shape, self.positions)
        rough = asked.of_each(self.first).shares(stamps, lambda done: progress(done, len(stamps)))
        chosen, more = [stamps[place] for place in _striking(rough)], asked.of_each(self.more)
        seen = more.shares(chosen)
        leaders = _Best.among(chosen, seen).leading()
        closer = list(dict.fromkeys(one for stamp in leaders for one in neighbours(stamp, shape)))
        better = _Best.among([*chosen, *closer], np.concatenate([seen, more.shares(closer)]))
        leading = list(dict.fromkeys(better.stamps))
        given = asked.shares(leading)
        if _told(given)[0].max() > 1:
            twin = asked.innocent(seed, self.lessons, progress)
            given = beyond(given, twin.shares(leading))
        best = _Best.among(leading, given)
        return ModelScores(best.statistics, proposals=best.proposals(shape), measure=MEASURE)


@dataclass(frozen=True, eq=False)
class _Best:
    """For each class the stamp that leads there best: its statistic (k,), itself, and the classes it leads there."""

    statistics: np.ndarray
    stamps: tuple[Stamp, ...]
    sources: tuple[tuple[int, ...], ...]

    @staticmethod
    def among(stamps: Sequence[Stamp], given: Shares) -> _Best:
        """The best of stamps with these shares."""
        table, sources = _told(given)
        places = table.argmax(0)
        classes = range(given.shape[1])
        return _Best(
            table.max(0),
            tuple(stamps[int(places[label])] for label in classes),
            tuple(sources(int(places[label]), label) for label in classes),
        )

    def leading(self, count: int = 2) -> list[Stamp]:
        """The stamps of the most suspicious classes."""
        return [self.stamps[int(label)] for label in np.argsort(-self.statistics)[:count]]

    def proposals(self, shape: tuple[int, ...]) -> tuple[Proposal, ...]:
        """The stamps as patches, one for each class."""
        return tuple(
            Proposal(label, sources, "patch", stamp.as_patch(shape), float(stamp.size**2))
            for label, (stamp, sources) in enumerate(zip(self.stamps, self.sources, strict=True))
        )


def _told(given: Shares) -> tuple[np.ndarray, Callable[[int, int], tuple[int, ...]]]:
    """The statistic (p, k) of each class under each stamp, and who its source classes are, () for all others."""
    one = to_each(given) / USUAL_TO_ONE
    pairs = from_one_alone(given) / USUAL_FROM_ONE
    matched, ways = each_to_its_own(given)
    table = np.stack([one, pairs.max(1), np.repeat(matched[:, None] / USUAL_EACH, one.shape[1], 1)])

    def sources(place: int, label: int) -> tuple[int, ...]:
        kind = int(table[:, place, label].argmax())
        if kind == 0:
            return ()
        return (int(pairs[place, :, label].argmax() if kind == 1 else np.flatnonzero(ways[place] == label)[0]),)

    return table.max(0), sources


def _striking(rough: Shares) -> list[int]:
    """Places of the stamps that are worth more images, by any of the three."""
    ranked = (to_each(rough).max(1), from_one_alone(rough).max((1, 2)), each_to_its_own(rough)[0])
    return sorted({int(place) for one in ranked for place in np.argsort(-one, kind="stable")[:SURVIVORS]})
