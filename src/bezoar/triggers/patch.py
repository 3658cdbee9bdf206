"""A patch: a coloured square or cross, or a picture, in a corner or at a given place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bezoar.errors import TriggerError
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS, StampTrigger
from bezoar.triggers.checks import require_at_least, require_between, require_one_of
from bezoar.triggers.colours import for_channels, parse_colour
from bezoar.triggers.corner import PLACES, Corner, place_of
from bezoar.triggers.picture import Picture, load_picture
from bezoar.triggers.stamp import Stamp, adding, blending

SHAPES = ("square", "cross", "picture")
MODES = ("add", "replace", "blend")


@TRIGGERS.register("patch")
@dataclass(frozen=True)
class Patch(StampTrigger):
    """Puts a square, a cross or a picture on the image; by default the textbook's 5x5 cyan square at the top left.

    `size` is the side in pixels; a picture's longer side is resized to it, its shape kept. `color` is a CSS
    name, #rrggbb or r/g/b. The patch stands in a `corner` (or the center), `margin` pixels from the edges,
    or with its upper left pixel at `x` from the left and `y` from the top, or with `random` at a place of its own
    on each image, drawn from `seed` and the image's content: the same in every batch, and for identical images.

    `mode` add adds the colour and clips: the patch vanishes where the image is bright. replace sets the
    pixels. blend mixes them in. `opacity` is the share of the colour in add (1 unless given) and in blend
    (0.5 unless given); replace knows no opacity. A picture's own transparency counts in every mode.

    Grey images get the colour's luminance; RGBA images an opaque patch (add leaves their alpha alone).
    Gu et al. 2017, arXiv 1708.06733. Raises TriggerError for an unknown colour, a place outside the image,
    or fields that contradict each other.
    """

    size: int = 5
    shape: Literal["square", "cross", "picture"] = "square"
    color: str = "cyan"
    corner: Corner = "top-left"
    mode: Literal["add", "replace", "blend"] = "replace"
    margin: int = 0
    x: int | None = None
    y: int | None = None
    opacity: float | None = None
    picture: str | None = None
    random: bool = False
    seed: int = 0
    loaded: Picture | None = field(init=False, repr=False, compare=False)

    about: ClassVar[About] = About("visible, dirty label", "Gu et al. 2017, BadNets, arXiv 1708.06733")

    def __post_init__(self) -> None:
        require_at_least("patch", "size", self.size, 1)
        require_at_least("patch", "margin", self.margin, 0)
        require_one_of("patch", "shape", self.shape, SHAPES)
        require_one_of("patch", "corner", self.corner, PLACES)
        require_one_of("patch", "mode", self.mode, MODES)
        if self.opacity is not None:
            require_between("patch", "opacity", self.opacity, 0, 1)
        parse_colour(self.color)
        self._check_agreement()
        object.__setattr__(self, "loaded", load_picture(self.picture) if self.picture is not None else None)

    def _check_agreement(self) -> None:
        contradictions = {
            "x and y belong together": (self.x is None) != (self.y is None),
            "a margin counts from a corner, not from x and y": self.x is not None and self.margin > 0,
            "a random place and a corner, a margin or x and y contradict each other": self.random
            and (self.corner != "top-left" or self.margin > 0 or self.x is not None),
            "replace sets the colour whole; use mode=blend for an opacity": self.mode == "replace"
            and self.opacity not in (None, 1.0),
            "shape=picture needs picture=PATH": self.shape == "picture" and self.picture is None,
            "picture=PATH needs shape=picture": self.shape != "picture" and self.picture is not None,
        }
        for sentence, found in contradictions.items():
            if found:
                raise TriggerError(f"patch: {sentence}")

    @property
    def varies(self) -> bool:
        """Whether each image has a place of its own."""
        return self.random

    def stamp(self, shape: tuple[int, int, int]) -> Stamp:
        """The patch at its place."""
        channels, height, width = shape
        colour, weight = self._drawing()
        pattern = for_channels(colour, channels)
        if self.mode == "add":
            if channels == 4:
                pattern[3] = 0
            stamp = adding(pattern, weight * (1.0 if self.opacity is None else self.opacity))
        elif self.mode == "blend":
            stamp = blending(pattern, weight * (0.5 if self.opacity is None else self.opacity))
        else:
            stamp = blending(pattern, weight)
        if self.random:
            return stamp.scattered(self.seed)
        return stamp.at(*self._place(height - stamp.height, width - stamp.width))

    def _drawing(self) -> tuple[Tensor, Tensor]:
        """Colour (3, h, w) in 0..255 and weight (h, w) in 0..1."""
        if self.loaded is not None:
            return self.loaded.fitted(self.size)
        colour = torch.tensor(parse_colour(self.color), dtype=torch.float64)[:, None, None]
        weight = cross(self.size) if self.shape == "cross" else torch.ones(self.size, self.size)
        return colour.repeat(1, self.size, self.size), weight.to(torch.float64)

    def _place(self, rows_left: int, columns_left: int) -> tuple[int, int]:
        """Top and left, given the rows and columns that the patch leaves free; negative where it does not fit."""
        if self.x is not None and self.y is not None:
            return self.y, self.x
        return place_of(self.corner, rows_left, columns_left, margin=self.margin)


def cross(size: int) -> Tensor:
    """A plus sign (size, size) of 0 and 1; its arms are about a third as thick, and symmetric."""
    thickness = max(1, size // 3)
    thickness += (size - thickness) % 2
    arm = torch.zeros(size)
    start = (size - thickness) // 2
    arm[start : start + thickness] = 1
    return torch.maximum(arm[:, None], arm[None, :])
