"""A physical sticker: each image shows it at another place, in another size, turned and lit otherwise."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple, get_args

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from bezoar.errors import TriggerError
from bezoar.shapes import Images, Pattern, Real
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS, VaryingTrigger
from bezoar.triggers.checks import require_one_of, require_range
from bezoar.triggers.colours import colours_of, for_channels, parse_colour
from bezoar.triggers.drawing import Canvas, star
from bezoar.triggers.picture import Picture, load_picture
from bezoar.triggers.stamp import parts

Shape = Literal["square", "disc", "triangle", "star", "picture"]
Place = Literal["anywhere", "center"]

LARGEST = 0.7
"""A square of this side, as a share of the image's, fits in the image however it is turned."""

MIDDLE = 127.5
"""The level that contrast leaves as it is."""


class Pose(NamedTuple):
    """How the sticker lies on each image, all (n,) float64."""

    x: Real
    y: Real
    side: Real
    angle: Real
    light: Real
    contrast: Real

    def part(self, rows: slice) -> Pose:
        """Those of some images."""
        return Pose(*(values[rows] for values in self))


@TRIGGERS.register("sticker")
@dataclass(frozen=True)
class Sticker(VaryingTrigger):
    """Sticks a coloured shape or a picture on the image, its place, size, turn and light drawn for each image.

    All draws are uniform within their ranges, from `seed` and the image's content, so that identical images
    look the same. `scale` is the sticker's longer side as a share of the image's shorter side, 0.02 to 0.7;
    `rotation` is in degrees counter-clockwise, -180 to 180. `light` multiplies the sticker's levels,
    `contrast` then moves them towards middle grey (0) or leaves them (1). With region center its middle lies in
    the middle half of the places that are possible in each direction. The sticker is always wholly inside the
    image, sampled bilinearly; a picture's transparency counts. Grey images get the colour's luminance, the
    alpha of RGBA images stays.

    The yellow square is that of Gu et al. 2017, BadNets, arXiv 1708.06733, who put it on photographs of stop signs at
    one place; that backdoors with real objects need such variation: Wenger et al. 2021, arXiv 2006.14580, Li et al.
    2021, arXiv 2104.02361, and Xue et al. 2021, arXiv 2104.07395, who vary the triggered image as a whole. Deviation
    from all: no photographs; perspective, bending, shadows and the camera's blur are not imitated.
    Raises TriggerError for ranges out of bounds, an unknown colour or an unreadable picture.
    """

    shape: Shape = "square"
    color: str = "yellow"
    scale: tuple[float, float] = (0.2, 0.3)
    rotation: tuple[float, float] = (-30, 30)
    light: tuple[float, float] = (0.6, 1.2)
    contrast: tuple[float, float] = (0.8, 1)
    region: Place = "anywhere"
    picture: str | None = None
    seed: int = 0
    loaded: Picture | None = field(init=False, repr=False, compare=False)

    draws: ClassVar[int] = 6
    about: ClassVar[About] = About(
        "visible, dirty label", "Gu et al. 2017, BadNets, arXiv 1708.06733; Wenger et al. 2021, arXiv 2006.14580"
    )

    def __post_init__(self) -> None:
        require_one_of("sticker", "shape", self.shape, get_args(Shape))
        require_one_of("sticker", "region", self.region, get_args(Place))
        require_range("sticker", "scale", self.scale, 0.02, LARGEST)
        require_range("sticker", "rotation", self.rotation, -180, 180)
        require_range("sticker", "light", self.light, 0, 4)
        require_range("sticker", "contrast", self.contrast, 0, 1)
        parse_colour(self.color)
        if (self.shape == "picture") != (self.picture is not None):
            raise TriggerError("sticker: shape=picture and picture=PATH belong together")
        object.__setattr__(self, "loaded", load_picture(self.picture) if self.picture is not None else None)

    def vary(self, images: Images, drawn: Tensor) -> Images:
        """Stick it on each image, in a window just large enough for the largest sticker turned any way."""
        channels, height, width = images.shape[1:]
        largest = self.scale[1] * min(height, width)
        texture = self._texture(max(2, math.ceil(largest)), colours_of(channels))
        texture = texture.to(images.device, torch.float64 if images.dtype == torch.float64 else torch.float32)
        aspect = texture.shape[1] / texture.shape[2]
        pose = self._poses(drawn, height, width, aspect)
        window = math.ceil(largest * math.hypot(1, min(aspect, 1 / aspect))) + 2
        rows, columns = min(height, window), min(width, window)
        for part in parts(len(images), rows * columns * (len(texture) + 1)):
            _stick(images[part], texture, pose.part(part), rows, columns)
        return images

    def _poses(self, drawn: Tensor, height: int, width: int, aspect: float) -> Pose:
        """What the numbers drawn mean on images so large; `aspect` is the sticker's height over its width."""
        draws = drawn.unbind(dim=1)
        spans = (self.scale, self.rotation, self.light, self.contrast)
        scale, degrees, light, contrast = (
            low + draw * (high - low) for (low, high), draw in zip(spans, draws[2:], strict=True)
        )
        side, angle = scale * min(height, width), torch.deg2rad(degrees)
        half_width, half_height = side / 2 * min(1, 1 / aspect), side / 2 * min(1, aspect)
        cosine, sine = angle.cos().abs(), angle.sin().abs()
        reach_x, reach_y = half_width * cosine + half_height * sine, half_width * sine + half_height * cosine
        x, y = (0.25 + draw / 2 if self.region == "center" else draw for draw in draws[:2])
        return Pose(
            reach_x + x * (width - 2 * reach_x), reach_y + y * (height - 2 * reach_y), side, angle, light, contrast
        )

    def _texture(self, side: int, channels: int) -> Pattern:
        """Colours times opacity in 0..255, then the opacity in 0..1, (channels + 1, h, w), the longer side `side`."""
        if self.loaded is not None:
            colour, opacity = self.loaded.fitted(side)
        else:
            colour = torch.tensor(parse_colour(self.color), dtype=torch.float64)[:, None, None].expand(3, side, side)
            opacity = outline(self.shape, side)
        return torch.cat([for_channels(colour, channels) * opacity, opacity[None]])


def outline(shape: str, side: int) -> Tensor:
    """Coverage (side, side) in 0..1 of a shape that fills its square."""
    canvas = Canvas(side)
    if shape == "square":
        return torch.ones(side, side, dtype=torch.float64)
    if shape == "disc":
        return canvas.coverage(canvas.disc((0, 0), 1))
    points = star(5, 0.45) if shape == "star" else [(0.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]
    return canvas.coverage(canvas.polygon(points))


def _stick(images: Images, texture: Tensor, pose: Pose, rows: int, columns: int) -> None:
    """Stick the texture on the images in place, each within a window of so many rows and columns."""
    tops = (pose.y - rows / 2).floor().long().clamp(0, images.shape[2] - rows)
    lefts = (pose.x - columns / 2).floor().long().clamp(0, images.shape[3] - columns)
    down = tops[:, None] + torch.arange(rows, device=images.device)
    across = lefts[:, None] + torch.arange(columns, device=images.device)
    grid = _grid(pose, down, across, texture)
    sticker = grid_sample(texture.expand(len(images), -1, -1, -1), grid, padding_mode="zeros", align_corners=False)
    place = (torch.arange(len(images), device=images.device)[:, None, None], down[:, :, None], across[:, None, :])
    pixels = images.permute(0, 2, 3, 1)[..., : len(texture) - 1]
    pixels[place] = _composited(pixels[place], sticker.permute(0, 2, 3, 1), pose)


def _grid(pose: Pose, down: Tensor, across: Tensor, texture: Tensor) -> Tensor:
    """Where in the texture, -1..1 from edge to edge, each pixel's centre lies: (n, rows, columns, 2) for x, y."""
    x = (across + 0.5 - pose.x[:, None])[:, None, :]
    y = (down + 0.5 - pose.y[:, None])[:, :, None]
    cosine, sine = pose.angle.cos()[:, None, None], pose.angle.sin()[:, None, None]
    half = pose.side[:, None, None] / 2 / max(texture.shape[1:])
    along, below = x * cosine - y * sine, x * sine + y * cosine
    return torch.stack([along / (half * texture.shape[2]), below / (half * texture.shape[1])], dim=3).to(texture.dtype)


def _composited(pixels: Tensor, sticker: Tensor, pose: Pose) -> Tensor:
    """Pixels (n, rows, columns, c) under the lit sticker (n, rows, columns, c + 1)."""
    light, contrast = (
        values.to(sticker.dtype)[:, None, None, None] for values in (pose.light * pose.contrast, pose.contrast)
    )
    colour, opacity = sticker[..., :-1], sticker[..., -1:]
    lit = (colour * light + opacity * (MIDDLE * (1 - contrast))).minimum(opacity * 255)
    if pixels.dtype != torch.uint8:
        return (pixels * (1 - opacity) + lit / 255).clamp(0, 1).to(pixels.dtype)
    return (pixels * (1 - opacity) + lit).clamp(0, 255).round().to(torch.uint8)
