"""Spectral residuals: the cosine transform of each image, without what is lowest and without contrast."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.fft import dct
from torch import Tensor

from bezoar.data.dataset import Dataset
from bezoar.evidence.evidence import Matrix
from bezoar.evidence.samples.gatherer import SampleGatherer
from bezoar.evidence.samples.small import as_rows, representative, small_blocks, small_shape
from bezoar.shapes import FloatImages

LOWEST = 3
"""Coefficients (u, v) with u + v below this are left out: they tell what an image shows, not what was done to it."""
CLIP = 3.0
SCALE_SAMPLE = 4096
LEAST_SIDE = 4


def spectral_residuals(images: FloatImages) -> Tensor:
    """Coefficients (n, c, kept) of the orthonormal DCT-II of images (n, c, h, w), each image divided by the mean
    absolute value of its own, so that a faint image counts as much as a harsh one.
    """
    height, width = images.shape[2:]
    coefficients = (_transform(height) @ images @ _transform(width).T).flatten(2)[:, :, _kept(height, width)]
    scale = coefficients.abs().mean((1, 2), keepdim=True)
    return coefficients / scale.clamp_min(1e-3)


def _blocks(data: Dataset) -> Iterator[tuple[slice, Matrix]]:
    """Residuals over the robust scale of their column, clipped at 3: one odd coefficient shall not outweigh many."""
    typical = spectral_residuals(representative(data, SCALE_SAMPLE)).flatten(1)
    scale = typical.abs().median(0).values.mul(1.4826).clamp_min(1e-6)
    for turn, images in small_blocks(data):
        yield turn, as_rows((spectral_residuals(images).flatten(1) / scale).clamp_(-CLIP, CLIP))


def _width(data: Dataset) -> int:
    channels, height, width = small_shape(data)
    return channels * int(_kept(height, width).sum())


def _kept(height: int, width: int) -> Tensor:
    return (torch.arange(height)[:, None] + torch.arange(width) >= LOWEST).flatten()


def _transform(size: int) -> Tensor:
    return torch.from_numpy(dct(np.eye(size), norm="ortho", axis=0)).to(torch.float32)


SPECTRUM = SampleGatherer(
    "spectrum", 1, lambda data: data.is_images and min(data.shape[1:]) >= LEAST_SIDE, _width, _blocks
)
