"""A pattern that was added to, or blended into, whole images."""

from __future__ import annotations

import numpy as np
import torch
from scipy.fft import dctn, idctn
from torch import Tensor

from bezoar.confirm.recover.recovered import Recovered
from bezoar.shapes import FloatImages, Images

SIGNIFICANT = 4.0
"""A coefficient of the mean difference counts if it lies this many standard errors from 0."""
ADDED = 0.95
"""If contrast kept more than this share of the usual, the pattern was added; if less, it was blended in."""
FEWEST_SUSPECTS = 12


def recover_pattern(suspects: Images, ordinary: Images) -> tuple[Recovered, ...]:
    """The pattern in the mean difference between suspects and `ordinary` samples, as added and, where contrast fell, as
    blended: which of them it was, a flip test tells. Empty where nothing differs.

    The difference of means is taken apart by a cosine transform, where natural images vary little in what is fine:
    coefficients of at least 4 standard errors stay, the rest is noise of few samples. Of a blend with ratio r, contrast
    in fine coefficients keeps the share 1 - r; its pattern is the mean of suspects less 1 - r times that of the others.
    """
    if len(suspects) < FEWEST_SUSPECTS:
        return ()
    odd, usual = _spectra(suspects), _spectra(ordinary)
    kept = _contrast_kept(odd, usual)
    added = _significant(odd.mean(0) - usual.mean(0), odd, usual)
    found = [] if not added.any() else [_added(added)]
    if kept < ADDED:
        pattern = odd.mean(0) - kept * usual.mean(0)
        pattern[:, :1, :1] = odd.mean(0)[:, :1, :1] - kept * usual.mean(0)[:, :1, :1]
        found.append(_blended(_significant(pattern, odd, usual * kept), kept))
    return tuple(found)


def _added(coefficients: np.ndarray) -> Recovered:
    pattern = torch.from_numpy(idctn(coefficients, axes=(1, 2), norm="ortho")).to(torch.float32)
    strength = float(pattern.abs().max())
    shown = (128 + pattern / max(strength, 1e-6) * 127).round().clamp(0, 255).to(torch.uint8)
    return Recovered(
        "additive", f"a pattern added to the image, up to {strength:.0f} levels strong", _Add(pattern), shown
    )


def _blended(coefficients: np.ndarray, kept: float) -> Recovered:
    pattern = torch.from_numpy(idctn(coefficients, axes=(1, 2), norm="ortho")).to(torch.float32)
    shown = (pattern / (1 - kept)).round().clamp(0, 255).to(torch.uint8)
    described = f"a picture blended in with a ratio of about {1 - kept:.2f}"
    return Recovered("blend", described, _Add(pattern, kept), shown, _TakeOff(pattern, kept))


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


def _spectra(images: Images) -> np.ndarray:
    spectra: np.ndarray = dctn(images.to(torch.float32).contiguous().numpy(), axes=(2, 3), norm="ortho", workers=1)
    return spectra


def _contrast_kept(odd: np.ndarray, usual: np.ndarray) -> float:
    """Median over coefficients of the ratio of standard deviations, without the lowest, which tell of the class."""
    ratio = odd.std(0) / np.maximum(usual.std(0), 1e-6)
    height, width = ratio.shape[1:]
    fine = np.add.outer(np.arange(height), np.arange(width)) >= 3
    return float(np.clip(np.median(ratio[:, fine]), 0.05, 1.0)) if fine.any() else 1.0


def _significant(difference: np.ndarray, odd: np.ndarray, usual: np.ndarray) -> np.ndarray:
    error = np.sqrt(odd.var(0) / len(odd) + usual.var(0) / len(usual)) + 1e-9
    return np.where(np.abs(difference) > SIGNIFICANT * error, difference, 0.0).astype(np.float32)
