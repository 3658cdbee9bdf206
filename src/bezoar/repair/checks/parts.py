"""Trusted samples to learn from, others to judge by, and those that had better not be trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bezoar.data.dataset import Dataset
from bezoar.repair.given import Given, joined, with_trigger
from bezoar.triggers.base import Trigger

EVERY = 4
"""One trusted sample of four is held out."""
FEWEST_HELD_OUT, ENOUGH_TO_SEARCH = 4, 60
"""Of fewer none are held out; of fewer most detectors can say nothing."""
HARDLY = 0.2
"""A sample that the trigger changes by less than this share of what is usual bears it already."""
AT_A_TIME = 500


@dataclass(frozen=True, eq=False)
class Parts:
    """Trusted samples: `fit` is what repairs may learn from, `held_out` what they are judged by, if there is enough."""

    fit: Dataset
    held_out: Dataset | None

    @property
    def searched(self) -> Dataset | None:
        """What the search on a result is made on: held-out samples, or all where most detectors could say nothing."""
        if self.held_out is None or len(self.held_out) >= ENOUGH_TO_SEARCH:
            return self.held_out
        return joined(self.held_out, self.fit)

    @property
    def coarse(self) -> str:
        """How fine the held-out samples can tell, in a sentence."""
        if self.held_out is None:
            return f"{len(self.fit)} trusted samples are too few to hold any out, so that nothing could be checked"
        least, largest = 100 / len(self.held_out), max(self.held_out.class_counts)
        return (
            f"{len(self.held_out):,} held-out samples tell accuracy in steps of {least:.2g} points, "
            f"and of a class in steps of {100 / largest:.2g} points or more"
        )


def parted(trusted: Dataset, seed: int) -> Parts:
    """About three of four to learn from and one to judge by, from every class as far as it goes, drawn by the seed.

    A sample of the same content as a held-out one is not learnt from. Where fewer than 4 would be held out none are.
    """
    drawn = torch.randperm(len(trusted), generator=torch.Generator().manual_seed(seed))
    order = drawn[trusted.labels[drawn].argsort(stable=True)]
    chosen = torch.zeros(len(trusted), dtype=torch.bool)
    chosen[order[EVERY - 1 :: EVERY]] = True
    if int(chosen.sum()) < FEWEST_HELD_OUT:
        return Parts(trusted, None)
    held_out = trusted.select(chosen)
    fit = without_content(trusted.select(~chosen), set(contents(held_out)))
    return Parts(trusted, None) if fit is None else Parts(fit, held_out)


def contents(data: Dataset) -> Iterator[bytes]:
    """A digest of the content of each sample, whatever it is called."""
    for sample in data.inputs:
        yield hashlib.blake2b(sample.contiguous().numpy().tobytes(), digest_size=16).digest()


def without_content(data: Dataset, known: Collection[bytes]) -> Dataset | None:
    """The samples whose content is not `known`; None where nothing is left."""
    keep = torch.tensor([one not in known for one in contents(data)])
    if bool(keep.all()):
        return data
    return data.select(keep) if bool(keep.any()) else None


def unseen_training(given: Given, held_out: Dataset) -> Given:
    """What was given, without training samples of the same content as a held-out one."""
    if given.training is None:
        return given
    training = without_content(given.training, set(contents(held_out)))
    suspects = given.suspects & frozenset(() if training is None else training.ids)
    return replace(given, training=training, suspects=suspects)


@dataclass(frozen=True, eq=False)
class Sorted:
    """Trusted samples without those that had better not be trusted, why, and how many were left out."""

    trusted: Dataset | None
    notes: tuple[str, ...]
    left_out: int


def sorted_out(given: Given) -> Sorted:
    """Leave out trusted samples that are suspects, or that bear the given trigger under its target's label."""
    trusted, notes = given.trusted, []
    if trusted is None:
        return Sorted(None, (), 0)
    flagged = given.flagged()
    rest = trusted if flagged is None else without_content(trusted, set(contents(flagged)))
    if found := len(trusted) - _length(rest):
        notes.append(f"{found:,} of the trusted samples are suspects of the scan, and were left out")
    if rest is not None and given.trigger is not None and given.target is not None:
        name = rest.class_names[given.target]
        rest, found = without_bearing(rest, given.trigger, given.target)
        if found:
            notes.append(
                f"{found:,} trusted samples under the label {name!r} bear the trigger already, and were left out"
            )
    return Sorted(rest, tuple(notes), len(trusted) - _length(rest))


def cleared(parts: Parts, trigger: Trigger, target: int) -> tuple[Parts, int]:
    """The parts without samples that bear a recovered trigger under its target's label, and how many those were.

    Parts of which nothing would be left are as they were.
    """
    fit, some = without_bearing(parts.fit, trigger, target)
    held_out, more = (None, 0) if parts.held_out is None else without_bearing(parts.held_out, trigger, target)
    if fit is None or (parts.held_out is not None and held_out is None):
        return parts, 0
    return Parts(fit, held_out), some + more


def without_bearing(data: Dataset, trigger: Trigger, target: int) -> tuple[Dataset | None, int]:
    """The samples that do not bear the trigger under the target's label, None where all do, and how many do."""
    bearing = bears(data, trigger) & (data.labels == target)
    found = int(bearing.sum())
    if not found:
        return data, 0
    return (None if found == len(data) else data.select(~bearing)), found


def bears(data: Dataset, trigger: Trigger) -> Tensor:
    """Which samples (n,) bear the trigger already: putting it on changes them hardly, and most others much.

    That shows of triggers that replace what they cover; one that is added changes what bears it as well.
    """
    parts = [data.select(torch.arange(start, min(start + AT_A_TIME, len(data)))) for start in _starts(data)]
    change = torch.cat([_change(part, with_trigger(part, trigger)) for part in parts])
    return change < HARDLY * change.median()


def _starts(data: Dataset) -> range:
    return range(0, len(data), AT_A_TIME)


def _change(before: Dataset, after: Dataset) -> Tensor:
    return (after.inputs.float() - before.inputs.float()).abs().flatten(1).mean(1)


def _length(data: Dataset | None) -> int:
    return 0 if data is None else len(data)
