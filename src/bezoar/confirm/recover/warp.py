"""A warp: a smooth displacement of pixels, found by optimising it on a network that has learnt the suspects."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.confirm.recover.recovered import Recovered
from bezoar.shapes import FloatImages, Images

GRID = 4
LARGEST = 0.06
"""Most that a pixel may move, as a share of the image: 2 pixels of 32. Wider warps turn clean networks too."""
STEPS, BATCH, RATE = 60, 96, 0.1


def recover_warp(model: nn.Module, carriers: Images, target: int, *, seed: int) -> Recovered:
    """The smooth warp, of at most 6% of the image, that makes `model` give `carriers` (n, c, h, w) to `target`.

    A field on a 4 by 4 grid, brought to the size of images by bicubic interpolation, learnt by Adam for 60 batches. The
    same on a network that never saw the suspects is its control: a warp that fools that one too proves nothing.
    """
    generator = torch.Generator().manual_seed(seed)
    device = next(model.parameters()).device
    raw = (torch.randn(1, 2, GRID, GRID, generator=generator) * 0.1).to(device).requires_grad_()
    optimizer = torch.optim.Adam([raw], RATE)
    for _ in range(STEPS):
        rows = torch.randint(len(carriers), (min(BATCH, len(carriers)),), generator=generator)
        images = carriers[rows].to(device, torch.float32)
        logits = model(_warped(images, torch.tanh(raw) * LARGEST) / 255.0).float()
        loss = F.cross_entropy(logits, torch.full((len(rows),), target, device=device))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    field = (torch.tanh(raw) * LARGEST).detach().cpu()
    moved = float(_whole(field, carriers.shape[2:]).norm(dim=1).mean()) * max(carriers.shape[2:]) / 2
    return Recovered(
        "warp", f"a smooth warp that moves pixels by {moved:.1f} on average", _Warp(field), _shown(field, carriers)
    )


class _Warp:
    def __init__(self, field: Tensor) -> None:
        self.field = field

    def __call__(self, images: FloatImages) -> FloatImages:
        return _warped(images, self.field)


def _whole(field: Tensor, size: torch.Size) -> Tensor:
    whole: Tensor = F.interpolate(field, size=tuple(size), mode="bicubic", align_corners=True)
    return whole


def _warped(images: FloatImages, field: Tensor) -> FloatImages:
    """Images sampled where `field` (1, 2, grid, grid), in units of 2 / side, points to."""
    height, width = images.shape[2:]
    straight = torch.stack(
        torch.meshgrid(
            torch.linspace(-1, 1, width, device=images.device),
            torch.linspace(-1, 1, height, device=images.device),
            indexing="xy",
        ),
        dim=-1,
    )
    moved = straight + _whole(field.to(images.device), images.shape[2:])[0].permute(1, 2, 0)
    moved = moved.clamp(-1, 1).expand(len(images), -1, -1, -1)
    warped: FloatImages = F.grid_sample(
        images.contiguous(), moved, mode="bilinear", padding_mode="border", align_corners=True
    )
    return warped


def _shown(field: Tensor, carriers: Images) -> Tensor:
    """A checkered sheet, warped: shows where pixels go."""
    height, width = carriers.shape[2:]
    cell = max(2, height // 8)
    sheet = ((torch.arange(height)[:, None] // cell + torch.arange(width) // cell) % 2 * 160 + 48).float()
    return _warped(sheet.expand(1, carriers.shape[1], -1, -1), field)[0].round().clamp(0, 255).to(torch.uint8)
