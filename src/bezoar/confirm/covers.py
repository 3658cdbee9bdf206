"""Samples that bear a known trigger: under their right labels they are covers of a backdoor."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import dctn

from bezoar.confirm.confirm import DETAIL, samples_of
from bezoar.confirm.flips import VALUES_AT_A_TIME, Carriers
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.recover.pattern import Spectra, spectra
from bezoar.confirm.recover.recovered import FEWEST_SUSPECTS, Recovered
from bezoar.confirm.recover.residual import recover_residual
from bezoar.data.dataset import Dataset
from bezoar.shapes import Images

BORNE, ALONG = 0.25, 0.2
"""Covers of adaptive attacks, as such and mixed with as many innocent samples, bear .27 to 1.07 of the trigger, with a
cosine of .32 and more; natural parts of a class (the brightest, finest, bluest) at most .13, with a cosine of .07."""
BORNE_DETAIL, ALONG_DETAIL = 0.1, 0.12
"""The same of a trigger that is all fine detail: .15 to 1.05 with a cosine of .15 and more, natural parts at most .05
and .07. (Beside the class's own detail, which a part of automobiles lacked as poisons do, that part bore .35.)"""
COMPARED = 128

HALF, INNOCENT = 0.5, 0.95
"""Who has half of a trigger bears it, if of the rest of the class, of whom some may be missed poisons, few have."""


def bearers(
    data: Dataset, hypothesis: Hypothesis, trigger: Recovered, *, beside: Collection[str] = ()
) -> tuple[str, ...]:
    """Suspects that bear `trigger`, known from elsewhere, each by itself; all or none where single ones can't tell.

    What a sample has of the trigger is how far it lies along what the trigger would do to the rest of its class, in the
    units of `bears`. A trigger so faint that the rest reaches half of it by chance is for `bears` to see, in all
    together. `beside` are ids of other suspects, which are no part of that rest. None for fewer than 12 others.
    """
    others = _others(data, hypothesis, beside)
    if not data.is_images or len(others) < FEWEST_SUSPECTS:
        return ()
    usual = spectra(others)
    done = _done(data, hypothesis, trigger, others, usual)
    if not done.any():
        return ()
    if float(np.quantile(_borne(others, usual, done), INNOCENT)) >= HALF:
        return hypothesis.suspects if _together(samples_of(data, hypothesis).inputs, usual, done, trigger) else ()
    suspects = Carriers.of(data, data.positions(hypothesis.suspects).numpy()).inputs
    enough = _borne(suspects, usual, done) >= HALF
    return tuple(one for one, is_one in zip(hypothesis.suspects, enough.tolist(), strict=True) if is_one)


def bears(data: Dataset, hypothesis: Hypothesis, trigger: Recovered) -> bool:
    """Whether suspects differ from the rest of their class by what `trigger`, known from elsewhere, would do to it.

    Differences of means are compared coefficient by coefficient of the cosine transform, each in units of its standard
    deviation in the rest of the class: so natural variation, which lies in coarse coefficients, hardly counts.
    Suspects bear at least a quarter of the trigger, and what they differ by lies along it by a cosine of .2 or more.
    False for fewer than 12 suspects or others, and for a trigger with nothing in common from image to image.
    """
    if not data.is_images:
        return False
    others = _others(data, hypothesis, ())
    if len(others) < FEWEST_SUSPECTS:
        return False
    usual = spectra(others)
    done = _done(data, hypothesis, trigger, others, usual)
    return _together(samples_of(data, hypothesis).inputs, usual, done, trigger)


def _done(
    data: Dataset, hypothesis: Hypothesis, trigger: Recovered, others: Images, usual: Spectra
) -> NDArray[np.float64]:
    """What the trigger does to the mean of others, in their standard deviations.

    All fine detail of some samples is that of their pictures too: it counts beside the detail of samples at large, of
    other classes, as poisons mostly are.
    """
    done = spectra(trigger(others))
    if trigger.kind != DETAIL:
        return _difference(done, usual, usual)
    known = sorted(data.ids[row] for row in torch.nonzero(data.labels != hypothesis.target)[:, 0].tolist())
    chosen = tuple(known[:: max(1, len(known) // COMPARED)])
    usually = recover_residual(Carriers.of(data, data.positions(chosen).numpy()).inputs)
    return _difference(done, spectra(usually(others)) if usually else usual, usual)


def _together(suspects: Images, usual: Spectra, done: np.ndarray, trigger: Recovered) -> bool:
    """Whether suspects as a whole differ from the usual by what the trigger has done; False for fewer than 12."""
    if len(suspects) < FEWEST_SUSPECTS:
        return False
    borne, along = (BORNE_DETAIL, ALONG_DETAIL) if trigger.kind == DETAIL else (BORNE, ALONG)
    seen = _difference(spectra(suspects), usual, usual)
    shared, strength = float((done * seen).sum()), float((done**2).sum())
    return shared > borne * strength and shared > along * float(np.sqrt(strength * (seen**2).sum()))


def _borne(images: Images, usual: Spectra, done: np.ndarray) -> np.ndarray:
    """How much of the trigger each image (n,) has: 0 in the mean of the rest of the class, 1 with all of it."""
    weights = np.where(usual.variance > 1e-6, done / np.sqrt(usual.variance + 1e-6), 0.0) / float((done**2).sum())
    step = max(1, VALUES_AT_A_TIME // max(1, math.prod(images.shape[1:])))
    parts = [
        (dctn(part.to(torch.float32).contiguous().numpy(), axes=(2, 3), norm="ortho") - usual.mean) * weights
        for part in torch.split(images, step)
    ]
    return np.concatenate([part.sum((1, 2, 3)) for part in parts])


def _difference(odd: Spectra, other: Spectra, usual: Spectra) -> NDArray[np.float64]:
    """Differences of means in the usual's standard deviations, of coefficients that vary at all."""
    apart: NDArray[np.float64] = (odd.mean - other.mean) / np.sqrt(usual.variance + 1e-6)
    return np.where(usual.variance > 1e-6, apart, 0.0)


def _others(data: Dataset, hypothesis: Hypothesis, beside: Collection[str]) -> Images:
    """Samples of the class that are no suspects, the same whatever the order of the rows; none where there are none."""
    of_class = torch.nonzero(data.labels == hypothesis.target)[:, 0].tolist()
    rest = {data.ids[row] for row in of_class} - {*hypothesis.suspects, *beside}
    if not rest:
        return data.inputs[:0]
    return samples_of(data, Hypothesis(hypothesis.target, tuple(sorted(rest)), hypothesis.signal)).inputs
