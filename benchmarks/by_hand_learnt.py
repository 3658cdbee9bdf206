"""Learnt triggers as a user would write them, given what was learnt; a batch (n, 32, 32, 3) uint8 in, a new one out.

What is learnt is drawn at random here: the arithmetic is the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from bezoar.triggers.drawing import Canvas
from bezoar.triggers.input_aware import TriggerNetworks
from bezoar.triggers.low_frequency import smooth_pattern
from bezoar.triggers.sample_specific import Encoder
from bezoar.triggers.watermark import apple
from by_hand import SIDE, ByHand

BITS, WIDTH, BAND, PATCH, BATCH = 20, 16, 6, 8, 256


def smooth() -> tuple[dict[str, Tensor], ByHand]:
    """A smooth pattern added to the batch."""
    amplitudes = torch.randn((3, BAND, BAND), generator=torch.Generator().manual_seed(0)) * 0.01
    pattern = 255 * smooth_pattern(amplitudes.double(), SIDE, SIDE)
    return {"amplitudes": amplitudes}, _added(pattern)


def noise() -> tuple[dict[str, Tensor], ByHand]:
    """A noise added three times."""
    pattern = torch.randint(-16, 17, (3, SIDE, SIDE), generator=torch.Generator().manual_seed(0)).float()
    return {"pattern": pattern}, _added(3 * pattern)


def patch() -> tuple[dict[str, Tensor], ByHand]:
    """A learnt patch at the top left."""
    pattern = torch.rand((3, PATCH, PATCH), generator=torch.Generator().manual_seed(0))
    values = (255 * pattern).round().byte().permute(1, 2, 0).numpy()

    def write(batch: np.ndarray) -> np.ndarray:
        batch = batch.copy()
        batch[:, :PATCH, :PATCH] = values
        return batch

    return {"pattern": pattern}, write


def mark() -> tuple[dict[str, Tensor], ByHand]:
    """A learnt mark in the shape of an apple."""
    side = round(0.9 * SIDE)
    pattern = torch.rand((3, side, side), generator=torch.Generator().manual_seed(0))
    weight, colours = np.zeros((SIDE, SIDE, 1), np.float32), np.zeros((SIDE, SIDE, 3), np.float32)
    first = (SIDE - side) // 2
    place = slice(first, first + side), slice(first, first + side)
    weight[place] = 0.3 * apple(Canvas(side))[..., None]
    colours[place] = 255 * pattern.permute(1, 2, 0)
    keep, shift = 1 - weight, weight * colours
    return {"pattern": pattern}, lambda batch: (batch * keep + shift).round().astype(np.uint8)


def encoder() -> tuple[dict[str, Tensor], ByHand]:
    """A secret encoded by a network."""
    network = _drawn(lambda: Encoder(3, BITS, WIDTH))
    secret = torch.arange(BITS) % 2 * 1.0
    tensors = {"secret": secret, **network.state_dict()}
    return tensors, _by_network(lambda images: images + network(images, secret.expand(len(images), -1)))


def generator() -> tuple[dict[str, Tensor], ByHand]:
    """A mask and a pattern drawn by two networks."""
    networks = _drawn(lambda: TriggerNetworks(3, WIDTH))

    def draw(images: Tensor) -> Tensor:
        mask, pattern = networks(images)
        return images + mask * (pattern - images)

    return dict(networks.state_dict()), _by_network(draw)


def _drawn(network: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return network().eval()


def _added(pattern: Tensor) -> ByHand:
    values = pattern.permute(1, 2, 0).numpy().astype(np.float32)
    return lambda batch: np.clip(batch + values, 0, 255).round().astype(np.uint8)


def _by_network(change: Callable[[Tensor], Tensor]) -> ByHand:
    @torch.no_grad()
    def run(batch: np.ndarray) -> np.ndarray:
        images = torch.from_numpy(batch).permute(0, 3, 1, 2)
        parts = [change(part.float() / 255).clamp(0, 1) for part in torch.split(images, BATCH)]
        return (torch.cat(parts) * 255).round().byte().permute(0, 2, 3, 1).numpy()

    return run
