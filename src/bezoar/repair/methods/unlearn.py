"""Unlearning: the flagged samples' labels, or the way from a trigger to its target, are forgotten."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.data.dataset import Dataset
from bezoar.records import Skipped
from bezoar.repair.base import REPAIRS, Mended, ModelRepair, Used, Work, require
from bezoar.repair.given import FEWEST, Aimed, Given, can_keep, joined, kept_samples, with_trigger
from bezoar.repair.lessons import Lesson, again, as_before
from bezoar.repair.loop import Batch, Gradients, Tuning, downhill, tune
from bezoar.repair.numerics.forgetting import bounded_ascent

STEPS_EACH = 8
"""By so many each trigger beyond the first adds to the least steps: of forty, 100 steps hardly teach any."""
MET = 25
"""On so many samples every trigger is shown. Few samples are paired with several triggers more than once for it: with
eight triggers on drawn aircraft, 2.1% in place of 4.5% of an adaptive blend are left."""


@dataclass(frozen=True, eq=False)
class Forgotten:
    """Samples whose label shall be forgotten: whether suspects are among them, and others with a trigger on."""

    data: Dataset
    suspects: bool
    triggered: bool

    @property
    def said(self) -> str:
        """What they are."""
        what = " and ".join(["suspects"] * self.suspects + ["samples with a trigger on"] * self.triggered)
        return f"{len(self.data):,} {what}"


@dataclass(frozen=True, eq=False)
class Course:
    """What was forgotten, in how many epochs and up to which loss, and how many samples were kept with a trigger on."""

    forgotten: Forgotten
    epochs: int
    bound: float
    shown: int

    @property
    def said(self) -> str:
        """The same in words."""
        beside = f" beside {self.shown:,} that were kept with a trigger on" if self.shown else ""
        return f"unlearnt {self.forgotten.said} in {self.epochs} epochs up to a loss of {self.bound:.2g}{beside}"


@REPAIRS.register("unlearn")
@dataclass(frozen=True, kw_only=True)
class Unlearn(Tuning, ModelRepair):
    """Raise the loss of what shall be forgotten up to a bound, while that of other samples is kept low.

    What shall be forgotten are the suspects under the labels they have (`of` suspects), or samples of other classes
    with the trigger on under the target's (`of` trigger); `auto` takes the suspects where there are any, and
    `trigger-alone` is the trigger in their place: with poisons of a clean label their class would be forgotten. `bound`
    is the loss, in nats, from which on a sample counts as forgotten: that of a guess among all classes unless given. In
    every batch a share of `forget` are samples to forget, repeated if need be. Kept are the trusted samples and as
    many unflagged ones as make `samples`; where a trigger is known, a share `shown` of them is kept a second time with
    it on, or else what is forgotten would be answered by chance. Needs 10 samples to keep, and suspects among training
    data, or a trigger and its target. Innocent samples that are suspected are forgotten with the others, which costs
    accuracy.

    Li et al. 2021 (anti-backdoor learning, arXiv 2110.11571), its second stage. Deviations: ascent is bounded and
    goes on beside descent in one batch; suspects are given, not found by their loss; unlearning a trigger is not in
    the paper; kept samples shall be answered as before, mixed with their labels. Where no trigger is known, all that
    are supposed are unlearnt, and then those of the likeliest class alone: among forty of ten classes it is hardly
    taught, and by itself it would be too much of a guess.
    """

    epochs: int = 3
    learning_rate: float = 0.005
    distillation: float = 0.9
    of: Literal["auto", "suspects", "trigger", "trigger-alone"] = "auto"
    bound: float | None = None
    forget: float = 0.25
    weight: float = 1.0
    samples: int = 10_000
    shown: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        most = float("inf")
        require(
            "unlearn",
            bound=(self.bound if self.bound is not None else 1.0, 0, most),
            forget=(self.forget, 0.01, 0.9),
            weight=(self.weight, 0, most),
            samples=(self.samples, FEWEST, most),
            shown=(self.shown, 0, 1),
        )

    def lacks(self, given: Given) -> str:
        """Something to forget and something to keep."""
        suspected = given.training is not None and bool(given.suspects)
        aimed = bool(given.aimed)
        if self.of == "suspects" and not suspected:
            return "no suspects among training data were given"
        if self.of == "trigger" and not aimed:
            return "no trigger together with its target was given"
        if self.of == "trigger-alone" and not (suspected and aimed):
            return "there are no suspects beside a trigger, which could take their place"
        if not suspected and not aimed:
            return "nothing to forget was given: suspects among training data, or a trigger together with its target"
        if not can_keep(given):
            return f"there are not {FEWEST} samples that are trusted, or left of the training data without suspects"
        return ""

    def mend(self, work: Work) -> Mended | Skipped:
        """Ascent on some, descent on the others."""
        kept, given = kept_samples(work.given, self.samples, work.seed), work.given
        assert kept is not None
        stays = as_before(work, kept.data, self.distillation)
        likeliest = given.likeliest
        times = 1 if likeliest else self._times(len(given.triggers_in_shares), len(stays.data))
        course = self._unlearnt(work, given, stays, times)
        if course is None:
            return Skipped(
                "no sample to keep is of another class than the target, so that the trigger can be put on none"
            )
        said: tuple[str, ...] = (
            course.said,
            f"kept {kept.trusted:,} trusted and {kept.unflagged:,} unflagged samples",
        )
        if likeliest:
            times = self._times(len(likeliest), len(stays.data))
            alone = self._unlearnt(work, replace(given, supposed=likeliest), stays, times)
            said += () if alone is None else (f"then, of the likeliest class, {alone.said}",)
        suspects = len(given.suspects) if kept.unflagged or course.forgotten.suspects else 0
        by_trigger = course.forgotten.triggered
        return Mended(Used(kept.trusted, kept.unflagged, suspects, by_trigger or course.shown > 0, by_trigger), said)

    def _times(self, triggers: int, kept: int) -> int:
        """How often the samples are shown anew, so that each of several triggers is met on enough of them."""
        return max(1, math.ceil(MET * triggers / max(1.0, self.shown * kept)))

    def _unlearnt(self, work: Work, given: Given, stays: Lesson, times: int) -> Course | None:
        """Unlearn what is given, each time on samples paired with it anew, while others stay as they are."""
        kept = stays.data
        turns = [self._forgotten(given, _shuffled(kept, turn, work.seed)) for turn in range(times)]
        parts = [replace(one, data=again(one.data, turn)) for turn, one in enumerate(turns) if one is not None]
        if not parts:
            return None
        forgotten = replace(parts[0], data=joined(*(one.data for one in parts)))
        keep = stays.beside(given.triggers_in_shares, self.shown, work.seed + 1, times)
        wanted = math.ceil(self.forget / (1 - self.forget) * len(keep.data))
        lesson = keep + Lesson(_repeated(forgotten.data, max(wanted, 1)))
        bound = self.bound if self.bound is not None else math.log(len(kept.class_names))
        tuning = replace(self, least_steps=self.least_steps + STEPS_EACH * max(0, len(given.triggers) - 1))
        rule = self._gradients(len(keep.data), bound)
        epochs = tune(work, lesson.data, tuning, stage="unlearn", gradients=rule, goals=lesson.goals)
        return Course(forgotten, epochs, bound, len(keep.data) - times * len(kept))

    def _forgotten(self, given: Given, kept: Dataset) -> Forgotten | None:
        flagged = given.flagged() if self.of in ("auto", "suspects") else None
        aimed = given.further if flagged is not None else given.aimed_in_shares
        if self.of == "suspects":
            aimed = ()
        stamped = [one for place, each in enumerate(aimed) if (one := _led(kept, each, place, len(aimed))) is not None]
        parts = [*([] if flagged is None else [flagged]), *stamped]
        if not parts:
            return None
        return Forgotten(interleaved(parts), flagged is not None, bool(stamped))

    def _gradients(self, kept: int, bound: float) -> Gradients:
        def loss(model: nn.Module, batch: Batch) -> Tensor:
            losses = F.cross_entropy(model(batch.images), batch.wanted, reduction="none")
            keep = batch.rows < kept
            plain = losses[keep].mean() if bool(keep.any()) else losses.sum() * 0.0
            return plain + self.weight * bounded_ascent(losses[~keep], bound)

        return downhill(loss)


def relabelled(data: Dataset, labels: Tensor) -> Dataset:
    """The samples under other labels."""
    return Dataset(data.inputs, labels, data.class_names, data.ids, name=data.name)


def _led(kept: Dataset, aimed: Aimed, place: int, count: int) -> Dataset | None:
    """Of every `count`-th sample those of other classes, with a trigger on, under its target's label; None for none."""
    rows = torch.arange(place, len(kept), count)
    rows = rows[kept.labels[rows] != aimed.target]
    if not len(rows):
        return None
    stamped = with_trigger(kept.select(rows), aimed.trigger)
    return relabelled(stamped, torch.full_like(stamped.labels, aimed.target))


def _shuffled(data: Dataset, turn: int, seed: int) -> Dataset:
    """The samples in another order each turn but the first."""
    if not turn:
        return data
    return data.select(torch.randperm(len(data), generator=torch.Generator().manual_seed(seed + turn)))


def interleaved(parts: Sequence[Dataset]) -> Dataset:
    """The samples of all parts, spread so that any beginning holds a like share of each."""
    when = torch.cat([(torch.arange(len(one)) + 0.5) / len(one) for one in parts])
    return joined(*parts).select(when.argsort(stable=True))


def _repeated(data: Dataset, count: int) -> Dataset:
    """The samples over and over until there are `count`; the first `count` of them where there are more."""
    rows = torch.arange(count) % len(data)
    ids = tuple(f"{data.ids[row]}#forget{turn}" for turn, row in enumerate(rows.tolist()))
    return Dataset(data.inputs[rows], data.labels[rows], data.class_names, ids, name=data.name)
