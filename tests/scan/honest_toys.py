"""Smooth random pictures, of which no two look alike."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate


def pictures(n: int, *, side: int = 32, channels: int = 3, seed: int = 0) -> Tensor:
    """uint8 (n, channels, side, side): coarse and fine random structure, laid over each other."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(n, channels, side, side)
    for cells, weight in ((4, 40.0), (8, 25.0), (16, 15.0)):
        noise = torch.randn(n, 1, cells, cells, generator=generator) * weight
        noise = noise + torch.randn(n, channels, cells, cells, generator=generator) * weight / 3
        total += interpolate(noise, size=(side, side), mode="bilinear", align_corners=False)
    return (total + 128).clamp(0, 255).round().to(torch.uint8)


def counter_ids(n: int) -> tuple[str, ...]:
    return tuple(f"{number:016x}#0" for number in range(n))


def changed(images: Tensor, by: str) -> Tensor:
    """What may happen to a copy."""
    values = images.float()
    if by == "patch":
        size = images.shape[2] // 8
        values[:, :, -size - 1 : -1, -size - 1 : -1] = 255
    elif by == "blend":
        values = 0.8 * values + 0.2 * torch.rand(values.shape[1:], generator=torch.Generator().manual_seed(9)) * 255
    elif by == "brighter":
        values = values * 1.1 + 8
    elif by == "noise":
        values += torch.from_numpy(np.random.default_rng(5).normal(0, 6, values.shape)).float()
    return values.clamp(0, 255).round().to(torch.uint8)
