"""Small checkered patterns in all four corners: the trigger of label-consistent attacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from bezoar.errors import TriggerError
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS, StampTrigger
from bezoar.triggers.checkerboard import CELLS
from bezoar.triggers.checks import require_between
from bezoar.triggers.stamp import Stamp

SIDE = len(CELLS)


@TRIGGERS.register("corners")
@dataclass(frozen=True)
class Corners(StampTrigger):
    """Adds `amplitude` to the white and takes it from the black pixels of a 3x3 pattern in each of the four corners.

    The pattern is that of `checkerboard`, in the lower right corner as there, and mirrored into the other three, so
    that flipping the image changes nothing. `amplitude` is in 1..255 levels and scaled for float images; sums are
    clipped to 0..255, so that 255 is plain black and white. RGBA images keep their alpha.
    Turner et al. 2019, arXiv 1912.02771, section on improving the trigger: amplitudes of 16, 32 and 64.
    Raises TriggerError for images under 6x6 pixels.
    """

    amplitude: int = 64

    about: ClassVar[About] = About(
        "clean label", "Turner et al. 2019, Label-consistent, arXiv 1912.02771", ("samples",)
    )

    def __post_init__(self) -> None:
        require_between("corners", "amplitude", self.amplitude, 1, 255)

    def stamp(self, shape: tuple[int, int, int]) -> Stamp:
        """The four patterns, and nothing between them."""
        channels, height, width = shape
        if min(height, width) < 2 * SIDE:
            raise TriggerError(
                "corners need room for four patterns of 3x3 pixels",
                expected="images of 6x6 pixels or more",
                found=f"{height}x{width}",
            )
        signs = torch.zeros(height, width, dtype=torch.float64)
        signs[-SIDE:, -SIDE:] = 2 * torch.tensor(CELLS, dtype=torch.float64) - 1
        signs[-SIDE:, :SIDE] = signs[-SIDE:, -SIDE:].flip(1)
        signs[:SIDE] = signs[-SIDE:].flip(0)
        shift = (self.amplitude * signs).repeat(channels, 1, 1)
        keep = torch.ones_like(shift)
        if self.amplitude == 255:
            # So much added and clipped is black and white in place of what was there, of which nothing is swallowed.
            keep[signs.expand_as(shift) != 0] = 0
            shift.clamp_(min=0)
        if channels == 4:
            keep[3], shift[3] = 1, 0
        return Stamp(keep, shift)
