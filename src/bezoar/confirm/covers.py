"""Samples that bear a known trigger: under their right labels they are covers of a backdoor."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch

from bezoar.confirm.confirm import samples_of
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.recover.pattern import Spectra, spectra
from bezoar.confirm.recover.recovered import FEWEST_SUSPECTS, Recovered
from bezoar.data.dataset import Dataset
from bezoar.shapes import Images

BORNE, ALONG = 0.25, 0.2
"""Covers of adaptive attacks, as such and mixed with as many innocent samples, bear .27 to 1.07 of the trigger, with a
cosine of .32 and more; natural parts of a class (the brightest, finest, bluest) at most .13, with a cosine of .07."""


def bears(data: Dataset, hypothesis: Hypothesis, trigger: Recovered, *, beside: Collection[str] = ()) -> bool:
    """Whether suspects differ from the rest of their class by what `trigger`, known from elsewhere, would do to it.

    Differences of means are compared coefficient by coefficient of the cosine transform, each in units of its standard
    deviation in the rest of the class: so natural variation, which lies in coarse coefficients, hardly counts.
    Suspects bear at least a quarter of the trigger, and what they differ by lies along it by a cosine of .2 or more.
    `beside` are ids of other suspects, which are no part of that rest. False for fewer than 12 suspects or others, and
    for a trigger with nothing in common from image to image.
    """
    if not data.is_images:
        return False
    suspects, others = samples_of(data, hypothesis).inputs, _others(data, hypothesis, beside)
    if min(len(suspects), len(others)) < FEWEST_SUSPECTS:
        return False
    usual = spectra(others)
    done, seen = _difference(spectra(trigger(others)), usual), _difference(spectra(suspects), usual)
    along, strength = float((done * seen).sum()), float((done**2).sum())
    return along > BORNE * strength and along > ALONG * float(np.sqrt(strength * (seen**2).sum()))


def _difference(odd: Spectra, usual: Spectra) -> np.ndarray:
    """Differences of means in standard deviations, of coefficients that vary at all."""
    return np.where(usual.variance > 1e-6, (odd.mean - usual.mean) / np.sqrt(usual.variance + 1e-6), 0.0)


def _others(data: Dataset, hypothesis: Hypothesis, beside: Collection[str]) -> Images:
    """Samples of the class that are no suspects, the same whatever the order of the rows; none where there are none."""
    of_class = torch.nonzero(data.labels == hypothesis.target)[:, 0].tolist()
    rest = {data.ids[row] for row in of_class} - {*hypothesis.suspects, *beside}
    if not rest:
        return data.inputs[:0]
    return samples_of(data, Hypothesis(hypothesis.target, tuple(sorted(rest)), hypothesis.signal)).inputs
