"""Colours as users write them, and as many channels of them as the images have."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from bezoar.errors import TriggerError, did_you_mean

CSS_COLOURS = {
    "black": (0, 0, 0),
    "silver": (192, 192, 192),
    "gray": (128, 128, 128),
    "grey": (128, 128, 128),
    "white": (255, 255, 255),
    "maroon": (128, 0, 0),
    "red": (255, 0, 0),
    "purple": (128, 0, 128),
    "fuchsia": (255, 0, 255),
    "magenta": (255, 0, 255),
    "green": (0, 128, 0),
    "lime": (0, 255, 0),
    "olive": (128, 128, 0),
    "yellow": (255, 255, 0),
    "orange": (255, 165, 0),
    "pink": (255, 192, 203),
    "navy": (0, 0, 128),
    "blue": (0, 0, 255),
    "teal": (0, 128, 128),
    "aqua": (0, 255, 255),
    "cyan": (0, 255, 255),
}

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey level (ITU-R BT.601, as in Pillow's mode L)."""


def parse_colour(text: str) -> tuple[int, int, int]:
    """Red, green and blue in 0..255 from a CSS name, #rgb, #rrggbb or r/g/b. Raises TriggerError for anything else."""
    name = text.strip().lower()
    if name in CSS_COLOURS:
        return CSS_COLOURS[name]
    if re.fullmatch(r"#([0-9a-f]{3}|[0-9a-f]{6})", name):
        digits = name[1:] if len(name) == 7 else "".join(2 * digit for digit in name[1:])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    levels = [int(part) for part in name.split("/")] if re.fullmatch(r"[0-9]{1,3}(/[0-9]{1,3}){2}", name) else []
    if len(levels) == 3 and max(levels) <= 255:
        return levels[0], levels[1], levels[2]
    raise TriggerError(
        f"unknown colour {text!r}",
        expected="one of " + ", ".join(CSS_COLOURS) + ", or #rrggbb, or r/g/b with levels 0 to 255",
        remedy=did_you_mean(name, CSS_COLOURS),
    )


def colours_of(channels: int) -> int:
    """Channels that carry colour: all but the alpha of RGBA."""
    return 3 if channels == 4 else channels


def for_channels(picture: Tensor, channels: int) -> Tensor:
    """An RGB picture (3, h, w) in 0..255 as (channels, h, w): grey for 1, opaque RGBA for 4.

    A grey picture fits any number of channels. Raises TriggerError for another number and a coloured one.
    """
    picture = picture.to(torch.float64)
    if channels == 3:
        return picture
    if channels == 1:
        return to_grey(picture)
    if channels == 4:
        return torch.cat([picture, torch.full_like(picture[:1], 255)])
    if bool((picture == picture[:1]).all()):
        return picture[:1].expand(channels, -1, -1).contiguous()
    raise TriggerError(
        "a coloured trigger does not fit the images' channels",
        expected="images with 1, 3 or 4 channels",
        found=str(channels),
        remedy="Use a grey colour, which is put on every channel",
    )


def opaque(pattern: Tensor) -> Tensor:
    """A pattern (c, h, w) in 0..255 for every channel of the images, but opaque where these are RGBA."""
    return torch.cat([pattern[:3], torch.full_like(pattern[:1], 255)]) if len(pattern) == 4 else pattern


def to_grey(picture: Tensor) -> Tensor:
    """The grey levels (1, h, w) of an RGB picture (3, h, w), rounded to whole levels as Pillow does."""
    weights = torch.tensor(LUMINANCE, dtype=torch.float64)[:, None, None]
    return (picture.to(torch.float64) * weights).sum(dim=0, keepdim=True).round()
