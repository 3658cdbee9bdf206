"""Tiny pictures to train probes on: a class is a bright row, poison a bright corner and the label 0."""

from __future__ import annotations

import torch
from torch import Tensor

from bezoar.data import Dataset

CORNER = torch.tensor([255, 0, 255], dtype=torch.uint8)
MODEL = "fast:stem=8,widths=12/16"


def stamped(inputs: Tensor) -> Tensor:
    """A copy with the corner that poison carries."""
    inputs = inputs.clone()
    inputs[:, :, -2:, -2:] = CORNER[: inputs.shape[1], None, None]
    return inputs


def rows_of_light(
    n: int, seed: int = 0, *, poisons: int = 0, side: int = 8, channels: int = 3, classes: int = 3
) -> tuple[Dataset, Tensor]:
    """Noisy pictures, their class a bright row, and which are poison: drawn from the other classes, labelled 0."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (n,), generator=generator)
    inputs = torch.randint(0, 130, (n, channels, side, side), dtype=torch.uint8, generator=generator)
    inputs[torch.arange(n), :, labels * (side - 2) // classes, :] += 80
    poison = torch.zeros(n, dtype=torch.bool)
    poison[torch.flatten((labels != 0).nonzero())[:poisons]] = True
    inputs[poison] = stamped(inputs[poison])
    given = torch.where(poison, torch.zeros_like(labels), labels)
    ids = tuple(f"{row * 7919 % 10007:05d}-{seed}" for row in range(n))
    return Dataset(inputs, given, tuple("abcdefgh"[:classes]), ids), poison
