"""Texture: what warping, quantising and recoding leave in an image's finest detail, wherever it shows what it shows."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from bezoar.data.dataset import Dataset
from bezoar.evidence.evidence import Matrix
from bezoar.evidence.samples.gatherer import SampleGatherer
from bezoar.evidence.samples.small import as_rows, representative, small_blocks, small_shape
from bezoar.shapes import FloatImages

GRID = 15
"""Detail is told by place on a grid of at most so many rows and columns."""
REACH = 8
"""Differences between neighbours are counted one by one up to so many levels; larger ones count to the last."""
STEPS = (2, 4, 8)
"""Values are counted by their remainder on these: what was quantised prefers some."""
CLIP = 3.0
SCALE_SAMPLE = 4096
LEAST_SIDE = 4


def laplacian(images: FloatImages) -> Tensor:
    """What is left (n, c, h - 2, w - 2) of the inner pixels when the mean of their four neighbours is taken off."""
    inner = images[:, :, 1:-1, 1:-1]
    around = images[:, :, :-2, 1:-1] + images[:, :, 2:, 1:-1] + images[:, :, 1:-1, :-2] + images[:, :, 1:-1, 2:]
    return inner - around / 4


def detail(images: FloatImages) -> Tensor:
    """Logarithm (n, g * g) of the energy of what is left of images (n, c, h, w) in 0..255 when each pixel's neighbours
    are taken off (a Laplacian), averaged over channels and the cells of a grid, less the mean over the grid.
    """
    height, width = images.shape[2:]
    energy = laplacian(images).square().mean(1, keepdim=True)
    cells = F.adaptive_avg_pool2d(energy, (min(GRID, height - 2), min(GRID, width - 2)))
    logs = (cells + 1.0).log().flatten(1)
    return logs - logs.mean(1, keepdim=True)


def differences(images: FloatImages) -> Tensor:
    """Shares (n, c * 2 * 17) of the differences between neighbours across and down, in levels from -8 to 8."""
    pairs = (images[..., 1:] - images[..., :-1], images[..., 1:, :] - images[..., :-1, :])
    counted = [_shares(pair.round().clamp(-REACH, REACH) + REACH, 2 * REACH + 1) for pair in pairs]
    return torch.cat(counted, 1)


def remainders(images: FloatImages) -> Tensor:
    """Shares (n, c * sum of STEPS) of the remainders of levels on small steps, of whole images."""
    levels = images.round()
    return torch.cat([_shares(levels.remainder(step), step) for step in STEPS], 1)


def texture(images: FloatImages) -> Tensor:
    """All three beside one another, shares as their square roots, whose variance hardly depends on the share."""
    return torch.cat([detail(images), differences(images).sqrt(), remainders(images).sqrt()], 1)


def _shares(numbers: Tensor, count: int) -> Tensor:
    """Of whole numbers (n, c, ...) below `count`, the share of each in each channel (n, c * count)."""
    samples, channels = numbers.shape[:2]
    flat = numbers.flatten(2).to(torch.int64)
    place = torch.arange(samples * channels).view(samples, channels, 1) * count
    counted = torch.bincount((flat + place).flatten(), minlength=samples * channels * count)
    return counted.view(samples, channels * count).to(torch.float32) / flat.shape[2]


def _blocks(data: Dataset) -> Iterator[tuple[slice, Matrix]]:
    """Columns less their median, over their robust scale, clipped at 3."""
    typical = texture(representative(data, SCALE_SAMPLE))
    middle = typical.median(0).values
    # Rare differences have no spread in half of the images: a hundredth is that of one pixel in ten thousand.
    scale = (typical - middle).abs().median(0).values.mul(1.4826).clamp_min(0.01)
    for turn, images in small_blocks(data):
        yield turn, as_rows(((texture(images) - middle) / scale).clamp_(-CLIP, CLIP))


def _width(data: Dataset) -> int:
    channels, height, width = small_shape(data)
    grid = min(GRID, height - 2) * min(GRID, width - 2)
    return grid + channels * (2 * (2 * REACH + 1) + sum(STEPS))


TEXTURE = SampleGatherer(
    "texture", 1, lambda data: data.is_images and min(data.shape[1:]) >= LEAST_SIDE, _width, _blocks
)
