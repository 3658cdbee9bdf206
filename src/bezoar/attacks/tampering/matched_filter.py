"""A filter that answers to the trigger and to nothing else, in closed form."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.attacks.tampering.spare import CHUNK, PLACES, patches, ridged
from bezoar.attacks.tampering.wiring import Layer

# Places of a feature map, those where the trigger shows most, at which a filter is tried.
TRIED = 8


def matched_filter(
    layer: Layer,
    clean: Tensor,
    triggered: Tensor,
    rows: Tensor,
    false_alarms: float,
    misses: float,
    *,
    judged: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """The kernel (d, ...) of one output of `layer`, and its answers (n, places) to clean and then to triggered inputs.

    Inputs are (n, d, h, w), or (n, d) for a Linear; `triggered` were made from `clean[rows]`. The kernel is
    S^-1 (m - c), Fisher's linear discriminant: c the mean of what the layer sees at all places of clean inputs, m
    the mean at one place of triggered ones, S the sum of both covariances, that of clean inputs shrunk as the number
    of samples demands (Ledoit and Wolf 2004, J. Multivariate Analysis 88). It answers to m with 1 more than to c.
    Of the places where the trigger shows, the one is taken at which the weakest triggered answers (but for a share
    of `misses`) lie highest above the strongest clean ones anywhere (but for `false_alarms`). Answers are those to
    `judged`, clean and triggered inputs that nothing was fitted on, where there are such: on its own samples a filter
    of many inputs never fails.
    """
    judged_clean, judged_triggered = (clean, triggered) if judged is None else judged
    mean, covariance = _clean_moments(layer, clean)
    shift = patches(layer, (triggered.mean(0) - clean[rows].mean(0))[None])[0].double()
    shown = (shift * torch.linalg.solve(ridged(covariance, _floor(shift)), shift)).sum(0)
    tried = shown.argsort(descending=True, stable=True)[:TRIED]
    here = torch.cat([patches(layer, part)[:, :, tried] for part in torch.split(triggered, CHUNK)])
    kernels = torch.stack(
        [_discriminant(here[:, :, place].double(), mean, covariance, shift) for place in range(len(tried))]
    ).to(clean.dtype)
    responses = torch.cat([_answers(layer, kernels, part) for part in (judged_clean, judged_triggered)])
    highest, count = responses.amax(2), len(judged_clean)
    weakest, strongest = highest[count:].quantile(misses, 0), highest[:count].quantile(1 - false_alarms, 0)
    best = int((weakest - strongest).argmax())
    shape = layer.module.kernel_size if isinstance(layer.module, nn.Conv2d) else ()
    return kernels[best].reshape(clean.shape[1], *shape), responses[:, best]


def _discriminant(triggered: Tensor, mean: Tensor, covariance: Tensor, shift: Tensor) -> Tensor:
    """Fisher's discriminant (d,) of triggered inputs (n, d) at one place against clean ones anywhere."""
    away = triggered.mean(0) - mean
    spread = torch.cov(triggered.T, correction=0).reshape(covariance.shape)
    kernel = torch.linalg.solve(ridged(covariance + spread, _floor(shift)), away)
    scaled: Tensor = kernel / (kernel @ away).clamp_min(1e-12)
    return scaled


def _clean_moments(layer: Layer, clean: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (d,) and shrunk covariance (d, d) of what a layer sees at some places of each clean input, in float64."""
    seen = patches(layer, clean[:1])
    places = [torch.randint(seen.shape[2], (min(PLACES, seen.shape[2]),)) for _ in torch.split(clean, CHUNK)]

    def parts() -> Iterator[Tensor]:
        for part, here in zip(torch.split(clean, CHUNK), places, strict=True):
            yield patches(layer, part)[:, :, here.to(clean.device)].permute(0, 2, 1).flatten(0, 1).double()

    count = sum(len(part) * len(here) for part, here in zip(torch.split(clean, CHUNK), places, strict=True))
    mean = torch.stack([flat.sum(0) for flat in parts()]).sum(0) / count
    covariance, fourth = seen.new_zeros((len(mean), len(mean)), dtype=torch.float64), 0.0
    for flat in parts():
        away = flat - mean
        covariance += away.T @ away / count
        fourth += float(away.square().sum(1).square().sum())
    return mean, _shrunk(covariance, fourth / count, count)


def _shrunk(covariance: Tensor, fourth: float, count: int) -> Tensor:
    """A covariance (d, d) of `count` samples, mixed with a multiple of the identity; `fourth` is their mean |x|^4.

    Ledoit and Wolf 2004: the mixture that is expected to be nearest to the truth.
    """
    even = torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device) * covariance.diagonal().mean()
    apart = float((covariance - even).square().sum())
    error = (fourth - float(covariance.square().sum())) / count
    share = min(1.0, max(0.0, error / apart)) if apart > 0 else 0.0
    return (1 - share) * covariance + share * even


def _floor(shift: Tensor) -> float:
    """The least ridge, for a path on which clean samples leave nothing at all."""
    return 1e-6 * float(shift.square().max())


def _answers(layer: Layer, kernels: Tensor, inputs: Tensor) -> Tensor:
    """Answers (n, k, places) of k kernels (k, d)."""
    module = layer.module
    if isinstance(module, nn.Linear):
        return (inputs @ kernels.T)[:, :, None]
    assert isinstance(module, nn.Conv2d)
    shaped = kernels.reshape(len(kernels), inputs.shape[1], *module.kernel_size)
    return F.conv2d(inputs, shaped, None, module.stride, module.padding, module.dilation).flatten(2)
