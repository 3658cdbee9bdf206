"""Images brought to a size at which statistics over all pixels are affordable."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

from bezoar.data.dataset import Dataset
from bezoar.evidence.evidence import Matrix
from bezoar.shapes import FloatImages, Images

SIDE = 32
"""Sides above this are averaged down to it: 3,072 columns for colour is what a covariance affords in seconds."""

ROWS = 2048


def small_shape(data: Dataset) -> tuple[int, int, int]:
    """Channels, rows and columns of the data's images once they are small; an alpha channel is left out."""
    channels, height, width = data.shape
    return (3 if channels == 4 else channels, min(height, SIDE), min(width, SIDE))


def small(images: Images, shape: tuple[int, int, int]) -> FloatImages:
    """uint8 images (n, c, h, w) as float32 in 0..255 of `shape`, averaged over areas where they are larger."""
    floats = images[:, : shape[0]].to(torch.float32)
    if tuple(floats.shape[2:]) == shape[1:]:
        return floats.contiguous()
    return F.interpolate(floats, size=shape[1:], mode="area")


def small_blocks(data: Dataset) -> Iterator[tuple[slice, FloatImages]]:
    """Small images of consecutive rows, 2,048 at a time."""
    shape = small_shape(data)
    for start in range(0, len(data), ROWS):
        turn = slice(start, min(start + ROWS, len(data)))
        yield turn, small(data.inputs[turn], shape)


def representative(data: Dataset, count: int) -> FloatImages:
    """Small images of at most `count` samples, the same ones in the same order whatever the order of the rows."""
    rows = np.argsort(np.array(data.ids))[: min(count, len(data))]
    return small(data.inputs[torch.from_numpy(rows)], small_shape(data))


def as_rows(images: FloatImages) -> Matrix:
    """Images (n, c, h, w) as rows (n, c * h * w)."""
    rows: Matrix = images.flatten(1).numpy()
    return rows
