"""A change of colours, the same for every pixel of every image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bezoar.detect.inversion.form import Parameters

GREY = 0.5
VARIANCE = 1 / 12
"""Of values spread evenly over 0..1, on which the size of a change is told."""


@dataclass(frozen=True)
class Colours:
    """clip(colour + mixing (colour - grey) + shift); its size is the root mean square of what it changes.

    Twelve numbers for three channels: casts, contrast, brightness, filters of photographs, and what encoders do that
    write a string into an image. Too few numbers to fool a network by anything but colour. Size is told on colours
    spread evenly.
    """

    name: str = "colours"
    unit: str = "levels of 255"
    rate: float = 0.05

    def start(self, count: int, shape: tuple[int, ...], generator: torch.Generator) -> Parameters:
        """Hardly any change, and random."""
        channels = shape[0]
        return {
            "mixing": 0.01 * torch.randn(count, channels, channels, generator=generator),
            "shift": 0.01 * torch.randn(count, channels, generator=generator),
        }

    def put_on(self, parameters: Parameters, images: Tensor) -> Tensor:
        """The images in changed colours, clipped."""
        mixed = torch.einsum("hdc,hbcij->hbdij", parameters["mixing"], images - GREY)
        return (images + mixed + parameters["shift"][:, None, :, None, None]).clamp(0, 1)

    def sizes(self, parameters: Parameters) -> Tensor:
        """Root mean square over channels and evenly spread colours, in levels."""
        squares = parameters["shift"].pow(2).sum(1) + VARIANCE * parameters["mixing"].pow(2).sum((1, 2))
        return 255 * (squares / parameters["shift"].shape[1] + 1e-12).sqrt()

    def scaled(self, parameters: Parameters, factors: Tensor) -> Parameters:
        """Changes times the factors."""
        return {
            "mixing": parameters["mixing"] * factors[:, None, None],
            "shift": parameters["shift"] * factors[:, None],
        }

    def cost(self, sizes: Tensor, shape: tuple[int, ...]) -> Tensor:
        """A hundredth of the range is 1."""
        return sizes * (100 / 255)

    def limit(self, shape: tuple[int, ...]) -> float:
        """Two fifths of the range."""
        return 102.0
