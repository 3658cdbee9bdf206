"""The two halves of a step of sharpness-aware minimisation (Foret et al. 2021, arXiv 2010.01412)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def ascended(network: nn.Module, radius: float) -> Iterator[None]:
    """Within, weights moved by `radius` along their gradient, which is cleared; afterwards bitwise where they were.

    Norm over all parameters that have a gradient, together. One of no length moves nothing.
    """
    learning = [(one, one.grad) for one in network.parameters() if one.grad is not None]
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(gradient) for _, gradient in learning]))
    kept = [one.detach().clone() for one, _ in learning]
    with torch.no_grad():
        for one, gradient in learning:
            one.add_(gradient * (radius / norm.clamp_min(1e-12)))
            one.grad = None
    try:
        yield
    finally:
        with torch.no_grad():
            for (one, _), before in zip(learning, kept, strict=True):
                one.copy_(before)


@contextmanager
def frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Within, batch norms use a batch's statistics, as in training, and don't gather them."""
    norms = [one for one in network.modules() if isinstance(one, _BatchNorm) and one.track_running_stats]
    for one in norms:
        one.track_running_stats = False
    try:
        yield
    finally:
        for one in norms:
            one.track_running_stats = True
