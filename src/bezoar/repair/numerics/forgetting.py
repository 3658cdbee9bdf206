"""A loss that makes a network forget, and stops once it has."""

from __future__ import annotations

import torch
from torch import Tensor

from bezoar.shapes import Real


def bounded_ascent(losses: Real, bound: float) -> Tensor:
    """The mean of -min(loss, bound): descending it raises each loss (n,) to `bound` nats and not beyond.

    A loss above the bound has no slope left. Zero without samples.
    """
    return -losses.clamp_max(bound).mean() if len(losses) else torch.zeros((), device=losses.device)
