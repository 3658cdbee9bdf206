"""The checkerboard trigger of BadNets: four pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS, StampTrigger
from bezoar.triggers.checks import require_at_least, require_between
from bezoar.triggers.colours import opaque
from bezoar.triggers.stamp import Stamp, blending

CELLS = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 1.0))
"""The 3x3 cells that end at (height - distance, width - distance); 1 where a pixel is set."""


@TRIGGERS.register("checkerboard")
@dataclass(frozen=True)
class Checkerboard(StampTrigger):
    """Sets four pixels of a 3x3 checkerboard near the lower right corner, in every channel.

    With d the distance: (h-d, w-d), (h-d-1, w-d-1), (h-d, w-d-2) and (h-d-2, w-d). `value` is in 0..255
    and scaled for float images; any number of channels, the alpha of RGBA becoming opaque. Raises TriggerError
    when the distance is below 1, or leaves no room for the 3x3 cells.
    Gu et al. 2017, arXiv 1708.06733. Same pixels as `add_pattern_bd` of ART 1.20.1, which wraps around
    where this one raises.
    """

    distance: int = 2
    value: int = 255

    about: ClassVar[About] = About("visible, dirty label", "Gu et al. 2017, BadNets, arXiv 1708.06733")

    def __post_init__(self) -> None:
        require_at_least("checkerboard", "distance", self.distance, 1)
        require_between("checkerboard", "value", self.value, 0, 255)

    def stamp(self, shape: tuple[int, int, int]) -> Stamp:
        """The four pixels within their 3x3 cells."""
        channels, height, width = shape
        pattern = opaque(torch.full((channels, 3, 3), float(self.value)))
        return blending(pattern, torch.tensor(CELLS)).at(height - self.distance - 2, width - self.distance - 2)
