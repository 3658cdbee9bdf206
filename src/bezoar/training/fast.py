"""`fast`: a small network that learns in minutes on a processor."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.errors import UsageError
from bezoar.training.models import MODELS, Normalise

# Keeps early logits small, so that a high learning rate is safe.
LOGIT_SCALE = 0.25
# Keeps directions in which patches hardly vary from being blown up.
EPSILON = 5e-3


class ConvBlock(nn.Module):
    """3x3 convolution, optional 2x2 max pooling, batch norm, ReLU."""

    def __init__(self, inward: int, outward: int, *, pool: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inward, outward, 3, 1, 1, bias=False)
        # Few epochs: the running statistics must follow quickly.
        self.norm = nn.BatchNorm2d(outward, momentum=0.3)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """(n, inward, h, w) to (n, outward, h, w), halved when pooling."""
        x = self.conv(x)
        if self.pool and min(x.shape[2:]) > 1:
            x = F.max_pool2d(x, 2)
        return F.relu(self.norm(x))


class Stage(nn.Module):
    """A pooling block that widens, then a block around a shortcut."""

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.widen = ConvBlock(inward, outward, pool=True)
        self.refine = ConvBlock(outward, outward)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inward, h, w) to (n, outward, h / 2, w / 2)."""
        x = self.widen(x)
        return torch.add(x, self.refine(x))


class FastNetwork(nn.Module):
    """A fixed whitening stem, stages of two convolutions, global max pooling and a linear head."""

    def __init__(self, classes: int, sample: Tensor, stem: int, widths: tuple[int, ...], finest: int) -> None:
        super().__init__()
        self.normalise = Normalise(sample)
        side = min(sample.shape[2:])
        stride = max(1, round(side / finest))
        kernel = min(2 * stride, side)
        self.stem = nn.Conv2d(sample.shape[1], stem, kernel, stride, bias=False)
        self.stem.weight.data = whitening_filters(self.normalise(sample.float() / 255.0), stem, kernel, stride)
        self.stem.weight.requires_grad_(False)
        self.stages = nn.Sequential(
            *(Stage(inward, outward) for inward, outward in zip((stem, *widths), widths, strict=False))
        )
        self.head = nn.Linear(widths[-1], classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Images (n, c, h, w) in 0..1 to logits (n, classes)."""
        x = F.relu(self.stem(self.normalise(x)))
        logits: Tensor = self.head(self.stages(x).amax((2, 3))) * LOGIT_SCALE
        return logits


def whitening_filters(images: Tensor, filters: int, kernel: int, stride: int) -> Tensor:
    """Filters (filters, c, kernel, kernel) that decorrelate image patches, each with its negative beside it.

    The leading eigenvectors of the patch covariance, scaled to unit variance (after Jordan 2024,
    arXiv 2404.00498, section 3.1). Missing directions are zero filters.
    """
    patches = images.unfold(2, kernel, stride).unfold(3, kernel, stride).permute(0, 2, 3, 1, 4, 5)
    flat = patches.reshape(-1, images.shape[1] * kernel * kernel)
    values, vectors = torch.linalg.eigh((flat.T @ flat / len(flat)).double())
    directions = (vectors / (values.clamp_min(0) + EPSILON).sqrt()).T.flip(0)[: filters // 2]
    bank = torch.zeros(filters, flat.shape[1])
    bank[: len(directions)] = directions.float()
    bank[filters // 2 : filters // 2 + len(directions)] = -directions.float()
    return bank.reshape(filters, images.shape[1], kernel, kernel)


@MODELS.register("fast")
@dataclass(frozen=True)
class Fast:
    """A small network with a fixed whitening stem, for a minutes-long training on a processor.

    `stem` is the number of fixed filters, `widths` the channels of the stages, each of half the side of the one
    before. The stem brings larger images to maps of about `finest` pixels a side: 16 costs a third of 32, and
    loses detail.
    """

    stem: int = 24
    widths: tuple[int, ...] = (32, 64, 128)
    finest: int = 32

    def __post_init__(self) -> None:
        if min(self.stem, self.finest, *self.widths, len(self.widths)) < 1:
            raise UsageError("fast: stem, finest and every width must be at least 1", found=repr(self))

    def build(self, *, classes: int, sample: Tensor) -> nn.Module:
        """A fresh network whose stem and normalisation are taken from `sample` (uint8 images)."""
        return FastNetwork(classes, sample, self.stem, self.widths, self.finest)
