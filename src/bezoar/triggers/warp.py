"""A smooth elastic warp of the image, too small to be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from bezoar.errors import TriggerError
from bezoar.shapes import Images
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS, ImageTrigger
from bezoar.triggers.checks import require_at_least, require_between
from bezoar.triggers.colours import colours_of
from bezoar.triggers.placement import image_draws

PAPERS_GRID = 4

BLOCK_VALUES = 1 << 18
"""Pixels warped at a time, so that they stay within a processor's cache."""


@TRIGGERS.register("wanet")
@dataclass(frozen=True)
class Warp(ImageTrigger):
    """Warps every image by the same smooth field, which moves its pixels by a fraction of a pixel.

    The field has `grid` x `grid` control points, each with two numbers drawn uniformly in -1..1 from `seed`, all
    divided by their mean absolute value and enlarged (bicubic, corners on corners) to the image's size. Times
    `strength` / image height it is added to the places of the pixels, on a scale of -1..1 across the image; these
    are multiplied by `grid_rescale`, clipped to -1..1, and the image is read there (bilinear). So a strength of
    0.5 moves a control point by a quarter of a pixel on average. The opacity of RGBA images stays as it is.

    With `noise`, every pixel of every image is moved further, by up to `noise` / image height on the same scale,
    drawn from `seed` and the image's content. That is the paper's noise mode (1 there), for covers, not a trigger.

    Nguyen and Tran 2021, WaNet, arXiv 2102.10369, with its settings as defaults. Deviation: there the noise is
    drawn anew in every batch. Raises TriggerError for fields out of range.
    """

    grid: int = PAPERS_GRID
    strength: float = 0.5
    grid_rescale: float = 1.0
    noise: float = 0.0
    seed: int = 0

    about: ClassVar[About] = About("invisible, dirty label", "Nguyen and Tran 2021, WaNet, arXiv 2102.10369")
    adds_pattern: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_at_least("wanet", "grid", self.grid, 2)
        require_between("wanet", "strength", self.strength, 0, 100)
        require_between("wanet", "grid_rescale", self.grid_rescale, 0.5, 2)
        require_between("wanet", "noise", self.noise, 0, 100)
        require_at_least("wanet", "seed", self.seed, 0)
        if self.strength == 0 and self.noise == 0 and self.grid_rescale == 1:
            raise TriggerError("wanet: a strength of 0 moves no pixel", remedy="Give a strength, such as 0.5")

    def apply(self, images: Images) -> Images:
        """Warp the images in place, some at a time."""
        colours = images[:, : colours_of(images.shape[1])]
        working = torch.float64 if images.dtype == torch.float64 else torch.float32
        places = self.places(images.shape[2], images.shape[3]).to(images.device)
        reader = None if self.noise else ShiftedSum(places, colours.shape[1], working)
        step = max(1, BLOCK_VALUES // colours[0].numel())
        for start in range(0, len(images), step):
            part = slice(start, start + step)
            if reader is not None:
                values = reader.read(colours[part])
            else:
                shaken = self._shaken(places.to(working), images[part])
                values = grid_sample(colours[part].to(working), shaken, padding_mode="border", align_corners=True)
            colours[part] = values.round_() if images.dtype == torch.uint8 else values.clamp_(0, 1)
        return images

    def places(self, height: int, width: int) -> Tensor:
        """Where each pixel is read: (height, width, 2) float64, column then row, -1..1 from first to last pixel.

        Raises TriggerError when there are more control points than pixels, if more than the paper's.
        """
        most = max(PAPERS_GRID, height, width)
        if self.grid > most:
            raise TriggerError(
                "wanet: the grid has more control points than the image has pixels",
                expected=f"grid at most {most} for images {height}x{width}; {PAPERS_GRID} in the paper",
                found=str(self.grid),
            )
        generator = torch.Generator().manual_seed(self.seed)
        control = torch.rand(1, 2, self.grid, self.grid, generator=generator, dtype=torch.float64) * 2 - 1
        control /= control.abs().mean()
        field = interpolate(control, size=(height, width), mode="bicubic", align_corners=True)[0]
        sides = (torch.linspace(-1, 1, length, dtype=torch.float64) for length in (height, width))
        rows, columns = torch.meshgrid(*sides, indexing="ij")
        moved = torch.stack((columns, rows)) + self.strength * field / height
        return (moved * self.grid_rescale).clamp(-1, 1).permute(1, 2, 0)

    def _shaken(self, places: Tensor, images: Images) -> Tensor:
        """The places with noise of each image's own, (n, height, width, 2)."""
        draws = image_draws(images, places.numel(), seed=self.seed).to(places.dtype).view(len(images), *places.shape)
        return draws.mul_(2).sub_(1).mul_(self.noise / places.shape[0]).add_(places).clamp_(-1, 1)


class ShiftedSum:
    """Bilinear reading of many images at the same places, as a sum of shifted images with a weight for each pixel.

    A small warp needs about nine shifts. Shifted images are slices, which costs less than gathering pixels.
    """

    def __init__(self, places: Tensor, channels: int, working: torch.dtype) -> None:
        shifts, weights = _neighbours(places)
        needed = sorted(set(shifts[weights > 0].tolist()))
        planes = [(weights * (shifts == shift)).sum(dim=0).to(working) for shift in needed]
        self.shifts = [shift * channels for shift in needed]
        self.weights = [plane.repeat_interleave(channels) for plane in planes]
        self.reach = max(abs(shift) for shift in self.shifts)

    def read(self, images: Images) -> Tensor:
        """The images (n, c, h, w) as read at the places, in the dtype of the arithmetic, laid out channels-last."""
        samples, channels, height, width = images.shape
        length = channels * height * width
        # Values before the first and after the last are reached with weight 0 only.
        padded = self.weights[0].new_zeros(samples, length + 2 * self.reach)
        inside = padded[:, self.reach : self.reach + length]
        inside.view(samples, height, width, channels).copy_(images.permute(0, 2, 3, 1))
        values: Tensor = self.weights[0].new_zeros(samples, length)
        for shift, weight in zip(self.shifts, self.weights, strict=True):
            start = self.reach + shift
            values.addcmul_(padded[:, start : start + length], weight)
        return values.view(samples, height, width, channels).permute(0, 3, 1, 2)


def _neighbours(places: Tensor) -> tuple[Tensor, Tensor]:
    """The four pixels around each place, as shifts in the flat image, and their weights: each (4, pixels)."""
    height, width = places.shape[:2]
    size = torch.tensor([width, height], device=places.device)
    at = (places.reshape(-1, 2) + 1) / 2 * (size - 1)
    first = at.floor().clamp(max=(size - 2).clamp(min=0))
    right, below = (at - first).unbind(dim=1)
    start = (first[:, 1] * width + first[:, 0]).long() - torch.arange(height * width, device=places.device)
    shifts = torch.stack([start, start + 1, start + width, start + width + 1])
    weights = torch.stack([(1 - below) * (1 - right), (1 - below) * right, below * (1 - right), below * right])
    return shifts, weights
