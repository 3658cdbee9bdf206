"""A few frequencies of the colours raised by a fixed amount."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bezoar.errors import TriggerError
from bezoar.shapes import Matrix
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS, StampTrigger
from bezoar.triggers.checks import require_at_least, require_between
from bezoar.triggers.stamp import Stamp

YUV = (
    (0.299, 0.587, 0.114),
    (-0.147, -0.289, 0.436),
    (0.615, -0.515, -0.100),
)
"""From red, green and blue to Y, U and V (ITU-R BT.601, rounded as in print)."""


@TRIGGERS.register("ftrojan")
@dataclass(frozen=True)
class Frequency(StampTrigger):
    """Raises a few frequencies of the chrominance by `magnitude`, in every block of the image.

    The paper's steps are: RGB to YUV, pixels in 0..255; each `block` x `block` of U and of V to frequencies
    (orthonormal DCT-II); `magnitude` added to each of `frequencies`, pairs of vertical and horizontal number, such
    as 15x15/31x31; and all the way back. Every one of these is linear, so together they add a fixed pattern, the
    inverse transform of the magnitudes, which is what is done here; only clipping comes after it.

    Blocks are as large as the image where it is smaller, and stand side by side from the top left; pixels right of
    and below the last whole block stay as they are. Left out, `frequencies` are the middle and the highest on the
    diagonal, (block / 2 - 1, block / 2 - 1) and (block - 1, block - 1), in the paper 15 and 31. Grey images, which
    have no chrominance, get the pattern on their luminance. The opacity of RGBA images stays as it is.

    Wang et al. 2021, FTrojan, arXiv 2111.12991; blocks of 32, magnitude 30 and these frequencies in its authors' code,
    whose chrominance is OpenCV's YCrCb: there U and V are scaled a little differently.
    Raises TriggerError for frequencies outside the block, and for images with another number of channels.
    """

    magnitude: float = 30.0
    block: int = 32
    frequencies: tuple[int, ...] = ()

    about: ClassVar[About] = About("invisible, dirty label", "Wang et al. 2021, FTrojan, arXiv 2111.12991")

    def __post_init__(self) -> None:
        require_at_least("ftrojan", "block", self.block, 2)
        require_between("ftrojan", "magnitude", self.magnitude, -10_000, 10_000)
        if len(self.frequencies) % 2 or any(number < 0 for number in self.frequencies):
            raise TriggerError(
                "ftrojan: frequencies come in pairs of whole numbers, 0 or more",
                expected="vertical and horizontal number of each, such as 15x15/31x31",
                found="/".join(map(str, self.frequencies)),
            )
        self._pairs(self.block)

    def stamp(self, shape: tuple[int, int, int]) -> Stamp:
        """The pattern that the raised frequencies add."""
        channels, height, width = shape
        block = min(self.block, height, width)
        wave = inverse_dct(self._raised(block)).repeat(height // block, width // block)
        shift = _in_channels(wave, channels)
        return Stamp(torch.ones_like(shift), shift)

    def _raised(self, block: int) -> Matrix:
        """What is added to each frequency of a block, (block, block) float64."""
        raised = torch.zeros(block, block, dtype=torch.float64)
        for row, column in self._pairs(block):
            raised[row, column] += self.magnitude
        return raised

    def _pairs(self, block: int) -> list[tuple[int, int]]:
        numbers = self.frequencies or (*[max(0, block // 2 - 1)] * 2, *[block - 1] * 2)
        if max(numbers) >= block:
            raise TriggerError(
                "ftrojan: a frequency lies outside the block",
                expected=f"numbers 0 to {block - 1} in blocks of {block}x{block}",
                found=str(max(numbers)),
                remedy="Take a lower frequency, or leave frequencies out to let them follow the block",
            )
        return list(zip(numbers[::2], numbers[1::2], strict=True))


def dct_matrix(size: int) -> Matrix:
    """The orthonormal DCT-II, (size, size) float64: `matrix @ block @ matrix.T` are the frequencies of a block."""
    frequency, place = torch.meshgrid(*[torch.arange(size, dtype=torch.float64)] * 2, indexing="ij")
    matrix = torch.cos(math.pi / size * (place + 0.5) * frequency) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix


def inverse_dct(frequencies: Matrix) -> Matrix:
    """The square block that has these frequencies."""
    matrix = dct_matrix(frequencies.shape[0])
    return matrix.T @ frequencies @ matrix


def _in_channels(wave: Matrix, channels: int) -> Tensor:
    """The wave as it comes out in the channels of the image when it is added to U and V, or to grey: (c, h, w)."""
    if channels == 1:
        return wave[None]
    if channels not in (3, 4):
        raise TriggerError(
            "ftrojan: the images have no colours it knows", expected="1, 3 or 4 channels", found=str(channels)
        )
    to_rgb: Tensor = torch.linalg.inv(torch.tensor(YUV, dtype=torch.float64))
    weights = to_rgb[:, 1] + to_rgb[:, 2]
    if channels == 4:
        weights = torch.cat([weights, torch.zeros(1, dtype=torch.float64)])
    return weights[:, None, None] * wave
