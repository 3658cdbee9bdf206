"""Where in a map a network looks, whatever its channels: what neural attention distillation compares."""

from __future__ import annotations

import torch
from torch import Tensor

from bezoar.shapes import FloatImages, Matrix

SMALLEST = 1e-12
"""A map that is zero everywhere has no direction; it stays zero."""


def attention_map(features: FloatImages, power: float = 2.0) -> Matrix:
    """The attention of each sample over the places of a map: (n, c, h, w) to (n, h * w), every row of length 1.

    The sum over channels of the absolute values to the `power` (Li et al. 2021, arXiv 2101.05930, section 3.2).
    """
    places = features.abs().pow(power).sum(1).flatten(1)
    lengths = torch.linalg.vector_norm(places, dim=1, keepdim=True)
    attention: Tensor = places / lengths.clamp_min(SMALLEST)
    return attention


def attention_distance(student: FloatImages, teacher: FloatImages, power: float = 2.0) -> Tensor:
    """Mean over samples of the squared distance of two attention maps, 0 to 2. The maps have the same h and w.

    Deviation: squared, where the paper takes the distance itself, whose slope at zero is not defined.
    """
    difference = attention_map(student, power) - attention_map(teacher, power)
    return difference.square().sum(1).mean()
