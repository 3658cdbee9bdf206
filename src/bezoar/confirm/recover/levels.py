"""Quantisation: suspects whose pixels take a few levels only."""

from __future__ import annotations

import torch
from torch import Tensor

from bezoar.confirm.recover.recovered import Recovered
from bezoar.shapes import FloatImages, Images

MOST_LEVELS = 40
CARRIED = 0.97
"""Share of the suspects' pixels that the levels must account for; of ordinary pixels they hold less than half."""
FEWEST_SUSPECTS = 12


def recover_levels(suspects: Images, ordinary: Images) -> Recovered | None:
    """The levels, at most 40, to which the pixels of suspects (m, c, h, w) keep, if ordinary samples don't; else None.

    Levels are taken most frequent first until they account for 97% of the suspects' pixels, so that a few innocent
    suspects do no harm. The trigger brings each pixel to the nearest of them.
    """
    if len(suspects) < FEWEST_SUSPECTS:
        return None
    counts = torch.bincount(suspects.flatten().to(torch.int64), minlength=256)
    order = counts.argsort(descending=True)
    needed = int((counts[order].cumsum(0) < CARRIED * counts.sum()).sum()) + 1
    levels = order[:needed].sort().values
    usual = torch.bincount(ordinary.flatten().to(torch.int64), minlength=256)
    if needed > MOST_LEVELS or needed < 2 or float(usual[levels].sum() / usual.sum()) > 0.5:
        return None
    nearest = (torch.arange(256)[:, None] - levels).abs().argmin(1)
    table = levels[nearest].to(torch.float32)
    sheet = table[torch.linspace(0, 255, suspects.shape[3]).round().to(torch.int64)]
    shown = sheet.expand(*suspects.shape[1:]).to(torch.uint8).contiguous()
    return Recovered("levels", f"colours brought to {needed} levels", _Nearest(table), shown)


class _Nearest:
    def __init__(self, table: Tensor) -> None:
        self.table = table

    def __call__(self, images: FloatImages) -> FloatImages:
        return self.table[images.round().clamp(0, 255).to(torch.int64)]
