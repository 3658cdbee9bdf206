"""How much each channel of a convolution can amplify what comes in."""

from __future__ import annotations

import torch
from torch import Tensor

from bezoar.shapes import Real


def channel_bounds(kernels: Tensor, scale: Real) -> Real:
    """Spectral norm of each channel's kernel times its scale: kernels (n, inward, kh, kw), scale (n,), result (n,).

    The kernel of a channel is taken as a matrix (inward, kh * kw), and `scale` is what a batch norm that follows
    multiplies the channel by: weight / sqrt(variance + eps); ones without one. Zheng et al., ECCV 2022 (arXiv
    2208.03111), whose estimate of the upper bound this is.
    """
    matrices = kernels.flatten(2)
    bounds: Tensor = torch.linalg.matrix_norm(matrices.double(), 2).to(kernels.dtype)
    return bounds * scale.abs()


def spreads_above_mean(bounds: Real) -> Real:
    """By how many standard deviations each bound (n,) lies above the layer's mean; zeros where all are equal.

    Of n channels none can lie above it by more than (n - 1) / sqrt(n) of them: 3 spreads need 11 channels.
    """
    spread = bounds.std(correction=0)
    above = bounds - bounds.mean()
    return above / spread if float(spread) > 0 else torch.zeros_like(bounds)


def outlying(bounds: Real, spreads: float) -> Tensor:
    """Which channels (n,) lie above the layer's mean by more than `spreads` standard deviations."""
    return spreads_above_mean(bounds) > spreads
