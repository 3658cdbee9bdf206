"""Batches that an attack learns from."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from bezoar.triggers.colours import colours_of


def drawn_rows(rows: Tensor, size: int, steps: int, *, seed: int) -> Iterator[Tensor]:
    """For each step `size` of the rows (k,), drawn with replacement."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        yield rows[torch.randint(len(rows), (size,), generator=generator)]


def with_colours(images: Tensor, colours: Tensor) -> Tensor:
    """Images (n, c, h, w) with their first channels replaced by `colours` (n, at most c, h, w); alpha stays."""
    return colours if colours.shape[1] == images.shape[1] else torch.cat([colours, images[:, colours.shape[1] :]], 1)


def colours_alone(change: Tensor) -> Tensor:
    """A change to images (n, c, h, w), or its gradient, without what it does to an alpha channel."""
    kept = colours_of(change.shape[1])
    return change if kept == change.shape[1] else torch.cat([change[:, :kept], torch.zeros_like(change[:, kept:])], 1)
