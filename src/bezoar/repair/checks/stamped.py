"""Stamps that lead to a class, wherever they are put: of plain squares there are few enough to try them all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bezoar.confirm.recover.inverted import rebuilt
from bezoar.data.dataset import Dataset
from bezoar.detect.probing.answers import to_each
from bezoar.detect.probing.asked import right_samples
from bezoar.detect.probing.stamps import Stamp, every_stamp
from bezoar.repair.checks.search import Worn
from bezoar.repair.given import Aimed

POSITIONS, MOST_STAMPS = 6, 8
"""Places along each side, and stamps that are told for each class."""
FIRST, MORE = 3, 15
"""Images of each class for every stamp, and for those of which these speak."""


def leading_stamps(model: nn.Module, data: Dataset, least: Mapping[int, float], *, seed: int) -> tuple[Aimed, ...]:
    """Stamps that lead to each class of `least` that share of all other classes' images at least, the best 8 each.

    A descent finds a patch, a pattern or a change of colours as small as can be, which need have little of the mark
    that planted a backdoor: on drawn aircraft a change of colours was found towards the class of a magenta star, and to
    unlearn it left 23% of the star; with eight magenta squares, at places by chance, .5%. Of stamps that do as well as
    each other those are taken that the seed puts first, so that they lie apart.
    """
    asked = right_samples(model, data, len(data.class_names), MORE, seed)
    if not len(asked.labels):
        return ()
    stamps = every_stamp(data.shape, POSITIONS)
    by_chance = torch.randperm(len(stamps), generator=torch.Generator().manual_seed(seed)).tolist()
    stamps = tuple(stamps[place] for place in by_chance)
    rough = to_each(asked.of_each(FIRST).shares(stamps))
    best = {target: _best(rough, target, share) for target, share in least.items()}
    chosen = list(dict.fromkeys(place for places in best.values() for place in places))
    told = dict(zip(chosen, to_each(asked.shares([stamps[place] for place in chosen])), strict=True)) if chosen else {}
    return tuple(
        Aimed(worn(stamps[place], data.shape), target)
        for target, share in least.items()
        for place in best[target]
        if told[place][target] >= share
    )


def _best(rough: NDArray[np.float64], target: int, least: float) -> list[int]:
    ranked = np.argsort(-rough[:, target], kind="stable")[:MOST_STAMPS]
    return [int(place) for place in ranked if rough[place, target] >= least]


def worn(stamp: Stamp, shape: tuple[int, ...]) -> Worn:
    """The stamp as a trigger for images of `shape` (c, h, w)."""
    return Worn(rebuilt("patch", stamp.as_patch(shape), shape))
