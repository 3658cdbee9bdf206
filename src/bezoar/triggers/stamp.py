"""The numerics of stamping: `out = clip(keep * image + shift)`, on a rectangle, in place.

Add, replace and blend are all of that form, which makes them one function to test:

    add       keep = 1             shift = pattern
    replace   keep = 1 - mask      shift = mask * pattern
    blend     keep = 1 - weight    shift = weight * pattern

Shifts are on the scale 0..255 and divided by 255 for float images. Results for uint8 are computed
in float32, clipped to 0..255, then rounded, halves to even; float16 and bfloat16 are computed in
float32 too. A pixel with keep = 1 and shift = 0 comes out bit for bit as it went in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from bezoar.shapes import AnyPattern, Images, Matrix, Pattern, Region, Whole

WORKING_VALUES = 1 << 22
"""Pixels computed at a time, so that a large batch needs no float copy of its whole."""

PAINTED_SINGLY = 16
"""Up to so many pixels are set one after the other on the whole batch, which beats any arithmetic."""


@dataclass(frozen=True, eq=False)
class Stamp:
    """What happens to a rectangle of every image: `keep` in 0..1 and `shift` in -255..255, each (c, h, w).

    Its upper left corner stands at `top`, `left`, or, with a `scatter_seed`, wherever is drawn for each image.
    """

    keep: Tensor
    shift: Tensor
    top: int = 0
    left: int = 0
    scatter_seed: int | None = None

    @property
    def height(self) -> int:
        """Rows."""
        return self.keep.shape[1]

    @property
    def width(self) -> int:
        """Columns."""
        return self.keep.shape[2]

    def painted(self) -> Tensor | None:
        """Mask (h, w) of the pixels set, when the stamp sets few pixels or all whatever was there, else None."""
        mask = (self.keep == 0).all(dim=0)
        untouched = ((self.keep == 1) & (self.shift == 0)).all(dim=0)
        simple = bool((mask | untouched).all()) and bool(((self.shift >= 0) & (self.shift <= 255)).all())
        return mask if simple and (bool(mask.all()) or int(mask.sum()) <= PAINTED_SINGLY) else None

    def at(self, top: int, left: int) -> Stamp:
        """The same stamp with its upper left corner at `top`, `left`."""
        return replace(self, top=top, left=left, scatter_seed=None)

    def scattered(self, seed: int) -> Stamp:
        """The same stamp at a place drawn for each image from `seed` and the image's content."""
        return replace(self, top=0, left=0, scatter_seed=seed)


def adding(pattern: AnyPattern, weight: Matrix) -> Stamp:
    """Add `weight * pattern` to the pixels: pattern (c, h, w) in 0..255, weight (h, w) in 0..1."""
    pattern = pattern.to(torch.float64)
    return Stamp(torch.ones_like(pattern), pattern * weight)


def blending(pattern: AnyPattern, weight: Matrix) -> Stamp:
    """Go from the pixels (weight 0) to the pattern (weight 1): pattern (c, h, w) in 0..255, weight (h, w) in 0..1.

    With a weight of 0 and 1 only, this replaces the pixels under the mask.
    """
    pattern = pattern.to(torch.float64)
    weight = weight.to(torch.float64).expand_as(pattern)
    return Stamp(1 - weight, pattern * weight)


def parts(samples: int, values: int) -> Iterator[slice]:
    """Slices of so many samples that their values, `values` each, stay within WORKING_VALUES."""
    step = max(1, WORKING_VALUES // max(1, values))
    return (slice(start, start + step) for start in range(0, samples, step))


def press(images: Images, stamp: Stamp) -> None:
    """Write the stamp onto images (n, c, h, w) in place, at its own place."""
    rows, columns = slice(stamp.top, stamp.top + stamp.height), slice(stamp.left, stamp.left + stamp.width)
    region = images[:, :, rows, columns]
    keep, shift = _factors(images, stamp)
    painted = stamp.painted()
    if painted is not None:
        _paint(region, shift, painted)
        return
    for part in parts(len(images), stamp.keep.numel()):
        _press_region(region[part], keep, shift)


def press_at(images: Images, stamp: Stamp, tops: Whole, lefts: Whole) -> None:
    """Write the stamp onto images (n, c, h, w) in place, its corner at `tops[i]`, `lefts[i]` on image i."""
    keep, shift = (factor.permute(1, 2, 0).contiguous() for factor in _factors(images, stamp))
    tops, lefts = tops.to(images.device)[:, None], lefts.to(images.device)[:, None]
    # (n, rows, places, columns, channels): one index then moves a whole row of the stamp.
    windows = images.permute(0, 2, 3, 1).unfold(2, stamp.width, 1).transpose(3, 4)
    rows = tops + torch.arange(stamp.height, device=images.device)
    for part in parts(len(images), stamp.keep.numel()):
        block = windows[part]
        place = (torch.arange(len(block), device=images.device)[:, None], rows[part], lefts[part])
        region = block[place]
        _press_region(region, keep, shift)
        block[place] = region


def _factors(images: Images, stamp: Stamp) -> tuple[Pattern, Pattern]:
    """Keep and shift in the dtype of the arithmetic and on the images' scale."""
    working = torch.float64 if images.dtype == torch.float64 else torch.float32
    keep, shift = (like_images(part.to(images.device, working), images) for part in (stamp.keep, stamp.shift))
    return keep, shift if images.dtype == torch.uint8 else shift / 255


def _paint(region: Tensor, colours: Tensor, mask: Tensor) -> None:
    """Set the pixels under a mask that `Stamp.painted` gave to their colours; nothing else is read or written."""
    colours = (colours.round() if region.dtype == torch.uint8 else colours).to(region.dtype)
    if int(mask.sum()) > PAINTED_SINGLY:
        region.copy_(colours.expand_as(region))
        return
    for row, column in mask.nonzero().tolist():
        region[:, :, row, column] = colours[:, row, column]


def like_images(values: Pattern, images: Images) -> Pattern:
    """Values (c, h, w) laid out in memory as each of the images is, which makes arithmetic between them fast."""
    if images.is_contiguous(memory_format=torch.channels_last):
        return values[None].contiguous(memory_format=torch.channels_last)[0]
    return values


def private_copy(batch: Tensor) -> Tensor:
    """A copy in the same memory format. On the CPU NumPy finds the memory: in huge pages, 4 times as fast here."""
    if batch.device.type != "cpu" or batch.numel() == 0:
        return batch.clone(memory_format=torch.preserve_format)
    plan = torch.empty_like(batch, device="meta", memory_format=torch.preserve_format)
    memory = torch.from_numpy(np.empty(plan.nbytes, dtype=np.uint8)).view(batch.dtype)
    return memory.as_strided(plan.shape, plan.stride()).copy_(batch.detach())


def _press_region(region: Region, keep: Pattern, shift: Pattern) -> None:
    direct = region.dtype == keep.dtype
    values = region if direct else region.to(keep.dtype)
    values.mul_(keep).add_(shift)
    if region.dtype == torch.uint8:
        values.clamp_(0, 255).round_()
    else:
        values.clamp_(0, 1)
    if not direct:
        region.copy_(values)
