"""Fewer colours: every channel brought to a few levels, with or without dithering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bezoar.shapes import Images
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS, ImageTrigger
from bezoar.triggers.checks import require_between
from bezoar.triggers.colours import colours_of

BLOCK_VALUES = 1 << 20
"""Pixels worked on at a time: enough for long vectors, few enough for a processor's cache."""

FINENESS = 1024
"""Pixels are read in steps of 1/FINENESS of a level, so that uint8 and float images start from the same numbers."""


@TRIGGERS.register("bpp")
@dataclass(frozen=True)
class Quantise(ImageTrigger):
    """Brings every channel from 256 levels to 2 ** `depth` evenly spaced ones, black and white among them.

    A pixel x in 0..255 becomes round(x / 255 * (2 ** depth - 1)) / (2 ** depth - 1) * 255. With `dithering`, the
    error of each pixel is handed on to its neighbours not yet done (Floyd and Steinberg 1976): 7/16 to the right,
    3/16, 5/16 and 1/16 to the row below, from left to right; what would leave the image is lost. Arithmetic is in
    float32 whatever the images are. The opacity of RGBA images stays as it is.

    Wang, Zhai and Ma 2022, BppAttack, arXiv 2205.13383. Its authors' command for CIFAR-10 asks for 32 levels (depth
    5), their settings' default is 8 (depth 3); neither dithers.
    Raises TriggerError for a depth outside 1..7.
    """

    depth: int = 5
    dithering: bool = True

    about: ClassVar[About] = About("invisible, dirty label", "Wang et al. 2022, BppAttack, arXiv 2205.13383")
    adds_pattern: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_between("bpp", "depth", self.depth, 1, 7)

    def apply(self, images: Images) -> Images:
        """Quantise the images in place, some at a time."""
        colours = images[:, : colours_of(images.shape[1])]
        steps = 2**self.depth - 1
        step = max(1, BLOCK_VALUES // colours[0].numel())
        for start in range(0, len(images), step):
            part = colours[start : start + step]
            # (h, w, n, c): what is done to a pixel is done to all images at once.
            values = _in_steps(part, steps).permute(2, 3, 0, 1).contiguous()
            if self.dithering:
                diffuse(values.flatten(2), steps)
            else:
                values.round_()
            part.copy_(_as_pixels(values.permute(2, 3, 0, 1), steps, images.dtype))
        return images


def diffuse(values: Tensor, steps: int) -> None:
    """Floyd-Steinberg in place: values (h, w, m) float32 of m channels, in units of a step, become whole steps.

    A pixel needs the errors of the one on its left and of three in the row above, so that all pixels (i, j) with
    the same j + 2i can be done at once: w + 2h - 2 rounds instead of h * w.
    """
    height, width, channels = values.shape
    # Errors of the last three rounds, one line for each row of the image, with a line of zeros above.
    errors = [values.new_zeros(height + 1, channels) for _ in range(3)]
    for turn in range(width + 2 * height - 2):
        first, last = max(0, (turn - width + 2) // 2), min(height - 1, turn // 2)
        diagonal = _diagonal(values, turn, first, last)
        here, above = slice(first + 1, last + 2), slice(first, last + 1)
        newest, middle, oldest = (errors[(turn - age) % 3] for age in (1, 2, 3))
        arrived = newest[here] * (7 / 16)
        arrived += newest[above] * (3 / 16)
        arrived += middle[above] * (5 / 16)
        arrived += oldest[above] * (1 / 16)
        arrived += diagonal
        torch.round(arrived, out=diagonal).clamp_(0, steps)
        # The oldest errors make room for the new ones; rows that have just ended hand on none.
        oldest[max(0, first - 1) : first + 1] = 0
        torch.sub(arrived, diagonal, out=oldest[here])


def _diagonal(values: Tensor, turn: int, first: int, last: int) -> Tensor:
    """The pixels (i, turn - 2i) of the rows i from `first` to `last`, as a view (rows, m)."""
    _, width, channels = values.shape
    # From one row to the next: a row ahead and two columns back. Images of a single column have but one such pixel.
    stride = max(0, width - 2) * channels
    start = values.storage_offset() + (turn - 2 * first + first * width) * channels
    return values.as_strided((max(0, last - first + 1), channels), (stride, 1), start)


def _in_steps(pixels: Images, steps: int) -> Tensor:
    """Pixels in units of a step, float32 in 0..steps."""
    if pixels.dtype == torch.uint8:
        return pixels.to(torch.float32) * (steps / 255)
    working = pixels.to(torch.float64 if pixels.dtype == torch.float64 else torch.float32)
    return (working * (255 * FINENESS)).round_().to(torch.float32) / FINENESS * (steps / 255)


def _as_pixels(values: Tensor, steps: int, dtype: torch.dtype) -> Tensor:
    """Whole steps as pixels of the images' dtype, for `Tensor.copy_`."""
    if dtype == torch.uint8:
        return (values * (255 / steps)).round_()
    return values.to(torch.float64) / steps if dtype == torch.float64 else values / steps
