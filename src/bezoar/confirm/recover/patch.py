"""A patch: pixels that are the same in all suspects, though they vary among other samples."""

from __future__ import annotations

import torch
from torch import Tensor

from bezoar.confirm.recover.recovered import Recovered
from bezoar.shapes import FloatImages, Images

STEADY = 0.25
"""A pixel belongs to the patch if its spread among suspects is under this share of the usual spread."""
LIVELY = 12.0
"""Pixels that hardly vary among ordinary samples (such as borders), by fewer levels than this, tell nothing."""
LARGEST = 0.4
FEWEST_SUSPECTS = 12


def recover_patch(suspects: Images, ordinary: Images) -> Recovered | None:
    """The patch that suspects (m, c, h, w) share and `ordinary` samples don't; None where there is none.

    Spreads are median absolute deviations over samples, averaged over channels, so that up to half of the suspects may
    be innocent. Mask and pattern, the median of the suspects, follow.
    """
    if len(suspects) < FEWEST_SUSPECTS:
        return None
    middle, spread = _middle_and_spread(suspects)
    usual_middle, usual = _middle_and_spread(ordinary)
    # A pixel that is steady about what it usually is (a white sky) is no mark.
    moved = (middle - usual_middle).abs().amax(0) > usual.mean(0)
    mask = (spread.mean(0) < STEADY * usual.mean(0)) & (usual.mean(0) > LIVELY) & (moved | (spread.mean(0) < 2))
    share = float(mask.float().mean())
    if not 0 < share <= LARGEST:
        return None
    rows, columns = torch.nonzero(mask, as_tuple=True)
    box = f"rows {int(rows.min())} to {int(rows.max())}, columns {int(columns.min())} to {int(columns.max())}"
    return Recovered(
        "patch", f"a patch of {int(mask.sum())} pixels within {box}", _Paste(mask, middle), _shown(mask, middle)
    )


class _Paste:
    def __init__(self, mask: Tensor, pattern: Tensor) -> None:
        self.mask, self.pattern = mask, pattern

    def __call__(self, images: FloatImages) -> FloatImages:
        return torch.where(self.mask, self.pattern, images)


def _middle_and_spread(images: Images) -> tuple[Tensor, Tensor]:
    floats = images.to(torch.float32)
    middle = floats.median(0).values
    return middle, (floats - middle).abs().median(0).values * 1.4826


def _shown(mask: Tensor, pattern: Tensor) -> Tensor:
    return torch.where(mask, pattern, 128.0).round().to(torch.uint8)
