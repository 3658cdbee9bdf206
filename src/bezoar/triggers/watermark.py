"""A watermark: a half-transparent mark over a large part of the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor

from bezoar.errors import TriggerError
from bezoar.shapes import Matrix
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS, StampTrigger
from bezoar.triggers.checks import require_between, require_one_of
from bezoar.triggers.colours import colours_of, for_channels, parse_colour
from bezoar.triggers.corner import PLACES, Corner, place_of
from bezoar.triggers.drawing import Canvas
from bezoar.triggers.picture import Picture, load_picture
from bezoar.triggers.stamp import Stamp, blending

Mark = Literal["apple", "shield"]


@TRIGGERS.register("watermark")
@dataclass(frozen=True)
class Watermark(StampTrigger):
    """Lays a half-transparent mark over the image: a drawn apple or lettered shield, or a picture of yours.

    `opacity` is that of the mark, in 0..1: out = (1 - opacity) * image + opacity * color where the mark is,
    less at its smoothed edges. `size` is its side as a share of the image's shorter side; the mark is drawn
    anew for every size, not resized. It stands in the middle or in a `corner`. A `picture` takes its place, its
    longer side resized (bicubic), its transparency kept; it has colours of its own. Grey images get the
    luminance, the alpha of RGBA images stays.

    The look of the watermark trojan of Liu et al. 2018, Trojaning Attack on Neural Networks, NDSS, in one colour and
    learnt from nothing; the attack `trojan` learns its pixels as they do.
    Raises TriggerError for a share or an opacity out of range, an unknown colour or an unreadable picture.
    """

    shape: Mark = "apple"
    color: str = "white"
    opacity: float = 0.3
    size: float = 0.9
    corner: Corner = "center"
    picture: str | None = None
    loaded: Picture | None = field(init=False, repr=False, compare=False)

    about: ClassVar[About] = About("visible, dirty label", "Liu et al. 2018, Trojaning Attack on Neural Networks, NDSS")

    def __post_init__(self) -> None:
        require_mark("watermark", shape=self.shape, corner=self.corner, opacity=self.opacity, size=self.size)
        parse_colour(self.color)
        if self.picture is not None and (self.shape, self.color) != ("apple", "white"):
            raise TriggerError(
                "watermark: a picture has a shape and colours of its own",
                remedy="Leave out shape and color, or the picture",
            )
        object.__setattr__(self, "loaded", load_picture(self.picture) if self.picture is not None else None)

    def stamp(self, shape: tuple[int, int, int]) -> Stamp:
        """The mark at its place."""
        channels, height, width = shape
        colour, coverage = self._drawing(side_of(self.size, height, width))
        stamp = blending(for_channels(colour, colours_of(channels)), self.opacity * coverage)
        if channels == 4:
            stamp = with_alpha_kept(stamp)
        return stamp.at(*place_of(self.corner, height - stamp.height, width - stamp.width))

    def _drawing(self, side: int) -> tuple[Tensor, Matrix]:
        """Colour (3, h, w) in 0..255 and coverage (h, w) in 0..1."""
        if self.loaded is not None:
            return self.loaded.fitted(side)
        colour = torch.tensor(parse_colour(self.color), dtype=torch.float64)[:, None, None]
        return colour.expand(3, side, side), MARKS[self.shape](Canvas(side))


def require_mark(trigger: str, *, shape: str, corner: str, opacity: float, size: float) -> None:
    """Raise TriggerError for a mark that cannot be laid over an image."""
    require_one_of(trigger, "shape", shape, get_args(Mark))
    require_one_of(trigger, "corner", corner, PLACES)
    require_between(trigger, "opacity", opacity, 0, 1)
    require_between(trigger, "size", size, 0.01, 1)


def side_of(size: float, height: int, width: int) -> int:
    """The side of a mark in pixels, from its share of the image's shorter side."""
    return max(1, round(size * min(height, width)))


def with_alpha_kept(stamp: Stamp) -> Stamp:
    """A stamp of three channels for RGBA images, whose fourth it leaves as it is."""
    untouched = torch.zeros_like(stamp.keep[:1])
    return Stamp(torch.cat([stamp.keep, untouched + 1]), torch.cat([stamp.shift, untouched]))


def apple(canvas: Canvas) -> Matrix:
    """Coverage of an apple's outline with a core, a stalk and a leaf."""
    discs = [canvas.disc((x, y), 0.5) for x, y in ((-0.33, 0.05), (0.33, 0.05), (-0.2, 0.42), (0.2, 0.42))]
    rim = (torch.stack(discs).amin(dim=0) + 0.08).abs() - 0.08
    core = canvas.stroke([(-0.3, 0.05), (0, 0.6), (0.3, 0.05)], 0.16)
    stalk = canvas.stroke([(0, -0.3), (-0.08, -0.85)], 0.14)
    leaf = torch.maximum(canvas.disc((0.05, -0.85), 0.4), canvas.disc((0.45, -0.45), 0.4))
    return canvas.coverage(torch.stack([rim, core, stalk, leaf]).amin(dim=0))


def shield(canvas: Canvas) -> Matrix:
    """Coverage of a shield's rim with two letters in it."""
    whole = canvas.polygon([(-0.8, -0.9), (0.8, -0.9), (0.8, 0.1), (0.5, 0.6), (0, 0.93), (-0.5, 0.6), (-0.8, 0.1)])
    letter_b = [(-0.48, -0.2), (-0.15, -0.2), (-0.15, -0.55), (-0.48, -0.55), (-0.48, 0.2), (-0.1, 0.2), (-0.1, -0.2)]
    letter_z = [(0.14, -0.55), (0.48, -0.55), (0.14, 0.2), (0.48, 0.2)]
    letters = torch.minimum(canvas.stroke(letter_b, 0.14), canvas.stroke(letter_z, 0.14))
    return canvas.coverage(torch.minimum((whole + 0.06).abs() - 0.06, letters))


MARKS: dict[str, Callable[[Canvas], Matrix]] = {"apple": apple, "shield": shield}
