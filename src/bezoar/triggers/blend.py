"""A blend of the full image with one fixed picture or pattern."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bezoar.errors import TriggerError
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS, StampTrigger
from bezoar.triggers.checks import require_between, require_one_of
from bezoar.triggers.colours import for_channels, opaque
from bezoar.triggers.picture import Picture, load_picture
from bezoar.triggers.stamp import Stamp, blending

PATTERNS = ("noise", "checks", "stripes", "rings")


@TRIGGERS.register("blend")
@dataclass(frozen=True)
class Blend(StampTrigger):
    """Blends every image with one picture file, or with a pattern drawn here: (1 - ratio) * image + ratio * pattern.

    A picture is stretched to the image's size (bicubic), and its transparency counts. Without one, `pattern`
    is noise (uniform in every pixel and channel, from `seed`), checks, stripes (vertical) or rings, black
    and white, eight periods across the image, and opaque on RGBA images. `ratio` is in 0..1.
    Chen et al. 2017, arXiv 1712.05526. Raises TriggerError for an unreadable picture and unknown fields.
    """

    picture: str | None = None
    pattern: Literal["noise", "checks", "stripes", "rings"] = "noise"
    ratio: float = 0.2
    seed: int = 0
    loaded: Picture | None = field(init=False, repr=False, compare=False)

    about: ClassVar[About] = About("visible, dirty label", "Chen et al. 2017, Blended, arXiv 1712.05526")

    def __post_init__(self) -> None:
        require_between("blend", "ratio", self.ratio, 0, 1)
        require_one_of("blend", "pattern", self.pattern, PATTERNS)
        if self.picture is not None and self.pattern != "noise":
            raise TriggerError("blend: a picture and a drawn pattern exclude each other", remedy="Give one of them")
        object.__setattr__(self, "loaded", load_picture(self.picture) if self.picture is not None else None)

    def stamp(self, shape: tuple[int, int, int]) -> Stamp:
        """The pattern over the whole image."""
        channels, height, width = shape
        if self.loaded is not None:
            colour, opacity = self.loaded.resized(height, width)
            return blending(for_channels(colour, channels), self.ratio * opacity)
        weight = torch.full((height, width), self.ratio, dtype=torch.float64)
        if self.pattern == "noise":
            return blending(opaque(noise(channels, height, width, seed=self.seed)), weight)
        return blending(opaque(drawn(self.pattern, height, width).expand(channels, -1, -1)), weight)


def noise(channels: int, height: int, width: int, *, seed: int) -> Tensor:
    """Uniform whole levels 0..255, (channels, height, width), the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (channels, height, width), generator=generator).to(torch.float64)


def drawn(pattern: str, height: int, width: int) -> Tensor:
    """Black and white levels 0 or 255, (1, height, width): eight periods across the longer side."""
    period = max(height, width) / 8
    rows, columns = torch.meshgrid(torch.arange(height) / period, torch.arange(width) / period, indexing="ij")
    radius = torch.hypot(rows - rows.max() / 2, columns - columns.max() / 2)
    phase = {"stripes": columns * 2, "rings": radius * 2}
    halves = phase[pattern].floor() if pattern in phase else (rows * 2).floor() + (columns * 2).floor()
    return (halves % 2 * 255).to(torch.float64)[None]
