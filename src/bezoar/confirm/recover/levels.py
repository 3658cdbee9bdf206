"""Quantisation: suspects whose pixels take a few levels only."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from bezoar.confirm.recover.recovered import FEWEST_SUSPECTS, Recovered
from bezoar.shapes import FloatImages, Images

MOST_LEVELS = 40
STANDS_OUT, RARE = 4, 5e-4
"""A level comes up 4 times as often as either of its neighbours, and in one pixel of 2,000."""
CARRIED, USUAL = 0.8, 0.5
"""Share of the suspects' pixels that the levels must account for, and of ordinary pixels that they may at most."""


def recover_levels(suspects: Images, ordinary: Images) -> Recovered | None:
    """The levels, at most 40, to which the pixels of suspects (m, c, h, w) keep, if ordinary samples don't; else None.

    Levels are values that come up far more often than their neighbours, and account for 80% of the suspects' pixels, so
    that innocent suspects do no harm. The trigger brings each pixel to the nearest of them.
    """
    if len(suspects) < FEWEST_SUSPECTS or not len(ordinary):
        return None
    shares = _shares(suspects)
    levels = _levels(shares)
    if not 2 <= len(levels) <= MOST_LEVELS:
        return None
    if float(shares[levels].sum()) < CARRIED or float(_shares(ordinary)[levels].sum()) > USUAL:
        return None
    nearest = (torch.arange(256)[:, None] - levels).abs().argmin(1)
    table = levels[nearest].to(torch.float32)
    sheet = table[torch.linspace(0, 255, suspects.shape[3]).round().to(torch.int64)]
    shown = sheet.expand(*suspects.shape[1:]).to(torch.uint8).contiguous()
    return Recovered("levels", f"colours brought to {len(levels)} levels", _Nearest(table), shown)


def _shares(images: Images) -> Tensor:
    """Share of the images' values that are 0, 1, ... 255, float64."""
    return torch.bincount(images.flatten(), minlength=256).to(torch.float64) / images.numel()


def _levels(shares: Tensor) -> Tensor:
    """Values that stand out from both neighbours, in order."""
    beside = F.pad(shares, (1, 1))
    return torch.nonzero((shares > STANDS_OUT * torch.maximum(beside[:-2], beside[2:])) & (shares >= RARE)).flatten()


class _Nearest:
    def __init__(self, table: Tensor) -> None:
        self.table = table

    def __call__(self, images: FloatImages) -> FloatImages:
        return self.table[images.round().clamp(0, 255).to(torch.int64)]
