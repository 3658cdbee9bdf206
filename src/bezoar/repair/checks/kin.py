"""What does the same as a trigger that was found: searches find part of a trigger, or one that is only like it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

from torch import nn

from bezoar.confirm.recover.inverted import kept
from bezoar.data.dataset import Dataset
from bezoar.detect.probing.stamps import Stamp, around, colors, stamp_of
from bezoar.repair.checks.plain import PlainChange, every_plain_change
from bezoar.repair.checks.search import Suspected, Worn
from bezoar.repair.checks.stamped import leading_stamps, worn
from bezoar.repair.checks.turning import Turning
from bezoar.repair.given import Aimed
from bezoar.training.elsewhere import computing_on

MOST_KIN, MOST_ASKED = 8, 200
AS_GOOD = 0.5
"""A kin turns at least so much of what the trigger itself turns."""
LEADS, STAMPED = 0.3, 0.15
"""A plain change that turns so much to one class is supposed to be a trigger, where none is known; a stamp that still
turns so much after a repair was left at work. Sound models are led by plain changes, and hardly ever by stamps."""


def kin_of(model: nn.Module, data: Dataset, found: Suspected, *, seed: int, device: str = "auto") -> tuple[Aimed, ...]:
    """Triggers that turn at least half as many samples as the one that was found, towards its target.

    Of a stamp these are stamps near it, in its colour or others: a square of three pixels shows a backdoor whose own
    mark is one of five and of another colour, and a model that unlearnt that square alone followed the mark as before
    (99% on drawn signs, and 0% with its kin). Of every trigger they are plain changes of images (see `plain.py`): what
    an inversion finds of a trigger that leaves few levels of colour is a pattern, which is not enough to unlearn it;
    and stamps anywhere (see `stamped.py`).
    """
    with computing_on(model, device):
        turning = Turning.asked(model, data, MOST_ASKED, seed)
        every = [found, *found.further]
        told = sorted((turning.share(one.trigger, one.target), one.target) for one in every)
        least = {target: AS_GOOD * share for share, target in told}  # by the best trigger towards each
        return (
            *(one for each in every for one in _stamps(turning, data.shape, each)),
            *(one for target, share in least.items() for one in _plain(turning, target, share)),
            *leading_stamps(model, data, {target: share for target, share in least.items() if share > 0}, seed=seed),
        )


def still_leading(
    model: nn.Module, data: Dataset, kin: Sequence[Aimed], *, seed: int, device: str = "auto"
) -> tuple[Aimed, ...]:
    """Those of the kin that work in a repaired model, which did not learn from them.

    A backdoor draws whatever is odd to its class, and most of that is gone when its trigger is unlearnt. To unlearn it
    as well teaches nothing, and of 75 images of CIFAR-10 plain changes cost four points of accuracy.
    """
    with computing_on(model, device):
        turning = Turning.asked(model, data, MOST_ASKED, seed)
        return tuple(one for one in kin if turning.share(one.trigger, one.target) >= _least(one))


def _least(one: Aimed) -> float:
    return LEADS if isinstance(one.trigger, PlainChange) else STAMPED


def leading(model: nn.Module, data: Dataset, *, seed: int, device: str = "auto") -> tuple[Aimed, ...]:
    """Plain changes and stamps that turn 30% of the samples to one class: triggers to suppose where none is known."""
    with computing_on(model, device):
        turning = Turning.asked(model, data, MOST_ASKED, seed)
        told = [(change, *turning.most_to(change, len(data.class_names))) for change in every_plain_change()]
        stamps = leading_stamps(model, data, dict.fromkeys(range(len(data.class_names)), LEADS), seed=seed)
    return (*(Aimed(change, target) for change, share, target in told if share >= LEADS), *stamps)


def _plain(turning: Turning, target: int, least: float) -> Iterator[Aimed]:
    if least > 0:
        yield from (Aimed(each, target) for each in every_plain_change() if turning.share(each, target) >= least)


def _stamps(turning: Turning, shape: tuple[int, ...], one: Suspected) -> Iterator[Aimed]:
    own = kept(one.trigger.recovered) if isinstance(one.trigger, Worn) else None
    stamp = None if own is None or own[0] != "patch" else stamp_of(own[1])
    if stamp is None:
        return

    @cache
    def share(other: Stamp) -> float:
        return turning.share(worn(other, shape), one.target)

    least = AS_GOOD * share(stamp)
    if not least > 0:
        return
    painted = [like for color in colors(len(stamp.color)) if share(like := replace(stamp, color=color)) >= least]
    near = [each for like in painted for each in (like, *around(like, shape))]
    good = sorted((each for each in near if each != stamp and share(each) >= least), key=share, reverse=True)
    for each in good[:MOST_KIN]:
        yield Aimed(worn(each, shape), one.target)
