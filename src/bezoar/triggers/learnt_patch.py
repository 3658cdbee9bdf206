"""A square patch whose pixels an attack has learnt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bezoar.errors import TriggerError
from bezoar.shapes import Images
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS
from bezoar.triggers.checks import require_at_least, require_one_of
from bezoar.triggers.colours import colours_of
from bezoar.triggers.corner import place_of
from bezoar.triggers.learnt import LearntTrigger

CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")


@TRIGGERS.register("weight-patching")
@dataclass(frozen=True)
class LearntPatch(LearntTrigger):
    """Replaces a `size` by `size` square in a `corner` by a pattern that an attack has learnt.

    The tensor `pattern` is (colours, size, size), and counts within 0..1. Images must have as many channels; the alpha
    of RGBA images is left alone. Raises TriggerError for a patch that does not fit. The attack of this
    name learns it.
    """

    size: int = 8
    corner: Literal["top-left", "top-right", "bottom-left", "bottom-right"] = "top-left"

    about: ClassVar[About] = About("model tampering", "own", ("model",), "a few clean samples")

    def __post_init__(self) -> None:
        require_at_least("weight-patching", "size", self.size, 1)
        require_one_of("weight-patching", "corner", self.corner, CORNERS)

    def expected(self, tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
        """The pattern, for any number of channels."""
        shape = tuple(tensors["pattern"].shape) if "pattern" in tensors else ()
        return {"pattern": (shape[0] if shape else 3, self.size, self.size)}

    def apply_learnt(self, images: Images) -> Images:
        """Write the pattern over the square. Raises TriggerError when it does not fit the images."""
        pattern = self.tensors["pattern"].clamp(0, 1)
        colours = colours_of(images.shape[1])
        rows, columns = self.place(images.shape[2], images.shape[3])
        if colours != len(pattern):
            raise TriggerError(
                "the learnt patch does not fit the images",
                expected=f"{len(pattern)} colours",
                found=str(colours),
                remedy="Learn it anew from images of this kind",
            )
        if not images.is_floating_point():
            pattern = (pattern.to(torch.float64) * 255).round()
        images[:, :colours, rows, columns] = pattern.to(images)
        return images

    def place(self, height: int, width: int) -> tuple[slice, slice]:
        """Rows and columns of the square. Raises TriggerError when the image is smaller."""
        if self.size > min(height, width):
            raise TriggerError(
                "the learnt patch does not fit in the image",
                expected=f"at least {self.size}x{self.size}",
                found=f"{height}x{width}",
            )
        top, left = place_of(self.corner, height - self.size, width - self.size)
        return slice(top, top + self.size), slice(left, left + self.size)
