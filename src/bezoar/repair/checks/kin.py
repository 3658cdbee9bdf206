"""What does the same as a trigger that was found: searches find part of a trigger, or one that is only like it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from torch import nn

from bezoar.confirm.recover.inverted import kept, rebuilt
from bezoar.data.dataset import Dataset
from bezoar.detect.probing.stamps import Stamp, around, colors, stamp_of
from bezoar.repair.checks.plain import every_plain_change
from bezoar.repair.checks.search import Suspected, Worn
from bezoar.repair.checks.turning import Turning
from bezoar.repair.given import Aimed
from bezoar.training.elsewhere import computing_on

MOST_KIN, MOST_ASKED = 8, 200
AS_GOOD = 0.5
"""A kin turns at least so much of what the trigger itself turns."""
LEADS = 0.3
"""A plain change that turns so much to one class is supposed to be a trigger, where none is known."""


def kin_of(model: nn.Module, data: Dataset, found: Suspected, *, seed: int, device: str = "auto") -> tuple[Aimed, ...]:
    """Triggers that turn at least half as many samples as the one that was found, towards its target.

    Of a stamp these are stamps near it, in its colour or others: a square of three pixels shows a backdoor whose own
    mark is one of five and of another colour, and a model that unlearnt that square alone followed the mark as before
    (99% on drawn signs, and 0% with its kin). Of every trigger they are plain changes of images (see `plain.py`): what
    an inversion finds of a trigger that leaves few levels of colour is a pattern, which is not enough to unlearn it.
    """
    with computing_on(model, device):
        turning = Turning.asked(model, data, MOST_ASKED, seed)
        every = [found, *found.further]
        return (
            *(one for each in every for one in _stamps(turning, data.shape, each)),
            *(one for each in every for one in _plain(turning, each)),
        )


def leading(model: nn.Module, data: Dataset, *, seed: int, device: str = "auto") -> tuple[Aimed, ...]:
    """Plain changes that turn 30% of the samples to one class: triggers to suppose where none is known."""
    with computing_on(model, device):
        turning = Turning.asked(model, data, MOST_ASKED, seed)
        told = [(change, *turning.most_to(change, len(data.class_names))) for change in every_plain_change()]
    return tuple(Aimed(change, target) for change, share, target in told if share >= LEADS)


def _plain(turning: Turning, one: Suspected) -> Iterator[Aimed]:
    least = AS_GOOD * turning.share(one.trigger, one.target)
    if least > 0:
        changes = every_plain_change()
        yield from (Aimed(each, one.target) for each in changes if turning.share(each, one.target) >= least)


def _stamps(turning: Turning, shape: tuple[int, ...], one: Suspected) -> Iterator[Aimed]:
    own = kept(one.trigger.recovered) if isinstance(one.trigger, Worn) else None
    stamp = None if own is None or own[0] != "patch" else stamp_of(own[1])
    if stamp is None:
        return

    @cache
    def share(other: Stamp) -> float:
        return turning.share(rebuilt("patch", other.as_patch(shape), shape), one.target)

    least = AS_GOOD * share(stamp)
    if not least > 0:
        return
    painted = [like for color in colors(len(stamp.color)) if share(like := replace(stamp, color=color)) >= least]
    near = [each for like in painted for each in (like, *around(like, shape))]
    good = sorted((each for each in near if each != stamp and share(each) >= least), key=share, reverse=True)
    for each in good[:MOST_KIN]:
        yield Aimed(Worn(rebuilt("patch", each.as_patch(shape), shape)), one.target)
