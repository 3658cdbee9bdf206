"""`plain`: convolutions and two linear layers, without any normalisation, as older deployed networks are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.errors import UsageError
from bezoar.training.models import MODELS, Normalise


class PlainNetwork(nn.Module):
    """Pairs of 3x3 convolutions, each pair followed by 2x2 max pooling, then two linear layers."""

    def __init__(self, classes: int, sample: Tensor, widths: tuple[int, ...], hidden: int) -> None:
        super().__init__()
        self.normalise = Normalise(sample)
        inward = (sample.shape[1], *widths)
        self.pairs = nn.Sequential(*(_pair(a, b) for a, b in zip(inward, widths, strict=False)))
        with torch.no_grad():
            flat = self.pairs(torch.zeros(1, *sample.shape[1:])).flatten(1).shape[1]
        self.hidden = nn.Linear(flat, hidden)
        self.head = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images (n, c, h, w) in 0..1 to logits (n, classes)."""
        logits: Tensor = self.head(F.relu(self.hidden(self.pairs(self.normalise(x)).flatten(1))))
        return logits


def _pair(inward: int, outward: int) -> nn.Sequential:
    first, second = nn.Conv2d(inward, outward, 3, padding=1), nn.Conv2d(outward, outward, 3, padding=1)
    for layer in (first, second):
        # Without normalisation the scale must be right from the start.
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True))


@MODELS.register("plain")
@dataclass(frozen=True)
class Plain:
    """A network without batch norm or shortcuts (after Simonyan and Zisserman 2014, arXiv 1409.1556, far smaller)."""

    widths: tuple[int, ...] = (32, 64, 128)
    hidden: int = 128

    def __post_init__(self) -> None:
        if min(self.hidden, *self.widths, len(self.widths)) < 1:
            raise UsageError("plain: hidden and every width must be at least 1", found=repr(self))

    def build(self, *, classes: int, sample: Tensor) -> nn.Module:
        """A fresh network for `classes` classes and images shaped like `sample` (uint8)."""
        return PlainNetwork(classes, sample, self.widths, self.hidden)
