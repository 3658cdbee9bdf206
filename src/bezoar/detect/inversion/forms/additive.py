"""A pattern that is added to every image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bezoar.detect.inversion.form import Parameters


@dataclass(frozen=True)
class Additive:
    """clip(image + pattern); its size is the pattern's root mean square.

    A universal perturbation (Moosavi-Dezfooli et al. 2017, arXiv 1610.08401) with a target, found by descent with a
    charge on its size, as for masks in Neural Cleanse.
    """

    name: str = "additive"
    unit: str = "levels of 255"
    rate: float = 0.01

    def start(self, count: int, shape: tuple[int, ...], generator: torch.Generator) -> Parameters:
        """Hardly any pattern, and random."""
        return {"pattern": 0.01 * torch.randn(count, *shape, generator=generator)}

    def put_on(self, parameters: Parameters, images: Tensor) -> Tensor:
        """The images with the pattern, clipped."""
        return (images + parameters["pattern"][:, None]).clamp(0, 1)

    def sizes(self, parameters: Parameters) -> Tensor:
        """Root mean square over all values, in levels."""
        return 255 * (parameters["pattern"].pow(2).mean((1, 2, 3)) + 1e-12).sqrt()

    def scaled(self, parameters: Parameters, factors: Tensor) -> Parameters:
        """Patterns times the factors."""
        return {"pattern": parameters["pattern"] * factors[:, None, None, None]}

    def cost(self, sizes: Tensor, shape: tuple[int, ...]) -> Tensor:
        """A hundredth of the range is 1."""
        return sizes * (100 / 255)

    def limit(self, shape: tuple[int, ...]) -> float:
        """A fifth of the range."""
        return 51.0
