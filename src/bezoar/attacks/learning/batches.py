"""Batches that an attack learns from."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


def drawn_rows(rows: Tensor, size: int, steps: int, *, seed: int) -> Iterator[Tensor]:
    """For each step `size` of the rows (k,), drawn with replacement."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        yield rows[torch.randint(len(rows), (size,), generator=generator)]


def with_colours(images: Tensor, colours: Tensor) -> Tensor:
    """Images (n, c, h, w) with their first channels replaced by `colours` (n, at most c, h, w); alpha stays."""
    return colours if colours.shape[1] == images.shape[1] else torch.cat([colours, images[:, colours.shape[1] :]], 1)
