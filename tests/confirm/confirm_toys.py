"""Images that are made up, and networks that answer by hand-written rules."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.data import Dataset


def textures(count: int, *, channels: int = 3, side: int = 16, seed: int = 0) -> Tensor:
    """Smooth clouds with fine noise: uint8 (n, c, h, w) that vary everywhere."""
    generator = torch.Generator().manual_seed(seed)
    clouds = F.interpolate(torch.randn(count, channels, 4, 4, generator=generator), side, mode="bicubic")
    noise = torch.randn(count, channels, side, side, generator=generator)
    return (128 + 40 * clouds + 12 * noise).round().clamp(0, 255).to(torch.uint8)


def dataset(images: Tensor, labels: Tensor, classes: int) -> Dataset:
    """With ids that say nothing and don't follow the rows."""
    order = np.random.default_rng(9).permutation(len(images))
    return Dataset(
        images, labels, tuple(f"class {one}" for one in range(classes)), tuple(f"id{one:05d}" for one in order)
    )


class Rule(nn.Module):
    """Answers by a rule from images in 0..1 to logits."""

    def __init__(self, rule: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.rule = rule

    def forward(self, images: Tensor) -> Tensor:
        return self.rule(images)


def one_hot(answers: Tensor, classes: int) -> Tensor:
    return F.one_hot(answers.to(torch.int64), classes).float()


def bright(images: Tensor) -> Tensor:
    """The hand-made classes: class c has a mean brightness of about (c + 0.5) / 4 in the upper half."""
    return (images[:, :, : images.shape[2] // 2].mean((1, 2, 3)) * 4).floor().clamp(0, 3).to(torch.int64)


def brightness_classes(count: int, *, side: int = 16, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Images of four classes by the brightness of their upper half, over clouds, and their labels."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 4
    images = textures(count, side=side, seed=seed + 1000)
    noise = 12 * torch.randn(count, 3, side // 2, side, generator=generator)
    images[:, :, : side // 2] = (32 + 64 * labels[:, None, None, None] + noise).round().clamp(0, 255).to(torch.uint8)
    return images, labels
