"""A pattern that was added to, or blended into, whole images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import dctn, idctn
from torch import Tensor

from bezoar.confirm.recover.recovered import FEWEST_SUSPECTS, VALUES_AT_A_TIME, Recovered
from bezoar.shapes import FloatImages, Images

Spectrum = NDArray[np.float32]

SIGNIFICANT = 4.0
"""A coefficient of the mean difference counts if it lies this many standard errors from 0."""
ADDED = 0.95
"""If contrast kept more than this share of the usual, the pattern was added; if less, it was blended in."""
COPIES = 0.5
"""If less than this share, suspects are copies of one picture, and laid over others it would turn any network."""
LOWEST = 3
"""Coefficients of row and column numbers that add up to less tell of the class, not of contrast."""


def recover_pattern(suspects: Images, ordinary: Images) -> tuple[Recovered, ...]:
    """The pattern in the mean difference between suspects and `ordinary` samples, as added and, where contrast fell, as
    blended: which of them it was, a flip test tells. Empty where nothing differs, and where suspects hardly do.

    The difference of means is taken apart by a cosine transform, where natural images vary little in what is fine:
    coefficients of at least 4 standard errors stay, the rest is noise of few samples. Of a blend with ratio r, contrast
    in fine coefficients keeps the share 1 - r; its pattern is the mean of suspects less 1 - r times that of the others.
    A share of innocent suspects weakens the pattern by as much.
    """
    if min(len(suspects), len(ordinary)) < FEWEST_SUSPECTS:
        return ()
    odd, usual = spectra(suspects), spectra(ordinary)
    kept = _contrast_kept(odd, usual)
    if kept < COPIES:
        return ()
    added = _significant(odd, usual, 1.0)
    blended = _significant(odd, usual, kept) if kept < ADDED else np.zeros_like(added)
    found = [_added(added)] if added.any() else []
    return (*found, _blended(blended, kept)) if blended.any() else tuple(found)


@dataclass(frozen=True, eq=False)
class Spectra:
    """Mean and variance (c, h, w) of the cosine coefficients of `count` images."""

    mean: Spectrum
    variance: Spectrum
    count: int


def spectra(images: Images) -> Spectra:
    """Mean and variance of their cosine coefficients, of some images at a time."""
    step = max(1, VALUES_AT_A_TIME // max(1, math.prod(images.shape[1:])))
    total, squares = np.zeros(images.shape[1:]), np.zeros(images.shape[1:])
    # Around a rough mean: squares of large numbers would swallow small variances.
    centre = images[:step].to(torch.float32).mean(0)
    for part in torch.split(images, step):
        coefficients = dctn((part - centre).contiguous().numpy(), axes=(2, 3), norm="ortho", workers=1)
        total += coefficients.sum(0, dtype=np.float64)
        squares += np.square(coefficients).sum(0, dtype=np.float64)
    mean = total / len(images)
    variance = np.maximum(squares / len(images) - mean**2, 0.0)
    whole = mean + dctn(centre.numpy(), axes=(1, 2), norm="ortho", workers=1)
    return Spectra(whole.astype(np.float32), variance.astype(np.float32), len(images))


def _contrast_kept(odd: Spectra, usual: Spectra) -> float:
    """Median over coefficients of the ratio of standard deviations, without the lowest, which tell of the class.

    1 where nothing varies, as in the empty part of drawings.
    """
    height, width = odd.mean.shape[1:]
    fine = np.add.outer(np.arange(height), np.arange(width)) >= LOWEST
    varied = (usual.variance > 1e-6) & fine
    ratio = np.sqrt(odd.variance[varied] / usual.variance[varied])
    return float(np.clip(np.median(ratio), 0.0, 1.0)) if len(ratio) else 1.0


def _significant(odd: Spectra, usual: Spectra, kept: float) -> Spectrum:
    """Coefficients of the pattern that, added to images with the share `kept` of contrast, makes suspects of them.

    The mean brightness always stays: without it a blend would darken.
    """
    difference = odd.mean - kept * usual.mean
    error = np.sqrt(odd.variance / odd.count + kept**2 * usual.variance / usual.count) + 1e-9
    found: Spectrum = np.where(np.abs(difference) > SIGNIFICANT * error, difference, 0.0).astype(np.float32)
    if kept < 1 and found.any():
        found[:, 0, 0] = difference[:, 0, 0]
    return found


def _picture(coefficients: Spectrum) -> Tensor:
    return torch.from_numpy(idctn(coefficients, axes=(1, 2), norm="ortho")).to(torch.float32)


def _added(coefficients: Spectrum) -> Recovered:
    pattern = _picture(coefficients)
    most = float(pattern.abs().max())
    shown = (128 + pattern / max(most, 1e-6) * 127).round().clamp(0, 255).to(torch.uint8)
    described = f"a pattern added to the image, up to {most:.0f} levels strong"
    return Recovered("additive", described, _Add(pattern), shown, _TakeOff(pattern))


def _blended(coefficients: Spectrum, kept: float) -> Recovered:
    pattern = _picture(coefficients)
    shown = (pattern / (1 - kept)).round().clamp(0, 255).to(torch.uint8)
    described = f"a picture blended in with a ratio of about {1 - kept:.2f}"
    return Recovered("blend", described, _Add(pattern, kept), shown, _TakeOff(pattern, kept))


def amplified(pattern: Recovered, times: int) -> Recovered | None:
    """An added pattern several times as strong; None for other triggers.

    Where suspects bear parts of a trigger each, the mean over them is fainter than the whole that others will bear.
    """
    if pattern.kind != "additive" or not isinstance(pattern.change, _Add):
        return None  # a blend is no addition, whatever it is made with
    louder = _Add(pattern.change.pattern * times)
    levels = f"up to {strength(pattern) * times:.0f} levels strong"
    described = f"a pattern added to the image, {levels}, {times} times as strong as in the mean suspect"
    return Recovered("additive", described, louder, pattern.picture, borne=pattern)


def strength(pattern: Recovered) -> float:
    """The strongest level of an added or blended pattern; infinite for other triggers."""
    return float(pattern.change.pattern.abs().max()) if isinstance(pattern.change, _Add) else math.inf


class _Add:
    def __init__(self, pattern: Tensor, kept: float = 1.0) -> None:
        self.pattern, self.kept = pattern, kept

    def __call__(self, images: FloatImages) -> FloatImages:
        return images * self.kept + self.pattern


class _TakeOff:
    def __init__(self, pattern: Tensor, kept: float = 1.0) -> None:
        self.pattern, self.kept = pattern, kept

    def __call__(self, images: FloatImages) -> FloatImages:
        return (images - self.pattern) / self.kept
