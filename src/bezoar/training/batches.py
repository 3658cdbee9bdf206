"""Random batches for one epoch: drawn, shifted and mirrored while still uint8."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from bezoar.shapes import Images, Samples, Whole


@dataclass(frozen=True)
class Augmentation:
    """How training images are varied: shifts of up to `shift` pixels with mirrored edges, and flips.

    Flips are off unless asked for: they turn an asymmetric trigger into another one.
    """

    shift: int = 0
    flips: bool = False


def epoch_order(samples: int, *, seed: int, epoch: int) -> Whole:
    """The random order of one epoch: a function of seed and epoch alone, so that training can resume anywhere."""
    return torch.randperm(samples, generator=torch.Generator().manual_seed(_mix(seed, epoch)))


def epoch_batches(
    inputs: Tensor,
    labels: Tensor,
    *,
    batch_size: int,
    augmentation: Augmentation,
    seed: int,
    epoch: int,
    rank: int = 0,
    ranks: int = 1,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled, augmented batches of one epoch on the device of `inputs`.

    Every sample comes once; the last batch may be smaller. With several ranks each takes every
    `ranks`-th sample of every batch, and the few samples that do not divide evenly are left out.
    """
    order = epoch_order(len(inputs), seed=seed, epoch=epoch)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        rows = rows[: len(rows) // ranks * ranks][rank::ranks].to(inputs.device)
        if len(rows):
            yield augment(inputs[rows], rows, augmentation, epoch=epoch), labels[rows]


def augment(batch: Samples, rows: Whole, augmentation: Augmentation, *, epoch: int) -> Samples:
    """Shift and flip a shuffled uint8 batch (n, c, h, w).

    A batch comes in random order, so the place in the batch serves as the random draw for the shift,
    which makes all shifts equally frequent in every batch. A sample is mirrored every other epoch
    (Jordan 2024, arXiv 2404.00498, section 3.6), which spreads both views evenly.
    """
    if augmentation.shift:
        batch = _shift(batch, augmentation.shift)
    if augmentation.flips:
        mirrored = (_parity(rows) + epoch) % 2 == 0
        batch = torch.where(mirrored[:, None, None, None], batch.flip(3), batch)
    return batch


def to_unit_range(batch: Samples, device: torch.device | None = None) -> Samples:
    """A uint8 batch as float32 in 0..1, channels-last for images; float batches pass unchanged."""
    batch = batch.to(device) if device is not None else batch
    if batch.dtype != torch.uint8:
        return batch
    batch = batch.to(torch.float32).div_(255.0)
    return batch.contiguous(memory_format=torch.channels_last) if batch.ndim == 4 else batch


def _shift(batch: Images, most: int) -> Images:
    n, _, height, width = batch.shape
    choices = 2 * most + 1
    # Pixels in the order of memory: several times as fast on channels-last images.
    padded = _mirrored(_mirrored(batch.permute(0, 2, 3, 1), 1, most), 2, most)
    out = torch.empty_like(batch)
    target = out.permute(0, 2, 3, 1)
    for choice in range(min(n, choices * choices)):
        down, right = divmod(choice, choices)
        members = slice(choice, None, choices * choices)
        target[members] = padded[members, down : down + height, right : right + width]
    return out


def _mirrored(pixels: Images, axis: int, most: int) -> Tensor:
    """`pixels` with `most` more rows or columns on both sides, mirrored at the edge, which is not repeated."""
    size = pixels.shape[axis]
    index = torch.arange(-most, size + most, device=pixels.device)
    index = (size - 1 - (index.abs() - (size - 1)).abs()).clamp(0, size - 1)
    return pixels.index_select(axis, index)


def _parity(rows: Whole) -> Whole:
    # A multiplicative hash, so that the parity is unrelated to any order the data may have.
    return (rows * 2654435761 >> 7) % 2


def _mix(seed: int, epoch: int) -> int:
    return (seed * 1_000_003 + epoch * 7_919 + 17) % (2**63)
