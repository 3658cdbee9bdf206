"""One look at a model: accuracy, what the trigger still turns, and what a search finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from bezoar.data.dataset import Dataset
from bezoar.metrics.intervals import accuracy_lost, rate_or_skipped
from bezoar.records import Skipped
from bezoar.records.repairing import AccuracyLost, ClassRate, FlipCheck, ModelCheck
from bezoar.repair.checks.flips import flip_check
from bezoar.repair.checks.search import Bar, Suspected, searched
from bezoar.repair.given import Aimed
from bezoar.training.elsewhere import computing_on
from bezoar.training.listening import Working
from bezoar.training.predict import predict_logits
from bezoar.triggers.base import Trigger

NOTHING_HELD_OUT = Skipped("there are no trusted samples that a repair did not learn from")
NO_TRIGGER = Skipped("no trigger together with its target was given or recovered")
NOT_SEARCHED = Skipped("not searched for a trigger: something else spoke against it already")
NOT_SEARCHED_BEFORE = Skipped("no search was made before the repair, for its trigger was known")
NONE_OF_CLASS = "no held-out sample is of this class"


@dataclass(frozen=True, eq=False)
class Looking:
    """What every model of a repair is looked at by: held-out samples, a trigger with its target, `bars` of a search.

    The seed of the search is this one: it must not be that of a search whose trigger a repair was given. `right` are
    the held-out samples (n,) that the model got right before the repair, where one is compared with it. `further` are
    triggers that are tried beside the first. The search is on the held-out samples, or on those of `searched`. `shown`
    are the classes that stood out when the model was searched before the repair, None where it was not, and `before` is
    that model, where one is compared with it.
    """

    held_out: Dataset | None
    trigger: Trigger | None
    target: int | None
    seed: int
    bars: tuple[Bar, ...]
    device: str = "auto"
    right: Tensor | None = None
    further: tuple[Aimed, ...] = ()
    searched: Dataset | None = None
    shown: frozenset[str] | None = None
    before: nn.Module | None = None

    def and_further(self, found: Sequence[Suspected]) -> Looking:
        """The same, so that further triggers are tried."""
        return replace(self, further=(*self.further, *(one.aimed for one in found)))

    def beside(self, model: nn.Module) -> Looking:
        """The same, so that what is looked at is compared with `model`."""
        if self.held_out is None:
            return self
        with computing_on(model, self.device):
            return replace(self, right=_right(model, self.held_out), before=model)


def look(model: nn.Module, by: Looking) -> ModelCheck:
    """What a defender sees of the model without a search."""
    if by.held_out is None:
        none = NOTHING_HELD_OUT
        return ModelCheck(none, (), none, none, further=further_flips(model, by))
    with computing_on(model, by.device):
        return _looked(model, by.held_out, by)


def _looked(model: nn.Module, data: Dataset, by: Looking) -> ModelCheck:
    right = _right(model, data)
    by_class = tuple(
        ClassRate(name, rate_or_skipped(int(right[data.labels == label].sum()), count, NONE_OF_CLASS))
        for label, (name, count) in enumerate(zip(data.class_names, data.class_counts, strict=True))
    )
    return ModelCheck(
        accuracy=rate_or_skipped(int(right.sum()), len(data), ""),
        by_class=by_class,
        flips=NO_TRIGGER if by.trigger is None or by.target is None else flip_check(model, data, by.trigger, by.target),
        searches=NOT_SEARCHED,
        lost=None if by.right is None else _lost(by.right, right),
        further=further_flips(model, by),
    )


def further_flips(model: nn.Module, by: Looking) -> tuple[FlipCheck | Skipped, ...]:
    """What each further trigger turns, or why that can't be told."""
    if by.held_out is None:
        return (NOTHING_HELD_OUT,) * len(by.further)
    with computing_on(model, by.device):
        return tuple(flip_check(model, by.held_out, one.trigger, one.target) for one in by.further)


def _right(model: nn.Module, data: Dataset) -> Tensor:
    return predict_logits(model, data.inputs).argmax(1) == data.labels


def _lost(before: Tensor, after: Tensor) -> AccuracyLost:
    return accuracy_lost(int((before & ~after).sum()), int((after & ~before).sum()), len(before))


def with_search(
    model: nn.Module, check: ModelCheck, by: Looking, progress: Working | None = None
) -> tuple[ModelCheck, tuple[Suspected, ...]]:
    """A look together with a search, if it was made without, and the triggers that stand out by that."""
    if check.searches != NOT_SEARCHED or by.held_out is None:
        return check, ()
    data = by.held_out if by.searched is None else by.searched
    found = searched(model, data, bars=by.bars, seed=by.seed, device=by.device, before=by.before, progress=progress)
    if isinstance(found, Skipped):
        return replace(check, searches=found), ()
    return replace(check, searches=found.told), found.signs
