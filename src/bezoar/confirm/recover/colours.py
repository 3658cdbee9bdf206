"""A filter: suspects whose colours are changed alike, pixel by pixel, as by sepia, a tint, haze or little light."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bezoar.confirm.recover.recovered import FEWEST_SUSPECTS, VALUES_AT_A_TIME, Recovered
from bezoar.shapes import FloatImages, Images

LEAST_CHANGE = 4.0
"""Levels by which a filter must change the mean value of ordinary pixels, to be one."""
LEAST_VARIANCE = 1.0
"""Squared levels added to the variance of each colour, below which a picture's colours are rounding."""
SHRUNK = 0.2
"""A filter that leaves no more than this of the contrast of some colour can't be taken off again: black and white."""


def recover_colours(suspects: Images, ordinary: Images) -> Recovered | None:
    """The affine change of colour that gives ordinary pixels the mean and covariance of the suspects' pixels.

    Of all that do, the one that moves colours least: the optimal transport of one normal distribution into the other
    (Dowson and Landau 1982). A filter that turns hues cannot be had from these alone. `suspects` and `ordinary` are
    (m, c, h, w); of one channel, contrast and brightness change. None for fewer than 12 suspects, and where ordinary
    values change by less than 4 levels in the mean.
    """
    if len(suspects) < FEWEST_SUSPECTS or not len(ordinary):
        return None
    before, after = _Colours.of(ordinary), _Colours.of(suspects)
    root = _power(before.covariance, 0.5)
    away = _power(before.covariance, -0.5)
    linear = away @ _power(root @ after.covariance @ root, 0.5) @ away
    change = _Affine(linear.float(), before.mean.float(), after.mean.float())
    some = ordinary[:: max(1, len(ordinary) // 256)].to(torch.float32)
    moved = float((change(some).clamp(0, 255) - some).abs().mean())
    if moved < LEAST_CHANGE:
        return None
    said = f"every pixel's colour changed alike, as by a filter: {moved:.0f} levels in the mean"
    undo = change.inverse() if float(torch.linalg.eigvalsh(linear)[0]) > SHRUNK else None
    return Recovered("colours", said, change, _chart(change, suspects.shape[1:]), undo)


@dataclass(frozen=True, eq=False)
class _Colours:
    """Mean (c,) and covariance (c, c) of pixels, float64."""

    mean: Tensor
    covariance: Tensor

    @staticmethod
    def of(images: Images) -> _Colours:
        channels = images.shape[1]
        step = max(1, VALUES_AT_A_TIME // max(1, images[0].numel()))
        total, products, count = torch.zeros(channels).double(), torch.zeros(channels, channels).double(), 0
        for part in torch.split(images, step):
            pixels = part.to(torch.float64).permute(1, 0, 2, 3).reshape(channels, -1) - 128
            total, products, count = total + pixels.sum(1), products + pixels @ pixels.T, count + pixels.shape[1]
        mean = total / count
        covariance = products / count - torch.outer(mean, mean)
        return _Colours(mean + 128, covariance + LEAST_VARIANCE * torch.eye(channels).double())


def _power(symmetric: Tensor, exponent: float) -> Tensor:
    values, vectors = torch.linalg.eigh(symmetric)
    power: Tensor = (vectors * values.clamp(min=1e-9) ** exponent) @ vectors.T
    return power


@dataclass(frozen=True, eq=False)
class _Affine:
    """Colours about `before` mapped by `linear` to colours about `after`."""

    linear: Tensor
    before: Tensor
    after: Tensor

    def __call__(self, images: FloatImages) -> FloatImages:
        centred = images - self.before[:, None, None]
        changed: FloatImages = torch.einsum("dc,nchw->ndhw", self.linear, centred) + self.after[:, None, None]
        return changed

    def inverse(self) -> _Affine:
        return _Affine(torch.linalg.inv(self.linear), self.after, self.before)


def _chart(change: _Affine, shape: tuple[int, ...]) -> Images:
    """A chart of colours (c, h, w), dark to light from left to right, as it is above and as it is changed below."""
    channels, height, width = shape
    light = torch.linspace(0, 255, width).expand(channels, height, width).clone()
    for channel in range(channels):  # bands in which one channel is weak
        band = (torch.arange(height) * (channels + 1) // max(1, height)) == channel
        light[channel, band] *= 0.4
    half = height // 2
    top = light[:, ::2][:, :half]
    below = change(light[None, :, ::2])[0][:, : height - half]
    return torch.cat([top, below], dim=1).round().clamp(0, 255).to(torch.uint8)
