"""`preact-resnet18`: the network of published backdoor comparisons."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.errors import UsageError
from bezoar.training.models import MODELS, Normalise


class PreActBlock(nn.Module):
    """Two 3x3 convolutions, each after batch norm and ReLU, around a shortcut."""

    def __init__(self, inward: int, outward: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inward)
        self.conv1 = nn.Conv2d(inward, outward, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outward)
        self.conv2 = nn.Conv2d(outward, outward, 3, 1, 1, bias=False)
        changes = stride != 1 or inward != outward
        self.shortcut = nn.Conv2d(inward, outward, 1, stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        """(n, inward, h, w) to (n, outward, h / stride, w / stride)."""
        active = F.relu(self.norm1(x))
        shortcut = x if self.shortcut is None else self.shortcut(active)
        out = self.conv1(active)
        out = self.conv2(F.relu(self.norm2(out)))
        return torch.add(out, shortcut)


class PreActResNet18Network(nn.Module):
    """Pre-activation ResNet with 2-2-2-2 blocks of 1, 2, 4 and 8 times `width` channels, 3x3 stem, for small images."""

    def __init__(self, classes: int, sample: Tensor, width: int = 64) -> None:
        super().__init__()
        self.normalise = Normalise(sample)
        self.stem = nn.Conv2d(sample.shape[1], width, 3, 1, 1, bias=False)
        blocks: list[nn.Module] = []
        inward = width
        for outward, stride in ((width, 1), (2 * width, 2), (4 * width, 2), (8 * width, 2)):
            blocks += [PreActBlock(inward, outward, stride), PreActBlock(outward, outward, 1)]
            inward = outward
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.BatchNorm2d(8 * width)
        self.head = nn.Linear(8 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images (n, c, h, w) in 0..1 to logits (n, classes)."""
        x = self.blocks(self.stem(self.normalise(x)))
        logits: Tensor = self.head(F.relu(self.norm(x)).mean((2, 3)))
        return logits


@MODELS.register("preact-resnet18")
@dataclass(frozen=True)
class PreActResNet18:
    """The published comparison network (He et al. 2016, arXiv 1603.05027), 11.2 million parameters at width 64."""

    width: int = 64

    def __post_init__(self) -> None:
        if self.width < 1:
            raise UsageError("preact-resnet18: width must be at least 1", found=str(self.width))

    def build(self, *, classes: int, sample: Tensor) -> nn.Module:
        """A fresh network for `classes` classes and images shaped like `sample` (uint8)."""
        return PreActResNet18Network(classes, sample, self.width)
