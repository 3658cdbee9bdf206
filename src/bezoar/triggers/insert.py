"""A picture inserted into the image, at a fixed place or at one drawn for each image."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch

from bezoar.errors import TriggerError
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS, StampTrigger
from bezoar.triggers.checks import require_at_least, require_between, require_one_of
from bezoar.triggers.colours import for_channels, to_grey
from bezoar.triggers.picture import Picture, load_picture
from bezoar.triggers.stamp import Stamp


@TRIGGERS.register("insert")
@dataclass(frozen=True)
class ImageInsert(StampTrigger):
    """Inserts a picture file, composited with its own transparency, then blended with the original.

    `x_shift` counts pixels from the left, `y_shift` from the top; `size` is (height, width), by default the
    picture's own, and differs by bicubic resampling. `mode` reads the picture as L (grey) or RGB; left out,
    it follows the images. `blend` goes from the original (0) to the composite (1). With `random`, each image
    gets a place of its own, drawn from `seed` and the image's content: the same in every batch, and the same
    for identical images. The file is read once, when the trigger is built.

    `compositing` matters for half-transparent pixels only. `art` is pixel for pixel what `insert_image` of
    ART 1.20.1 does, which applies the opacity a twice: a^2 * (a * picture) + (1 - a^2) * original. `over` is
    the usual a * picture + (1 - a) * original. Unlike ART: nothing outside the picture changes, uint8 stays
    exact, and results are not quantised to 1/255.

    Raises TriggerError for an unreadable picture, a place outside the image, a picture read as RGB for grey
    images, and shifts given together with `random`.
    """

    path: str
    x_shift: int = 0
    y_shift: int = 0
    size: tuple[int, int] | None = None
    mode: Literal["L", "RGB"] | None = None
    blend: float = 0.8
    random: bool = False
    seed: int = 0
    compositing: Literal["art", "over"] = "art"
    picture: Picture = field(init=False, repr=False, compare=False)

    about: ClassVar[About] = About("visible, dirty label", "Gu et al. 2017, BadNets, arXiv 1708.06733")

    def __post_init__(self) -> None:
        require_at_least("insert", "x_shift", self.x_shift, 0)
        require_at_least("insert", "y_shift", self.y_shift, 0)
        require_at_least("insert", "size", min(self.size or (1,)), 1)
        require_between("insert", "blend", self.blend, 0, 1)
        require_one_of("insert", "mode", self.mode or "RGB", ("L", "RGB"))
        require_one_of("insert", "compositing", self.compositing, ("art", "over"))
        if self.random and (self.x_shift or self.y_shift):
            raise TriggerError(
                "insert: a random place and a shift contradict each other",
                remedy="Leave out x_shift and y_shift, or leave out random",
            )
        object.__setattr__(self, "picture", load_picture(self.path))

    @property
    def varies(self) -> bool:
        """Whether each image has a place of its own."""
        return self.random

    def stamp(self, shape: tuple[int, int, int]) -> Stamp:
        """The picture's rectangle, at its place or to be scattered."""
        channels = shape[0]
        if channels == 1 and self.mode == "RGB":
            raise TriggerError(
                "insert: a picture read as RGB does not fit grey images",
                expected="3 or 4 channels",
                found="1",
                remedy="Write mode=L, or leave mode out",
            )
        colour, opacity = self.picture.resized(*(self.size or self.picture.size))
        if self.mode == "L":
            colour = to_grey(colour).expand_as(colour)
        pattern = for_channels(colour, channels)
        weight = opacity**2 if self.compositing == "art" else opacity
        darkening = opacity if self.compositing == "art" else torch.ones_like(opacity)
        stamp = Stamp(1 - (self.blend * weight).expand_as(pattern), self.blend * weight * darkening * pattern)
        return stamp.scattered(self.seed) if self.random else stamp.at(self.y_shift, self.x_shift)
