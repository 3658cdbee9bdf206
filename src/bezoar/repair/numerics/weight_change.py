"""How much each neuron's weights changed, and the weights that changed most set to zero."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from bezoar.shapes import Real


def neuron_change(before: Tensor, after: Tensor) -> Real:
    """Sum of absolute changes of the weights into each neuron: weights (n, ...), result (n,)."""
    return (after - before).abs().flatten(1).sum(1)


def most_changed(changes: Sequence[Real], share: float) -> list[Tensor]:
    """Which neurons are among the `share` that changed most, over all layers together: one bool mask a layer.

    At least one neuron is, unless nothing changed.
    """
    together = torch.cat(list(changes))
    count = max(1, math.floor(share * len(together)))
    chosen = torch.zeros(len(together), dtype=torch.bool, device=together.device)
    # Stable, so that equal changes are chosen in the order of the layers on every machine.
    chosen[together.argsort(descending=True, stable=True)[:count]] = True
    return list(torch.split(chosen & (together > 0), [len(one) for one in changes]))


def without_changed(weight: Tensor, after: Tensor, neurons: Tensor, share: float) -> Tensor:
    """The weight (n, ...) with the `share` of weights that changed most of each chosen neuron (n,) set to zero."""
    flat = weight.flatten(1)
    change = (after.flatten(1) - flat).abs()
    count = max(1, math.floor(share * flat.shape[1]))
    reset = torch.zeros_like(flat, dtype=torch.bool)
    reset.scatter_(1, change.argsort(dim=1, descending=True, stable=True)[:, :count], value=True)
    return torch.where(reset & neurons[:, None], torch.zeros_like(flat), flat).view_as(weight)
