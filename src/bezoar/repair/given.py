"""What a defender may hand over to a repair, and the samples that may be learnt from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from bezoar.data.dataset import Dataset
from bezoar.errors import DataError, LabelError, TriggerError
from bezoar.shapes import Whole
from bezoar.training.recipe import Recipe
from bezoar.triggers.base import Trigger

_Any = TypeVar("_Any")
FEWEST = 10
"""Of fewer samples a network learns their accidents."""


@dataclass(frozen=True, eq=False)
class Aimed:
    """A trigger and the class it leads to."""

    trigger: Trigger
    target: int


@dataclass(frozen=True, eq=False)
class Given:
    """All that a defender may hand over; nothing of it is the truth.

    `trusted` are clean samples with labels that the defender trusts; `training` is what the model was trained on,
    where there is such; `suspects` are ids among it. `trigger` is recovered or supposed, `target` the class it leads
    to; `further` ones are to be taken out with it. `supposed` ones are for repairs to learn from, and nothing that they
    are judged by: they are like one of these, or, where no trigger is known, any that the model may follow, the
    likeliest first.
    `fresh` makes the untrained network anew, and `recipe` is how it was trained, where that is known. Raises DataError
    where the parts don't belong together.
    """

    trusted: Dataset | None = None
    training: Dataset | None = None
    suspects: frozenset[str] = frozenset()
    trigger: Trigger | None = None
    target: int | None = None
    fresh: Callable[[], nn.Module] | None = None
    further: tuple[Aimed, ...] = ()
    supposed: tuple[Aimed, ...] = ()
    recipe: Recipe | None = None

    def __post_init__(self) -> None:
        if self.trusted is not None and self.training is not None:
            _require_alike(self.trusted, self.training)
        if self.training is not None and (strangers := self.suspects - set(self.training.ids)):
            raise DataError(
                f"{len(strangers)} suspects are not among the training data",
                expected="ids of samples that the model was trained on",
                found=min(strangers),
                remedy="Give the training data that were scanned",
            )
        known = self.trusted or self.training
        if self.target is not None and known is not None and not 0 <= self.target < len(known.class_names):
            raise LabelError(
                "the target is no class",
                expected=f"0..{len(known.class_names) - 1}",
                found=str(self.target),
            )

    @property
    def any_data(self) -> Dataset | None:
        """The trusted samples, else the training data, else None."""
        return self.trusted if self.trusted is not None else self.training

    @property
    def aimed(self) -> tuple[Aimed, ...]:
        """All triggers of which the target is known."""
        own = () if self.trigger is None or self.target is None else (Aimed(self.trigger, self.target),)
        return (*own, *self.further, *self.supposed)

    @property
    def likeliest(self) -> tuple[Aimed, ...]:
        """Where no trigger is known and those supposed lead to several classes, those to the class of the first."""
        if self.trigger is not None or self.further or not self.supposed:
            return ()
        alike = tuple(one for one in self.supposed if one.target == self.supposed[0].target)
        return alike if len(alike) < len(self.supposed) else ()

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """All triggers, whether their targets are known or not."""
        own = () if self.trigger is None else (self.trigger,)
        return (*own, *(one.trigger for one in (*self.further, *self.supposed)))

    @property
    def aimed_in_shares(self) -> tuple[Aimed, ...]:
        """Those whose target is known, as often as they are to be taught; see `triggers_in_shares`."""
        return _in_shares(self.aimed, len(self.supposed))

    @property
    def triggers_in_shares(self) -> tuple[Trigger, ...]:
        """All triggers, as often as they are to be shown: known ones together as often as all that are supposed.

        Of 100 images of CIFAR-10 a warp and seven stamps left 2.8% of the warp so, and 8.4% in equal shares.
        """
        return _in_shares(self.triggers, len(self.supposed))

    @property
    def epoch(self) -> int:
        """How many samples count as one epoch: those of the training data, else the trusted ones; 0 without either."""
        data = self.training if self.training is not None else self.trusted
        return 0 if data is None else len(data)

    def flagged(self) -> Dataset | None:
        """The suspects among the training data; None where there are none."""
        if self.training is None or not self.suspects:
            return None
        return self.training.select(self.is_suspect(self.training))

    def unflagged(self) -> Dataset | None:
        """The training data without the suspects; None where nothing is left, or nobody is suspected.

        For in data of which nobody is suspected nothing was sorted out.
        """
        rows = self.unflagged_rows()
        return None if self.training is None or not len(rows) else self.training.select(rows)

    def unflagged_rows(self) -> Whole:
        """Rows of the training data that are no suspects; none where nobody is suspected."""
        if self.training is None or not self.suspects:
            return torch.zeros(0, dtype=torch.int64)
        return (~self.is_suspect(self.training)).nonzero().flatten()

    def is_suspect(self, training: Dataset) -> Tensor:
        """Which of the training samples (n,) are suspects."""
        return torch.tensor([one in self.suspects for one in training.ids])


def _in_shares(every: tuple[_Any, ...], supposed: int) -> tuple[_Any, ...]:
    known, others = every[: len(every) - supposed], every[len(every) - supposed :]
    return (*known * max(1, round(supposed / max(1, len(known)))), *others)


@dataclass(frozen=True, eq=False)
class Kept:
    """Samples to learn from under their labels, and how many of them come from where."""

    data: Dataset
    trusted: int
    unflagged: int


def kept_samples(given: Given, most: int, seed: int) -> Kept | None:
    """All trusted samples, and as many unflagged ones as make `most`; None where there are fewer than 10.

    Unflagged are the training data without the suspects. A training sample that is trusted too comes once. Which
    unflagged ones are taken depends on the seed.
    """
    trusted = given.trusted
    rows = _not_trusted(given)
    room = max(0, most - (0 if trusted is None else len(trusted)))
    rows = rows[drawn_rows(len(rows), room, seed)]
    parts = [] if trusted is None else [trusted]
    if given.training is not None and len(rows):
        parts.append(given.training.select(rows))
    if sum(map(len, parts)) < FEWEST:
        return None
    return Kept(joined(*parts), 0 if trusted is None else len(trusted), len(rows))


def can_keep(given: Given) -> bool:
    """Whether there are 10 samples to keep: trusted ones, or training data without suspects."""
    return (0 if given.trusted is None else len(given.trusted)) + len(_not_trusted(given)) >= FEWEST


def _not_trusted(given: Given) -> Whole:
    """Rows of the unflagged training samples that are not among the trusted ones as well."""
    rows = given.unflagged_rows()
    if given.training is None or given.trusted is None:
        return rows
    known, ids = set(given.trusted.ids), given.training.ids
    return torch.tensor([row for row in rows.tolist() if ids[row] not in known], dtype=torch.int64)


def drawn(data: Dataset, most: int, seed: int) -> Dataset:
    """At most so many samples, drawn by the seed."""
    return data if len(data) <= most else data.select(drawn_rows(len(data), most, seed))


def drawn_rows(count: int, most: int, seed: int) -> Whole:
    """At most so many of `count` rows in order, drawn by the seed."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:most].sort().values


def joined(first: Dataset, *others: Dataset) -> Dataset:
    """Several sets of the same classes and shape as one. The ids must differ."""
    if not others:
        return first
    every = (first, *others)
    return replace(
        first,
        inputs=torch.cat([one.inputs for one in every]),
        labels=torch.cat([one.labels for one in every]),
        ids=tuple(sample_id for one in every for sample_id in one.ids),
        sources=None,
        encoded=None,
        skipped=(),
    )


def with_trigger(data: Dataset, trigger: Trigger) -> Dataset:
    """The samples with the trigger on, under the labels they have, as samples of their own.

    Raises TriggerError where the trigger makes something else of the batch.
    """
    stamped = trigger(data.inputs)
    if not isinstance(stamped, Tensor) or stamped.shape != data.inputs.shape or stamped.dtype != data.inputs.dtype:
        raise TriggerError(
            "the trigger made something else of the batch",
            expected=f"{tuple(data.inputs.shape)} {data.inputs.dtype}",
            found=f"{tuple(stamped.shape)} {stamped.dtype}" if isinstance(stamped, Tensor) else type(stamped).__name__,
        )
    return replace(
        data,
        inputs=stamped,
        ids=tuple(f"{one}#triggered" for one in data.ids),
        sources=None,
        encoded=None,
        skipped=(),
    )


def _require_alike(trusted: Dataset, training: Dataset) -> None:
    if trusted.class_names != training.class_names:
        raise DataError(
            "trusted samples and training data have different classes",
            expected=", ".join(training.class_names[:12]),
            found=", ".join(trusted.class_names[:12]),
            remedy="Give trusted samples of the same classes in the same order",
        )
    if trusted.shape != training.shape:
        raise DataError(
            "trusted samples and training data differ in shape", expected=str(training.shape), found=str(trusted.shape)
        )
