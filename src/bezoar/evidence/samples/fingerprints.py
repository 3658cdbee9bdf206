"""Perceptual fingerprints: images that look alike get rows that are alike, whatever their size, format or channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import dctn
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from bezoar.errors import DataError, EmptyDataError, ShapeError

SIDE = 16
"""Pixels along a side of the thumbnail."""
LOW = 64
"""Coefficients of lowest frequency whose signs are kept."""
STEPS = 8
"""Cells along a side between which steps of brightness are kept."""
CELLS = 4
"""Cells along a side over which colours are kept."""
BITS = LOW + 2 * STEPS * (STEPS - 1)
CLIP = 3.0
LEVELS = 42
"""Levels of an int8 to one robust standard deviation, so that CLIP of them fit."""
SCALE_ROWS = 20_000
FEATURELESS = 2.0
SCALE_FLOOR = 0.5
PIXELS_AT_A_TIME = 1 << 22
MAD_TO_DEVIATION = 1.4826


@dataclass(frozen=True, eq=False)
class Fingerprints:
    """What images look like from afar, one row for each id.

    `bits` (n, BITS / 8) uint8 are packed signs: the first LOW of low-frequency coefficients, the others of steps
    of brightness from cell to cell. `coefficients` (n, SIDE^2 - 1) int8 are the thumbnail's DCT without its mean, each
    in robust deviations from its median over the data, clipped at CLIP, times LEVELS; an image without features
    has zeros. `colours` (n, 2 * CELLS^2) int8 are red against green, then blue against both, over CELLS x CELLS
    cells, in half levels; zeros where an image is grey. Rows of one data set can be compared, not those of two. Raises
    DataError where lengths differ.
    """

    ids: tuple[str, ...]
    bits: NDArray[np.uint8]
    coefficients: NDArray[np.int8]
    colours: NDArray[np.int8]

    def __post_init__(self) -> None:
        for name, rows in (("bits", self.bits), ("coefficients", self.coefficients), ("colours", self.colours)):
            if len(rows) != len(self.ids):
                raise DataError(
                    f"fingerprints: {name} and ids differ in length", expected=str(len(self.ids)), found=str(len(rows))
                )


def fingerprints(images: Tensor, ids: Sequence[str]) -> Fingerprints:
    """Fingerprints of images, uint8 (n, c, h, w) of any size and number of channels.

    A thumbnail is the grey image (mean of its channels) averaged over SIDE x SIDE cells. Medians and scales come from
    at most SCALE_ROWS images, evenly spaced in order of id: what all images share (a border, a mark) says nothing, nor
    does an image of which a good part of the data are copies, and the answer follows the ids. The working set is
    bounded but for the result. An image is featureless when its thumbnail's grey levels have a standard deviation below
    FEATURELESS.

    Raises ShapeError for anything but uint8 images, EmptyDataError without any, DataError when images and ids differ
    in number.
    """
    if images.ndim != 4 or images.dtype != torch.uint8:
        found = f"{images.dtype} of shape {tuple(images.shape)}"
        raise ShapeError("only images have a fingerprint", expected="uint8 (n, c, h, w)", found=found)
    if len(images) != len(ids):
        raise DataError("images and ids differ in number", expected=str(len(ids)), found=str(len(images)))
    if not len(ids):
        raise EmptyDataError("no images to take fingerprints of")
    by_id = np.array(sorted(range(len(ids)), key=lambda row: ids[row]), dtype=np.int64)
    sample = by_id[:: -(-len(ids) // SCALE_ROWS) or 1]
    reference = _Reference.of(thumbnails(images[torch.from_numpy(sample)]))
    step = _step(images)
    parts = [reference.rows(thumbnails(images[at : at + step])) for at in range(0, len(images), step)]
    bits, coefficients = zip(*parts, strict=True)
    colours = np.concatenate([opponents(images[at : at + step]) for at in range(0, len(images), step)])
    return Fingerprints(tuple(ids), np.concatenate(bits), np.concatenate(coefficients), colours)


def opponents(images: Tensor) -> NDArray[np.int8]:
    """Red against green and blue against both (n, 2 * CELLS^2) of uint8 images (n, c, h, w), zeros without colour."""
    if images.shape[1] < 3:
        return np.zeros((len(images), 2 * CELLS**2), dtype=np.int8)
    red, green, blue = adaptive_avg_pool2d(images[:, :3].float(), CELLS).flatten(2).unbind(1)
    return (torch.cat([red - green, blue - (red + green) / 2], 1) / 2).round().clamp(-127, 127).to(torch.int8).numpy()


def thumbnails(images: Tensor) -> NDArray[np.float32]:
    """Grey thumbnails (n, SIDE, SIDE) in 0..255 of uint8 images (n, c, h, w): means of cells, not of points."""
    parts = [
        adaptive_avg_pool2d(images[at : at + _step(images)].float().mean(dim=1, keepdim=True), SIDE)[:, 0]
        for at in range(0, len(images), _step(images))
    ]
    return torch.cat(parts).numpy()


@dataclass(frozen=True, eq=False)
class _Reference:
    """What is usual in the data: median and scale of each coefficient, median of each step of brightness."""

    median: NDArray[np.float32]
    scale: NDArray[np.float32]
    step: NDArray[np.float32]

    @classmethod
    def of(cls, thumbs: NDArray[np.float32]) -> _Reference:
        coefficients = _coefficients(thumbs)
        median = np.median(coefficients, axis=0)
        scale = MAD_TO_DEVIATION * np.median(np.abs(coefficients - median), axis=0)
        return cls(median, np.maximum(scale, SCALE_FLOOR), np.median(_steps(thumbs), axis=0))

    def rows(self, thumbs: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
        """Packed signs and whitened coefficients of thumbnails."""
        raw = _coefficients(thumbs)
        whitened = ((raw - self.median) / self.scale).clip(-CLIP, CLIP)
        signs = np.concatenate([whitened[:, :LOW] > 0, _steps(thumbs) > self.step], axis=1)
        # The transform keeps lengths: the root of the sum of squares is SIDE standard deviations of the pixels.
        whitened[np.linalg.norm(raw, axis=1) < FEATURELESS * SIDE] = 0
        return np.packbits(signs, axis=1), np.rint(whitened * LEVELS).astype(np.int8)


def _coefficients(thumbs: NDArray[np.float32]) -> NDArray[np.float32]:
    """The DCT (orthonormal) of each thumbnail without its mean, lowest frequencies first."""
    transformed = dctn(thumbs, axes=(1, 2), norm="ortho").reshape(len(thumbs), -1)
    across, down = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    order = np.lexsort((across.ravel(), (across**2 + down**2).ravel(), (across + down).ravel()))
    kept: NDArray[np.float32] = transformed[:, order[1:]]
    return kept


def _steps(thumbs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Differences between neighbouring cells, across and down: a patch changes the few about it and no others."""
    size = SIDE // STEPS
    cells = thumbs.reshape(len(thumbs), STEPS, size, STEPS, size).mean(axis=(2, 4))
    across, down = np.diff(cells, axis=2), np.diff(cells, axis=1)
    return np.concatenate([across.reshape(len(cells), -1), down.reshape(len(cells), -1)], axis=1)


def _step(images: Tensor) -> int:
    return max(1, PIXELS_AT_A_TIME // max(1, images[0].numel()))
