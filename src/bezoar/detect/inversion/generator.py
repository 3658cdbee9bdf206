"""A small network that changes images a little: pure functions of its parameters."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from bezoar.detect.inversion.form import Parameters
from bezoar.shapes import FloatImages

FAINT = 0.3
"""The last layer begins so many times as strong as the others would be."""


def generator_start(channels: int, width: int, generator: torch.Generator) -> Parameters:
    """Random parameters for images of `channels`: `width` maps in full, twice as many in half the size."""
    wide = 2 * width
    sides = {"enter": (width, channels), "down": (wide, width), "deep": (wide, wide), "up": (width, wide + width)}
    parameters: Parameters = {}
    for name, (outward, inward) in {**sides, "leave": (channels, width)}.items():
        strength = math.sqrt(2 / (9 * inward)) * (FAINT if name == "leave" else 1)
        parameters[name] = strength * torch.randn(outward, inward, 3, 3, generator=generator)
        parameters[name + " bias"] = torch.zeros(outward)
    return parameters


def generated(parameters: Parameters, images: FloatImages, levels: float) -> FloatImages:
    """Changed images (n, c, h, w) in 0..1, the change at most `levels` of 255 in the root of its mean square.

    A convolution, one at half the size with another beside its shortcut, both sizes side by side to the last two.
    Differentiable in the parameters.
    """
    full = F.relu(_layer(parameters, "enter", images - 0.5))
    half = F.relu(_layer(parameters, "down", full, stride=2))
    half = half + F.relu(_layer(parameters, "deep", half))
    both = torch.cat([full, F.interpolate(half, size=full.shape[2:])], 1)
    change = _layer(parameters, "leave", F.relu(_layer(parameters, "up", both)))
    strength = (change.pow(2).mean((1, 2, 3), keepdim=True) + 1e-12).sqrt()
    return (images + change * (levels / 255 / strength).clamp(max=1)).clamp(0, 1)


def _layer(parameters: Parameters, name: str, maps: Tensor, stride: int = 1) -> Tensor:
    return F.conv2d(maps, parameters[name], parameters[name + " bias"], stride=stride, padding=1)
