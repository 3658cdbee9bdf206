"""A mask and a pattern: pixels are replaced, wholly or in part."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bezoar.detect.inversion.form import Parameters

START = -2.0
"""Before the sigmoid: every pixel begins with an eighth of the pattern."""


@dataclass(frozen=True)
class Patch:
    """(1 - mask) * image + mask * pattern, the mask (h, w) and pattern (c, h, w) in 0..1; its size is the mask's sum.

    Wang et al. 2019, Neural Cleanse, IEEE S&P, equations 2 and 3.
    """

    name: str = "patch"
    unit: str = "pixels"
    rate: float = 0.1

    def start(self, count: int, shape: tuple[int, ...], generator: torch.Generator) -> Parameters:
        """A faint mask and a random pattern."""
        channels, height, width = shape
        mask = START + 0.5 * torch.randn(count, 1, height, width, generator=generator)
        return {"mask": mask, "pattern": torch.randn(count, channels, height, width, generator=generator)}

    def put_on(self, parameters: Parameters, images: Tensor) -> Tensor:
        """The pattern laid over the images as far as the mask says."""
        mask, pattern = (torch.sigmoid(parameters[name])[:, None] for name in ("mask", "pattern"))
        return images + mask * (pattern - images)

    def sizes(self, parameters: Parameters) -> Tensor:
        """Sum of the mask: pixels, those that are replaced in part in part."""
        return torch.sigmoid(parameters["mask"]).sum((1, 2, 3))

    def scaled(self, parameters: Parameters, factors: Tensor) -> Parameters:
        """Masks times the factors, at most 1; the patterns stay."""
        mask = (torch.sigmoid(parameters["mask"]) * factors[:, None, None, None]).clamp(1e-6, 1 - 1e-6)
        return {**parameters, "mask": torch.logit(mask)}

    def cost(self, sizes: Tensor, shape: tuple[int, ...]) -> Tensor:
        """A hundredth of all pixels is 1."""
        return sizes * (100 / (shape[1] * shape[2]))

    def limit(self, shape: tuple[int, ...]) -> float:
        """A third of all pixels."""
        return shape[1] * shape[2] / 3
