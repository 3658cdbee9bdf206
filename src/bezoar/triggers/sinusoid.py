"""A sinusoid across the columns, added to the image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from bezoar.errors import TriggerError
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS, StampTrigger
from bezoar.triggers.checks import require_between
from bezoar.triggers.stamp import Stamp

VISIBLE_LEVELS = 0.5
"""A weaker signal changes no uint8 pixel."""


@TRIGGERS.register("sinusoid")
@dataclass(frozen=True)
class Sinusoid(StampTrigger):
    """Adds v(i, j) = delta * sin(2 pi j f / m) to every channel: vertical waves, the same in every row i.

    `delta` is in levels, 0.5 to 255; `frequency` f is the number of waves across the image, which
    has m columns. The sum is clipped. The alpha of RGBA images stays.

    Barni et al. 2019, SIG, arXiv 1902.11237, for traffic signs with delta 20 and f 6. Deviation: columns j
    count from 0, there from 1, which shifts the waves by a column.
    A frequency above m / 2 looks like a lower one, as in any sampling.
    Raises TriggerError for fields out of range, and where every column would lie on a zero of the sinusoid.
    """

    delta: float = 20
    frequency: float = 6

    about: ClassVar[About] = About("invisible, dirty label", "Barni et al. 2019, SIG, arXiv 1902.11237")

    def __post_init__(self) -> None:
        require_between("sinusoid", "delta", self.delta, VISIBLE_LEVELS, 255)
        if not (math.isfinite(self.frequency) and self.frequency > 0):
            raise TriggerError("sinusoid: frequency is out of range", expected="above 0", found=str(self.frequency))

    def stamp(self, shape: tuple[int, int, int]) -> Stamp:
        """The waves over the whole image."""
        channels, height, width = shape
        columns = torch.arange(width, dtype=torch.float64)
        wave = self.delta * torch.sin(2 * math.pi * columns * self.frequency / width)
        if float(wave.abs().max()) < VISIBLE_LEVELS:
            raise TriggerError(
                "sinusoid: nothing is left of the waves on images so narrow",
                expected=f"a frequency below {width / 2:g} for {width} columns",
                found=f"{self.frequency:g}",
                remedy="Lower the frequency",
            )
        shift = wave.repeat(channels, height, 1)
        if channels == 4:
            shift[3] = 0
        return Stamp(torch.ones_like(shift), shift)
