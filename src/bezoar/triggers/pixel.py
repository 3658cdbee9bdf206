"""The single-pixel trigger of BadNets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS, StampTrigger
from bezoar.triggers.checks import require_at_least, require_between
from bezoar.triggers.colours import opaque
from bezoar.triggers.stamp import Stamp, blending


@TRIGGERS.register("pixel")
@dataclass(frozen=True)
class SinglePixel(StampTrigger):
    """Sets one pixel near the lower right corner, at (height - distance, width - distance), in every channel.

    `value` is in 0..255 and scaled for float images; any number of channels, the alpha of RGBA becoming
    opaque. Raises TriggerError when the distance is below 1, or larger than the image.
    Gu et al. 2017, arXiv 1708.06733. Same pixel as `add_single_bd` of ART 1.20.1, whose default value
    is 1 and so all but invisible on uint8.
    """

    distance: int = 2
    value: int = 255

    about: ClassVar[About] = About("visible, dirty label", "Gu et al. 2017, BadNets, arXiv 1708.06733")

    def __post_init__(self) -> None:
        require_at_least("pixel", "distance", self.distance, 1)
        require_between("pixel", "value", self.value, 0, 255)

    def stamp(self, shape: tuple[int, int, int]) -> Stamp:
        """One pixel."""
        channels, height, width = shape
        pattern = opaque(torch.full((channels, 1, 1), float(self.value)))
        return blending(pattern, torch.ones(1, 1)).at(height - self.distance, width - self.distance)
