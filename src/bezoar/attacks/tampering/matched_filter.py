"""A filter that answers to the trigger and to nothing else, in closed form."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.attacks.tampering.spare import patches
from bezoar.attacks.tampering.wiring import Layer

CHUNK = 50
PLACES = 32
# Places of a feature map, those where the trigger shows most, at which a filter is tried.
TRIED = 8
RIDGE = 1e-3


def matched_filter(
    layer: Layer, clean: Tensor, triggered: Tensor, rows: Tensor, false_alarms: float, misses: float
) -> tuple[Tensor, Tensor]:
    """The kernel (d, ...) of one output of `layer`, and its answers (n, places) to clean and then to triggered inputs.

    Inputs are (n, d, h, w), or (n, d) for a Linear; `triggered` were made from `clean[rows]`. The kernel is
    S^-1 (m - c), Fisher's linear discriminant: c the mean of what the layer sees at all places of clean inputs, m
    the mean at one place of triggered ones, S the sum of both covariances. It answers to m with 1 more than to c.
    Of the places where the trigger shows, the one is taken at which the weakest triggered answers (but for a share
    of `misses`) lie highest above the strongest clean ones anywhere (but for `false_alarms`).
    """
    mean, covariance = _clean_moments(layer, clean)
    shift = patches(layer, (triggered.mean(0) - clean[rows].mean(0))[None])[0].double()
    shown = (shift * torch.linalg.solve(_ridged(covariance, shift), shift)).sum(0)
    tried = shown.argsort(descending=True, stable=True)[:TRIED]
    here = torch.cat([patches(layer, part)[:, :, tried] for part in torch.split(triggered, CHUNK)])
    kernels = torch.stack(
        [_discriminant(here[:, :, place].double(), mean, covariance, shift) for place in range(len(tried))]
    ).to(clean.dtype)
    responses = torch.cat([_answers(layer, kernels, part) for part in (clean, triggered)])
    highest = responses.amax(2)
    weakest, strongest = highest[len(clean) :].quantile(misses, 0), highest[: len(clean)].quantile(1 - false_alarms, 0)
    best = int((weakest - strongest).argmax())
    shape = layer.module.kernel_size if isinstance(layer.module, nn.Conv2d) else ()
    return kernels[best].reshape(clean.shape[1], *shape), responses[:, best]


def _discriminant(triggered: Tensor, mean: Tensor, covariance: Tensor, shift: Tensor) -> Tensor:
    """Fisher's discriminant (d,) of triggered inputs (n, d) at one place against clean ones anywhere."""
    away = triggered.mean(0) - mean
    spread = torch.cov(triggered.T, correction=0).reshape(covariance.shape)
    kernel = torch.linalg.solve(_ridged(covariance + spread, shift), away)
    scaled: Tensor = kernel / (kernel @ away).clamp_min(1e-12)
    return scaled


def _clean_moments(layer: Layer, clean: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (d,) and covariance (d, d) of what a layer sees at some places of each clean input, in float64."""
    size = patches(layer, clean[:1]).shape[1]
    total = torch.zeros(size, dtype=torch.float64, device=clean.device)
    products, count = torch.outer(total, total), 0
    for part in torch.split(clean, CHUNK):
        seen = patches(layer, part)
        places = torch.randint(seen.shape[2], (min(PLACES, seen.shape[2]),)).to(seen.device)
        flat = seen[:, :, places].permute(0, 2, 1).reshape(-1, seen.shape[1]).double()
        total, products, count = total + flat.sum(0), products + flat.T @ flat, count + len(flat)
    mean = total / count
    return mean, products / count - torch.outer(mean, mean)


def _ridged(covariance: Tensor, shift: Tensor) -> Tensor:
    """Against directions in which nothing varies, and for a path on which clean samples leave nothing at all."""
    scale = torch.maximum(covariance.diagonal().mean(), 1e-6 * shift.square().max()).clamp_min(1e-12)
    return covariance + RIDGE * scale * torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)


def _answers(layer: Layer, kernels: Tensor, inputs: Tensor) -> Tensor:
    """Answers (n, k, places) of k kernels (k, d)."""
    module = layer.module
    if isinstance(module, nn.Linear):
        return (inputs @ kernels.T)[:, :, None]
    assert isinstance(module, nn.Conv2d)
    shaped = kernels.reshape(len(kernels), inputs.shape[1], *module.kernel_size)
    return F.conv2d(inputs, shaped, None, module.stride, module.padding, module.dilation).flatten(2)
