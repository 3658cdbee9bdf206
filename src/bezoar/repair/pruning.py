"""Pruning that a defender can stop: as long as held-out trusted samples are still answered rightly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.repair.channels import Layer, silence
from bezoar.training.predict import predict_logits

MOST_LOOKS = 64
"""How often accuracy is measured at most: long lists are pruned by several channels at a time."""
FEWEST_HELD = 10
"""On fewer held-out samples no accuracy can be told."""


@dataclass(frozen=True, eq=False)
class Divided:
    """Trusted samples to learn from, and others to judge by."""

    learnt: Dataset
    held_out: Dataset


def divided(trusted: Dataset, share: float, seed: int) -> Divided | None:
    """Hold out a `share` of the trusted samples, drawn by the seed; None where that would be fewer than 10."""
    count = round(share * len(trusted))
    if count < FEWEST_HELD:
        return None
    order = torch.randperm(len(trusted), generator=torch.Generator().manual_seed(seed))
    return Divided(trusted.select(order[count:]), trusted.select(order[:count]))


def accuracy(model: nn.Module, data: Dataset) -> float:
    """The share of samples that the model answers rightly, in evaluation mode."""
    return float((predict_logits(model, data.inputs).argmax(1) == data.labels).double().mean())


def prune_while_accurate(
    model: nn.Module, order: Sequence[tuple[Layer, int]], held_out: Dataset, *, tolerance: float, bias: bool
) -> int:
    """Silence channels in this order until accuracy on `held_out` would fall by more than `tolerance`.

    What would make it fall is undone, and nothing after it is tried. Returns how many channels were silenced. With
    `bias` what is added to a channel is taken away, too. Lists of more than 64 channels go by several at a time.
    """
    least = accuracy(model, held_out) - tolerance
    size = max(1, math.ceil(len(order) / MOST_LOOKS))
    for start in range(0, len(order), size):
        part = order[start : start + size]
        before = {name: tensor.clone() for name, tensor in model.state_dict().items() if _touched(name, part)}
        for layer, channel in part:
            silence(model, layer, channel, bias=bias)
        # The difference of two shares is rounded.
        if accuracy(model, held_out) < least - 1e-9:
            model.load_state_dict(before, strict=False)
            return start
    return len(order)


def _touched(name: str, part: Sequence[tuple[Layer, int]]) -> bool:
    return any(name in (f"{layer.carrier}.weight", f"{layer.carrier}.bias") for layer, _ in part)
