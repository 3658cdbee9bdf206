"""A warp: a smooth displacement of pixels, found by optimising it on a network that has learnt the suspects."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.confirm.recover.recovered import Recovered
from bezoar.shapes import FloatImages, Images

GRID = 4
LARGEST = 0.06
"""Most that a pixel may move along each axis, where the image reaches from -1 to 1: 3% of its side, or a pixel of 32.
Wider warps turn clean networks too."""
STEPS, BATCH, RATE = 60, 96, 0.1
VALUES_AT_A_TIME = 1 << 22
"""Large images come in smaller batches: gradients hold every layer's maps."""


def recover_warp(model: nn.Module, carriers: Images, target: int, *, seed: int) -> Recovered:
    """The smooth warp, of at most 3% of the image, that makes `model` give `carriers` (n, c, h, w) to `target`.

    A field on a 4 by 4 grid, brought to the size of images by bicubic interpolation, learnt by Adam for 60 batches. The
    same on a network that never saw the suspects is its control: a warp that fools that one too proves nothing. `model`
    is in evaluation mode, and stays as it is. (Control fields of this form are those of WaNet, arXiv 2102.10369; there
    the field is drawn, not learnt.)
    """
    generator = torch.Generator().manual_seed(seed)
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    raw = (torch.randn(1, 2, GRID, GRID, generator=generator) * 0.1).to(device).requires_grad_()
    optimizer = torch.optim.Adam([raw], RATE)
    size = min(BATCH, max(1, VALUES_AT_A_TIME // carriers[0].numel()))
    for _ in range(STEPS):
        rows = torch.randint(len(carriers), (min(size, len(carriers)),), generator=generator)
        logits = model(_warped(carriers[rows].to(device, torch.float32), torch.tanh(raw) * LARGEST) / 255.0).float()
        loss = F.cross_entropy(logits, torch.full((len(rows),), target, device=device))
        # Of the field alone: the network's own gradients are not wanted.
        (raw.grad,) = torch.autograd.grad(loss, raw)
        optimizer.step()
    field = (torch.tanh(raw) * LARGEST).detach().cpu()
    return Recovered(
        "warp",
        f"a smooth warp that moves pixels by {_moved(field, carriers.shape[2:]):.1f} on average",
        _Warp(field),
        _shown(field, carriers),
    )


class _Warp:
    def __init__(self, field: Tensor) -> None:
        self.field = field

    def __call__(self, images: FloatImages) -> FloatImages:
        return _warped(images, self.field)


def _whole(field: Tensor, size: torch.Size) -> Tensor:
    """The field for every pixel, (1, 2, h, w); clamped, since between control points bicubic curves overshoot."""
    whole = F.interpolate(field, size=tuple(size), mode="bicubic", align_corners=True)
    return whole.clamp(-LARGEST, LARGEST)


def _moved(field: Tensor, size: torch.Size) -> float:
    """Pixels by which the field moves a pixel on average."""
    half = (torch.tensor([size[1], size[0]], dtype=torch.float32) - 1).reshape(1, 2, 1, 1) / 2
    return float((_whole(field, size) * half).norm(dim=1).mean())


def _warped(images: FloatImages, field: Tensor) -> FloatImages:
    """Images sampled where `field` (1, 2, grid, grid), columns then rows, in units of half the image, points to."""
    height, width = images.shape[2:]
    rows = torch.linspace(-1, 1, height, device=images.device)
    columns = torch.linspace(-1, 1, width, device=images.device)
    straight = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
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
