"""Stamps that do what a recovered one does: a probe finds part of a trigger in one colour, and repairs need more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from torch import nn

from bezoar.confirm.recover.inverted import kept, rebuilt
from bezoar.data.dataset import Dataset
from bezoar.detect.probing.stamps import Stamp, around, colors, stamp_of
from bezoar.repair.checks.search import Suspected, Worn
from bezoar.repair.checks.turning import Turning
from bezoar.repair.given import Aimed
from bezoar.training.elsewhere import computing_on

MOST_KIN, MOST_ASKED = 8, 200
AS_GOOD = 0.5
"""A kin turns at least so much of what the stamp itself turns."""


def kin_of(model: nn.Module, data: Dataset, found: Suspected, *, seed: int, device: str = "auto") -> tuple[Aimed, ...]:
    """Stamps near the one that was found, in its colour or others, that turn at least half as many samples.

    A square of three pixels shows a backdoor whose own mark is one of five and of another colour; a model that unlearnt
    that square alone followed the mark as before (99% on drawn signs, and 0% with its kin). () for all other triggers.
    """
    with computing_on(model, device):
        turning = Turning.asked(model, data, MOST_ASKED, seed)
        return tuple(
            Aimed(Worn(rebuilt("patch", stamp.as_patch(data.shape), data.shape)), one.target)
            for one in (found, *found.further)
            for stamp in _kin(turning, data.shape, one)
        )


def _kin(turning: Turning, shape: tuple[int, ...], one: Suspected) -> Sequence[Stamp]:
    own = kept(one.trigger.recovered) if isinstance(one.trigger, Worn) else None
    stamp = None if own is None or own[0] != "patch" else stamp_of(own[1])
    if stamp is None:
        return ()

    @cache
    def share(other: Stamp) -> float:
        return turning.share(rebuilt("patch", other.as_patch(shape), shape), one.target)

    least = AS_GOOD * share(stamp)
    if not least > 0:
        return ()
    painted = [like for color in colors(len(stamp.color)) if share(like := replace(stamp, color=color)) >= least]
    near = [each for like in painted for each in (like, *around(like, shape))]
    return sorted((each for each in near if each != stamp and share(each) >= least), key=share, reverse=True)[:MOST_KIN]
