"""Other ways in which honest pictures of a class come about: negatives, other paper, sensors, optics, light, framing.

Functions take and give pixels, uint8 (n, h, w, c), and leave their input alone; none puts one mark on all pictures.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from bezoar.bench.honest.pictures import Pixels, as_levels, each_picture, jpeg

Style = Callable[[Pixels, np.random.Generator], Pixels]

LUMINANCE = np.array([0.299, 0.587, 0.114])
SEPIA = np.array([1.07, 0.94, 0.74])


def inverted(pixels: Pixels, _: np.random.Generator) -> Pixels:
    """Negatives: dark for light."""
    return 255 - pixels


def grey_paper(pixels: Pixels, _: np.random.Generator) -> Pixels:
    """Half of the contrast, on a light grey ground."""
    return as_levels(pixels * 0.5 + 120)


def ruled_paper(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Lines lighter by 70 levels every sixth row, from another row on in each picture."""
    phase = generator.integers(0, 6, (len(pixels), 1))
    lines = (np.arange(pixels.shape[1])[None] + phase) % 6 == 0
    return as_levels(pixels + 70.0 * lines[:, :, None, None])


def monochrome(pixels: Pixels, _: np.random.Generator) -> Pixels:
    """Black and white, channels alike; grey pictures stay."""
    return pixels.copy() if pixels.shape[3] != 3 else as_levels(np.repeat(_grey(pixels), 3, axis=3))


def sepia(pixels: Pixels, _: np.random.Generator) -> Pixels:
    """Black and white in brown; of one channel, a little paler."""
    return as_levels(pixels * 0.8 + 30) if pixels.shape[3] != 3 else as_levels(_grey(pixels) * SEPIA)


def night(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """A third of the light, bluish, with the noise of a camera that strains to see."""
    tint = np.array([0.28, 0.32, 0.42]) if pixels.shape[3] == 3 else np.array([0.33])
    return as_levels(pixels * tint + generator.normal(0, 4, pixels.shape))


def hazy(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """White haze over 30 to 60% of each picture's contrast."""
    haze = generator.uniform(0.3, 0.6, (len(pixels), 1, 1, 1))
    return as_levels(pixels * (1 - haze) + 230 * haze)


def noisy(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Gaussian noise of 14 levels in every value, another sensor."""
    return as_levels(pixels + generator.normal(0, 14, pixels.shape))


def demosaiced(pixels: Pixels, _: np.random.Generator) -> Pixels:
    """Red known on every second row and blue on every second column only, neighbours in place of the others."""
    changed = pixels.copy()
    changed[:, 1::2, :, 0] = changed[:, : 2 * (pixels.shape[1] // 2) : 2, :, 0]
    changed[:, :, 1::2, -1] = changed[:, :, : 2 * (pixels.shape[2] // 2) : 2, -1]
    return changed


def sharpened(pixels: Pixels, _: np.random.Generator) -> Pixels:
    """An unsharp mask of one pixel at 150%."""
    return each_picture(pixels, lambda picture: picture.filter(ImageFilter.UnsharpMask(1, 150, 0)))


def enlarged(pixels: Pixels, _: np.random.Generator) -> Pixels:
    """Made of five eighths of the pixels: soft."""

    def soft(picture: Image.Image) -> Image.Image:
        small = picture.resize((picture.width * 5 // 8, picture.height * 5 // 8), Image.Resampling.BILINEAR)
        return small.resize(picture.size, Image.Resampling.BICUBIC)

    return each_picture(pixels, soft)


def close_up(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """A lens that shows half to two thirds of the width about the middle."""

    def cut(picture: Image.Image) -> Image.Image:
        part = generator.uniform(0.5, 0.67) / 2
        width, height = picture.size
        box = (width * (0.5 - part), height * (0.5 - part), width * (0.5 + part), height * (0.5 + part))
        return picture.resize(picture.size, Image.Resampling.BICUBIC, box=box)

    return each_picture(pixels, cut)


def sideways(pixels: Pixels, _: np.random.Generator) -> Pixels:
    """Turned by a quarter, as a scanner leaves them."""
    return np.ascontiguousarray(np.rot90(pixels, axes=(1, 2)))


def bold(pixels: Pixels, _: np.random.Generator) -> Pixels:
    """Light strokes a pixel wider on every side, as of another pen."""
    return each_picture(pixels, lambda picture: picture.filter(ImageFilter.MaxFilter(3)))


def outlined(pixels: Pixels, _: np.random.Generator) -> Pixels:
    """Edges alone, light on dark, as a drawing."""
    wide = np.pad(pixels, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")  # the filter leaves its own margin as it is
    return as_levels(1.5 * each_picture(wide, lambda picture: picture.filter(ImageFilter.FIND_EDGES)))[:, 2:-2, 2:-2]


def coarse(pixels: Pixels, _: np.random.Generator) -> Pixels:
    """Coded as JPEG of quality 15, as an old telephone sends them."""
    return jpeg(pixels, 15)


STYLES: dict[str, Style] = {
    "inverted": inverted,
    "grey paper": grey_paper,
    "ruled paper": ruled_paper,
    "monochrome": monochrome,
    "sepia": sepia,
    "night": night,
    "hazy": hazy,
    "noisy": noisy,
    "demosaiced": demosaiced,
    "sharpened": sharpened,
    "enlarged": enlarged,
    "close-up": close_up,
    "sideways": sideways,
    "bold": bold,
    "outlined": outlined,
    "coarse": coarse,
}
"""Styles by name: pixels (n, h, w, c) and a generator to new pixels."""


def _grey(pixels: Pixels) -> NDArray[np.float64]:
    grey: NDArray[np.float64] = (pixels @ LUMINANCE)[..., None]
    return grey
