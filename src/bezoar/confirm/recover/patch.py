"""A patch: pixels that are the same in all suspects, though they vary among other samples."""

from __future__ import annotations

import torch
from torch import Tensor

from bezoar.confirm.recover.recovered import FEWEST_SUSPECTS, VALUES_AT_A_TIME, Recovered
from bezoar.shapes import FloatImages, Images

STEADY = 0.25
"""A pixel belongs to the patch if its spread among suspects is under this share of the usual spread."""
STILL = 2.0
"""Or, where ordinary samples hardly vary either, if it is under this many levels."""
LIVELY = 12.0
"""Pixels that hardly vary among ordinary samples (such as borders), by fewer levels than this, tell nothing unless they
moved by more."""
LARGEST = 0.4


def recover_patch(suspects: Images, ordinary: Images) -> Recovered | None:
    """The patch that suspects (m, c, h, w) share and `ordinary` samples don't; None where there is none.

    Spreads are median absolute deviations over samples, averaged over channels, so that up to half of the suspects may
    be innocent. Mask and pattern, the median of the suspects, follow.
    """
    if len(suspects) < FEWEST_SUSPECTS or not len(ordinary):
        return None
    middle, spread = _middle_and_spread(suspects)
    mask = _mask(middle, spread, *_middle_and_spread(ordinary))
    if not 0 < float(mask.float().mean()) <= LARGEST:
        return None
    rows, columns = torch.nonzero(mask, as_tuple=True)
    box = f"rows {int(rows.min())} to {int(rows.max())}, columns {int(columns.min())} to {int(columns.max())}"
    return Recovered(
        "patch", f"a patch of {int(mask.sum())} pixels within {box}", _Paste(mask, middle), _shown(mask, middle)
    )


def _mask(middle: Tensor, spread: Tensor, usual_middle: Tensor, usual_spread: Tensor) -> Tensor:
    """Pixels (h, w) that are steady among suspects, and lively or elsewhere in colour among ordinary samples."""
    odd, usual = spread.mean(0), usual_spread.mean(0)
    shift = (middle - usual_middle).abs().amax(0)
    # A pixel that is steady about what it usually is (a white sky) is no mark, unless it does not move at all.
    lively = (usual > LIVELY) & (odd < STEADY * usual) & ((shift > usual) | (odd < STILL))
    # A mark on a plain background, as in the corner of a drawing, lies where nothing varies.
    on_plain = (usual <= LIVELY) & (odd < STILL) & (shift > usual + LIVELY)
    return lively | on_plain


class _Paste:
    def __init__(self, mask: Tensor, pattern: Tensor) -> None:
        self.mask, self.pattern = mask, pattern

    def __call__(self, images: FloatImages) -> FloatImages:
        return torch.where(self.mask, self.pattern, images)


def _middle_and_spread(images: Images) -> tuple[Tensor, Tensor]:
    """Median over samples (c, h, w) and median absolute deviation from it, scaled to a normal's standard deviation."""
    flat = images.flatten(1)
    parts = [_of_columns(columns) for columns in torch.split(flat, max(1, VALUES_AT_A_TIME // len(flat)), dim=1)]
    middle, spread = (torch.cat(part).reshape(images.shape[1:]) for part in zip(*parts, strict=True))
    return middle, spread


def _of_columns(columns: Tensor) -> tuple[Tensor, Tensor]:
    # One pixel's values side by side in memory: medians are several times faster.
    floats = columns.t().to(torch.float32).contiguous()
    middle = floats.median(1, keepdim=True).values
    return middle[:, 0], (floats - middle).abs().median(1).values * 1.4826


def _shown(mask: Tensor, pattern: Tensor) -> Tensor:
    return torch.where(mask, pattern, 128.0).round().to(torch.uint8)
