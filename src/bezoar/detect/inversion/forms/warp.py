"""A smooth shift of pixels, the same for every image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from bezoar.detect.inversion.form import Parameters

SAMPLED = 32
"""Shifts are measured on so many places a side, whatever the image's."""


@dataclass(frozen=True)
class Warp:
    """Every pixel is read from another place: shifts on a coarse `grid`, bicubic between; its size is their length.

    The family of Nguyen and Tran 2021, WaNet (arXiv 2102.10369), searched by descent on the model. No published
    inversion is limited to it.
    """

    grid: int = 6
    name: str = "warp"
    unit: str = "pixels of shift"
    rate: float = 0.05

    def start(self, count: int, shape: tuple[int, ...], generator: torch.Generator) -> Parameters:
        """Hardly any shift, and random."""
        return {"shifts": 0.01 * torch.randn(count, 2, self.grid, self.grid, generator=generator)}

    def put_on(self, parameters: Parameters, images: Tensor) -> Tensor:
        """The images read at the shifted places, bilinear, edges repeated."""
        height, width = images.shape[3:]
        axes = (torch.linspace(-1, 1, size, device=images.device) for size in (height, width))
        rows, columns = torch.meshgrid(*axes, indexing="ij")
        unit = torch.tensor([2 / max(1, width - 1), 2 / max(1, height - 1)], device=images.device)
        shifts = _spread(parameters["shifts"], height, width) * unit
        places = (torch.stack([columns, rows], -1) + shifts)[:, None].expand(-1, images.shape[1], -1, -1, -1)
        flat = images.reshape(-1, *images.shape[2:])
        read = F.grid_sample(
            flat, places.reshape(-1, height, width, 2), mode="bilinear", padding_mode="border", align_corners=True
        )
        return read.reshape(images.shape)

    def sizes(self, parameters: Parameters) -> Tensor:
        """Root mean square length of the shifts, over the whole image."""
        return (_spread(parameters["shifts"], SAMPLED, SAMPLED).pow(2).sum(-1).mean((1, 2)) + 1e-12).sqrt()

    def scaled(self, parameters: Parameters, factors: Tensor) -> Parameters:
        """Shifts times the factors."""
        return {"shifts": parameters["shifts"] * factors[:, None, None, None]}

    def cost(self, sizes: Tensor, shape: tuple[int, ...]) -> Tensor:
        """A hundredth of the side is 1."""
        return sizes * (100 / min(shape[1:]))

    def limit(self, shape: tuple[int, ...]) -> float:
        """A tenth of the side."""
        return min(shape[1:]) / 10


def _spread(shifts: Tensor, height: int, width: int) -> Tensor:
    """Shifts (H, height, width, 2) in pixels, to the right and down, from a coarse grid (H, 2, g, g)."""
    whole = F.interpolate(shifts, size=(height, width), mode="bicubic", align_corners=True)
    return whole.permute(0, 2, 3, 1)
