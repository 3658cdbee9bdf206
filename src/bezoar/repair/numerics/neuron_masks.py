"""Masks of channels and the worst change of channels: what adversarial neuron pruning moves."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bezoar.shapes import Real

SMALLEST = 1e-12


def scaled(weight: Tensor, factor: Real) -> Tensor:
    """Each channel (first axis) of a weight (n, ...) times its factor (n,)."""
    return weight * factor.reshape(-1, *[1] * (weight.ndim - 1))


def worse(noise: Real, gradient: Real, step: float, budget: float) -> Real:
    """The noise after one signed step up the loss, within -budget..budget."""
    return (noise + step * gradient.sign()).clamp(-budget, budget)


def kinder(mask: Real, velocity: Real, gradient: Real, rate: float, momentum: float) -> tuple[Real, Real]:
    """Mask and velocity after one step down the loss with momentum, the mask within 0..1."""
    velocity = momentum * velocity + gradient
    return (mask - rate * velocity).clamp(0.0, 1.0), velocity


def shortened(gradients: Sequence[Tensor], longest: float) -> list[Tensor]:
    """Gradients, cut to the length `longest` over all of them together where they are longer."""
    length = torch.stack([one.square().sum() for one in gradients]).sum().sqrt()
    factor = (longest / length.clamp_min(SMALLEST)).clamp_max(1.0)
    return [one * factor for one in gradients]


def pruning_order(masks: Sequence[Real], below: float) -> list[tuple[int, int]]:
    """Layer and channel of every mask under `below`, the smallest first; equal ones in the order of the layers."""
    found = [
        (value, layer, channel)
        for layer, mask in enumerate(masks)
        for channel, value in enumerate(mask.tolist())
        if value < below
    ]
    return [(layer, channel) for _, layer, channel in sorted(found)]


def random_noise(channels: int, budget: float, generator: torch.Generator) -> Real:
    """Noise drawn evenly from -budget..budget, (channels,)."""
    return (torch.rand(channels, generator=generator) * 2 - 1) * budget
