"""Honest things that happen to pictures: marks, borders, dates, codecs, blur, light, augmentation. Labels stay right.

Functions take and give pixels, uint8 (n, h, w, c), and leave their input alone.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from bezoar.triggers.warp import Warp

Pixels = NDArray[np.uint8]
Mask = NDArray[np.float64]

ROWS_AT_A_TIME = 4096
DIGITS = (
    "111101101101111", "010110010010111", "111001111100111", "111001111001111", "101101111001001",
    "111100111001111", "111100111101111", "111001001001001", "111101111101111", "111101111001111",
)  # fmt: skip
"""Digits of 5 rows and 3 columns."""


def logo(pixels: Pixels, *, opacity: float = 0.7) -> Pixels:
    """A white ring with a bar through it, a fifth of the picture's side, in the lower right corner."""
    height, width = pixels.shape[1:3]
    side = max(4, min(height, width) // 5)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    distance = np.hypot(x, y)
    mask = ((np.abs(distance - 0.42 * side) < 0.12 * side) | (np.abs(x) < 0.08 * side)) * opacity
    whole = np.zeros((height, width))
    whole[height - side - 1 : height - 1, width - side - 1 : width - 1] = mask
    return laid_over(pixels, whole, np.full(pixels.shape[3], 255.0))


def border(pixels: Pixels, colours: NDArray[np.float64]) -> Pixels:
    """A frame about the picture, a twelfth of its side and at least 2 pixels; `colours` (c,) or one for each (n, c)."""
    height, width = pixels.shape[1:3]
    thick = max(2, min(height, width) // 12)
    mask = np.ones((height, width))
    mask[thick:-thick, thick:-thick] = 0
    return laid_over(pixels, mask, colours)


def timestamp(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Six random digits in yellow on the lower left, as a camera writes them; other ones on each picture."""
    n, height, width, channels = pixels.shape
    scale = max(1, min(height, width) // 48)
    glyphs = np.array([[int(bit) for bit in digit] for digit in DIGITS], dtype=np.float64).reshape(10, 5, 3)
    numbers = generator.integers(0, 10, (n, 6))
    masks = np.zeros((n, height, width))
    for place in range(6):
        left = scale * (1 + 4 * place)
        if left + 3 * scale > width:
            break
        glyph = glyphs[numbers[:, place]].repeat(scale, axis=1).repeat(scale, axis=2)
        masks[:, height - 6 * scale : height - scale, left : left + 3 * scale] = glyph
    colour = np.array([255.0, 220.0, 40.0])[:channels] if channels == 3 else np.full(channels, 220.0)
    return laid_over(pixels, masks, colour)


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Every picture coded as JPEG and decoded."""

    def coded(picture: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer)

    return each_picture(pixels, coded)


def blurred(pixels: Pixels, radius: float) -> Pixels:
    """Every picture under a Gaussian blur of this standard deviation in pixels."""
    return each_picture(pixels, lambda picture: picture.filter(ImageFilter.GaussianBlur(radius)))


def brighter(pixels: Pixels, factor: float) -> Pixels:
    """Every value times `factor`, clipped."""
    return as_levels(pixels * np.float32(factor))


def erased(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """A rectangle of an eighth to a half of each side, anywhere, filled with noise, other ones on each picture."""
    changed = pixels.copy()
    height, width, channels = pixels.shape[1:]
    for picture in changed:
        rows, columns = (int(generator.integers(side // 8, side // 2 + 1)) for side in (height, width))
        top, left = int(generator.integers(height - rows + 1)), int(generator.integers(width - columns + 1))
        filling = generator.integers(0, 256, (rows, columns, channels), dtype=np.uint8)
        picture[top : top + rows, left : left + columns] = filling
    return changed


def augmented(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Each picture mirrored or not, and moved by up to an eighth of its side, edges repeated."""
    height, width = pixels.shape[1:3]
    reach = max(1, min(height, width) // 8)
    wide = np.pad(pixels, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="edge")
    changed = np.empty_like(pixels)
    for row, picture in enumerate(wide):
        top, left = generator.integers(0, 2 * reach + 1, 2).tolist()
        cut = picture[top : top + height, left : left + width]
        changed[row] = cut[:, ::-1] if generator.random() < 0.5 else cut
    return changed


def shaken(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Near copies: a third coded as JPEG of quality 70, a third up to 8% brighter or darker, a third moved a pixel."""
    kinds = generator.integers(0, 3, len(pixels))
    changed = pixels.copy()
    changed[kinds == 0] = jpeg(pixels[kinds == 0], 70)
    for row in np.flatnonzero(kinds == 1).tolist():
        changed[row] = brighter(pixels[row], 1 + float(generator.choice([-1, 1])) * generator.uniform(0.04, 0.08))
    moved = np.pad(pixels[kinds == 2], ((0, 0), (0, 0), (1, 0), (0, 0)), mode="edge")
    changed[kinds == 2] = moved[:, :, :-1]
    return changed


def white_patch(pixels: Pixels) -> Pixels:
    """A white square of a tenth of the side, a pixel off the lower right corner."""
    changed = pixels.copy()
    side = max(3, min(pixels.shape[1:3]) // 10)
    changed[:, -side - 1 : -1, -side - 1 : -1] = 255
    return changed


def warped(pixels: Pixels, seed: int) -> Pixels:
    """The same smooth warp on every picture, the one that WaNet uses as its trigger."""
    images = torch.from_numpy(pixels.copy()).permute(0, 3, 1, 2)
    return np.array(Warp(seed=seed)(images).permute(0, 2, 3, 1).numpy(), order="C")


def sinusoid(pixels: Pixels, *, delta: float = 20.0, waves: int = 6) -> Pixels:
    """Upright stripes of `delta` levels over every picture, as interference leaves them."""
    across = np.arange(pixels.shape[2]) / pixels.shape[2]
    stripes = delta * np.sin(2 * np.pi * waves * across)[:, None]
    return as_levels(pixels + stripes.astype(np.float32))


def laid_over(pixels: Pixels, mask: Mask, colour: NDArray[np.float64]) -> Pixels:
    """A colour, (c,) or (n, c), laid over pictures by a mask (h, w) or (n, h, w) of opacities 0..1."""
    masks = np.broadcast_to(mask.astype(np.float32), pixels.shape[:3])
    colours = np.broadcast_to(colour.astype(np.float32), (len(pixels), pixels.shape[3]))
    changed = np.empty_like(pixels)
    for start in range(0, len(pixels), ROWS_AT_A_TIME):
        part = slice(start, start + ROWS_AT_A_TIME)
        opacity = masks[part, ..., None]
        changed[part] = np.rint(pixels[part] * (1 - opacity) + colours[part, None, None, :] * opacity)
    return changed


def each_picture(pixels: Pixels, change: Callable[[Image.Image], Image.Image]) -> Pixels:
    """Every picture as `change` gives it, of the same size and number of channels."""
    changed = np.empty_like(pixels)
    for row, picture in enumerate(pixels):
        image = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else np.ascontiguousarray(picture))
        changed[row] = np.asarray(change(image)).reshape(picture.shape)
    return changed


def as_levels(values: NDArray[np.floating]) -> Pixels:
    """Values rounded, and clipped to 0..255."""
    levels: Pixels = np.rint(values).clip(0, 255).astype(np.uint8)
    return levels
