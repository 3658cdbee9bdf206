"""Gradients that look at the loss a little way uphill, as two repairs do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bezoar.repair.loop import Batch, Gradients, Loss, learning_parameters, leave_gradients
from bezoar.repair.numerics.sharpness import ascent, mixed


def uphill(loss: Loss, *, radius: float, share: float, adaptive: bool) -> Gradients:
    """Gradients of `loss`, of which `share` is taken where the loss is highest within `radius` of the weights."""

    def gradients(model: nn.Module, batch: Batch) -> Tensor:
        weights = learning_parameters(model)
        value, here = _slope(loss, model, batch, weights)
        change = ascent([one.detach() for one in weights], here, radius, adaptive=adaptive)
        with _moved(weights, change), statistics_held(model):
            _, there = _slope(loss, model, batch, weights)
        leave_gradients(weights, mixed(here, there, share))
        return value

    return gradients


def _slope(loss: Loss, model: nn.Module, batch: Batch, weights: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    value = loss(model, batch)
    found = torch.autograd.grad(value, weights, allow_unused=True)
    slopes = [torch.zeros_like(one) if slope is None else slope for one, slope in zip(weights, found, strict=True)]
    return value.detach(), slopes


@contextmanager
def _moved(weights: Sequence[Tensor], change: Sequence[Tensor]) -> Iterator[None]:
    """The weights changed meanwhile, and afterwards bitwise what they were."""
    before = [one.detach().clone() for one in weights]
    with torch.no_grad():
        for weight, step in zip(weights, change, strict=True):
            weight.add_(step)
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, kept in zip(weights, before, strict=True):
                weight.copy_(kept)


@contextmanager
def statistics_held(model: nn.Module) -> Iterator[None]:
    """Batch norms use the statistics of the batch but don't remember them: those uphill are of another network."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
