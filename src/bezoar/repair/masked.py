"""A network seen through masks and disturbances of its channels, and which way the loss changes with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from bezoar.repair.channels import Layer, bias_of, weight_of
from bezoar.repair.loop import Batch
from bezoar.repair.numerics.neuron_masks import random_noise, scaled, worse
from bezoar.shapes import Real


@dataclass(frozen=True, eq=False)
class Disturbance:
    """Of each layer, a relative change of the weight and of the bias of every channel, each (channels,)."""

    weights: tuple[Real, ...]
    biases: tuple[Real, ...]

    @classmethod
    def none(cls, masks: Sequence[Real]) -> Disturbance:
        """No change at all, for channels as there are masks."""
        nothing = tuple(torch.zeros_like(mask) for mask in masks)
        return cls(nothing, nothing)


def loss_through(
    model: nn.Module, layers: Sequence[Layer], masks: Sequence[Real], noise: Disturbance, batch: Batch
) -> Tensor:
    """Cross-entropy where each channel's weight is times (mask + noise) and its bias times (1 + noise).

    The model is not changed, and no gradient reaches its own weights.
    """
    seen = {name: parameter.detach() for name, parameter in model.named_parameters()}
    for layer, mask, weight_noise, bias_noise in zip(layers, masks, noise.weights, noise.biases, strict=True):
        weight, bias = weight_of(model, layer.carrier), bias_of(model, layer.carrier)
        seen[f"{layer.carrier}.weight"] = scaled(weight.detach(), mask + weight_noise)
        if bias is not None:
            seen[f"{layer.carrier}.bias"] = scaled(bias.detach(), 1.0 + bias_noise)
    return F.cross_entropy(functional_call(model, seen, (batch.images,)), batch.labels)


def worst_disturbance(
    model: nn.Module,
    layers: Sequence[Layer],
    masks: Sequence[Real],
    batch: Batch,
    *,
    budget: float,
    climbs: int,
    generator: torch.Generator,
) -> Disturbance:
    """The disturbance within -budget..budget that `climbs` signed steps up the loss find from a drawn start.

    Several steps are each budget / climbs long; a single one is as long as the budget.
    """
    count = len(layers)
    noises = [random_noise(layer.channels, budget, generator).to(batch.images.device) for layer in (*layers, *layers)]
    for _ in range(climbs):
        noises = [noise.requires_grad_(True) for noise in noises]
        loss = loss_through(model, layers, masks, Disturbance(tuple(noises[:count]), tuple(noises[count:])), batch)
        # A layer without bias has no use for a disturbance of it.
        slopes = torch.autograd.grad(loss, noises, allow_unused=True)
        noises = [
            noise.detach() if slope is None else worse(noise.detach(), slope, budget / climbs, budget)
            for noise, slope in zip(noises, slopes, strict=True)
        ]
    return Disturbance(tuple(noises[:count]), tuple(noises[count:]))


def mask_slopes(
    model: nn.Module,
    layers: Sequence[Layer],
    masks: Sequence[Real],
    noise: Disturbance,
    batch: Batch,
    *,
    plain_share: float,
) -> tuple[Tensor, ...]:
    """Gradient by each mask of `plain_share` times the loss undisturbed plus the rest of the loss with the noise."""
    free = [mask.detach().requires_grad_(True) for mask in masks]
    plain = loss_through(model, layers, free, Disturbance.none(masks), batch)
    disturbed = loss_through(model, layers, free, noise, batch)
    return torch.autograd.grad(plain_share * plain + (1.0 - plain_share) * disturbed, free)
