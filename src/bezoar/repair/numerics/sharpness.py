"""The step uphill of sharpness-aware minimisation, plain and adaptive."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

FLOOR = 0.01
"""Added to every absolute weight in the adaptive step, so that a weight of zero can be moved (Kwon et al. 2021)."""
SMALLEST = 1e-12


def ascent(
    weights: Sequence[Tensor], gradients: Sequence[Tensor], radius: float, *, adaptive: bool = False
) -> list[Tensor]:
    """The change of the weights that raises the loss most, to first order, among all within `radius`.

    Plain: radius * g / |g| (Foret et al. 2021, arXiv 2010.01412). Adaptive: a change e is measured as |e / T|, T the
    absolute weights plus 0.01, which gives radius * T^2 g / |T g| (Kwon et al. 2021, arXiv 2102.11600). Lengths are
    over all weights together. Where every gradient is zero, so is the change.
    """
    scales = [weight.abs() + FLOOR if adaptive else torch.ones_like(weight) for weight in weights]
    scaled = [scale * gradient for scale, gradient in zip(scales, gradients, strict=True)]
    length = torch.stack([one.square().sum() for one in scaled]).sum().sqrt().clamp_min(SMALLEST)
    return [radius / length * scale * one for scale, one in zip(scales, scaled, strict=True)]


def mixed(here: Sequence[Tensor], uphill: Sequence[Tensor], share: float) -> list[Tensor]:
    """Gradients here and uphill, the latter with weight `share`: 1 for sharpness-aware minimisation.

    A smaller share punishes the length of the gradient (Zhao et al. 2022, arXiv 2202.03599): share = penalty /
    radius.
    """
    return [(1.0 - share) * one + share * other for one, other in zip(here, uphill, strict=True)]
