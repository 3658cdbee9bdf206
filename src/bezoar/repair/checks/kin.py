"""Stamps that do what a recovered one does: a probe finds part of a trigger in one colour, and repairs need more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from bezoar.confirm.flips import Carriers, flips
from bezoar.confirm.recover.inverted import kept, rebuilt
from bezoar.data.dataset import Dataset
from bezoar.detect.probing.stamps import Stamp, around, colors, stamp_of
from bezoar.repair.checks.search import Suspected, Worn
from bezoar.repair.given import Aimed, drawn
from bezoar.training.elsewhere import computing_on

MOST_KIN, MOST_ASKED = 8, 200
AS_GOOD = 0.5
"""A kin turns at least so much of what the stamp itself turns."""


def kin_of(model: nn.Module, data: Dataset, found: Suspected, *, seed: int, device: str = "auto") -> tuple[Aimed, ...]:
    """Stamps near the one that was found, in its colour or others, that turn at least half as many samples.

    A square of three pixels shows a backdoor whose own mark is one of five and of another colour; a model that unlearnt
    that square alone followed the mark as before (99% on drawn signs, and 0% with its kin). () for all other triggers.
    """
    asked = drawn(data, MOST_ASKED, seed)
    with computing_on(model, device):
        carriers = Carriers.of(asked, np.arange(len(asked), dtype=np.int64))
        right = carriers.answers(model) == carriers.labels
        return tuple(
            Aimed(Worn(rebuilt("patch", stamp.as_patch(data.shape), data.shape)), one.target)
            for one in (found, *found.further)
            for stamp in _kin(model, carriers, right, data.shape, one)
        )


def _kin(
    model: nn.Module, carriers: Carriers, right: np.ndarray, shape: tuple[int, ...], one: Suspected
) -> Sequence[Stamp]:
    own = kept(one.trigger.recovered) if isinstance(one.trigger, Worn) else None
    stamp = None if own is None or own[0] != "patch" else stamp_of(own[1])
    if stamp is None:
        return ()

    def share(other: Stamp) -> float:
        worn = rebuilt("patch", other.as_patch(shape), shape)
        return float(np.nan_to_num(flips(model, carriers, worn, one.target, right).rate))

    least = AS_GOOD * share(stamp)
    if not least > 0:
        return ()
    painted = [Stamp(stamp.top, stamp.left, stamp.size, color) for color in colors(len(stamp.color))]
    painted = [each for each in painted if share(each) >= least]
    told = {each: share(each) for like in painted for each in (like, *around(like, shape))}
    best = sorted((each for each in told if each != stamp and told[each] >= least), key=lambda each: -told[each])
    return best[:MOST_KIN]
