"""The features that clean images need, told from the rest: a mask between 0 and 1."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from bezoar.detect.inversion.penultimate import Penultimate

HALF = 0.5


@dataclass(frozen=True)
class Decoupling:
    """`steps` of Adam with `images` in each; `weight` charges the mean of the mask."""

    steps: int = 300
    images: int = 128
    weight: float = 3.0
    rate: float = 0.02


def benign_mask(
    split: Penultimate,
    features: Tensor,
    labels: Tensor,
    image: Tensor,
    *,
    effort: Decoupling = Decoupling(),
    generator: torch.Generator,
) -> Tensor:
    """A mask (...) in 0..1: features (n, ...) times it give the labels (n,), times what is left of it they do not.

    Made small is the cross-entropy of masked features, less that of the others, plus a charge on the mask's mean. Once
    the others tell no more than chance would, the logarithm of the number of classes, nothing is gained by more.
    `image` (1, c, h, w) is any that the model takes.
    """
    mask = torch.full(features.shape[1:], HALF).requires_grad_()
    optimizer = torch.optim.Adam([mask], lr=effort.rate)
    for _ in range(effort.steps):
        rows = torch.randint(len(features), (effort.images,), generator=generator)
        kept, left = features[rows] * mask, features[rows] * (1 - mask)
        logits = split.answers(torch.cat([kept, left]), image)
        losses = F.cross_entropy(logits, labels[rows].repeat(2), reduction="none").reshape(2, -1).mean(1)
        chance = math.log(logits.shape[1])
        optimizer.zero_grad()
        (losses[0] - losses[1].clamp(max=chance) + effort.weight * mask.mean()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        with torch.no_grad():
            mask.clamp_(0, 1)
    return mask.detach()
