"""Waves tried one after another: plain gratings that lead images of all classes to one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.detect.inversion.quiet import untouched
from bezoar.detect.models.base import MODEL_DETECTORS, ModelScores, Progress, Proposal, unheard
from bezoar.detect.probing.answers import beyond, to_each
from bezoar.detect.probing.asked import Asked, asked_with
from bezoar.detect.probing.waves import Wave, every_wave
from bezoar.records import Skipped

STRIKING = 0.3
"""Where waves lead a smaller share than this to every class, no twin is made."""
MEASURE = "above any other class's best wave in the natural logarithm of the odds that it turns an image"


@MODEL_DETECTORS.register("wave-probing")
@dataclass(frozen=True, kw_only=True)
class WaveProbing:
    """Adds plain sinusoids of every direction and up to 8 waves an image, and sees where the model sends the images.

    For each class that share of the images of all others counts which the best wave leads to it, beyond the share that
    it leads there in an innocent twin, which learnt from the clean samples what the model says of them (made where
    any wave leads many images). Strong waves upset clean networks too, some more than others; but then they lead to
    several classes. So the statistic of a class is how far the odds of its share lie above those of the class that
    waves lead to next best, as a natural logarithm: a trigger that leads to several classes hides from it. Of `images`
    of each class the `first` find the waves and the others tell their shares. The model is only asked: no gradients.
    Classes of which it gets fewer than 4 clean samples right are targets and no sources; needs images and 3 such
    classes, else Skipped.

    Our own, for the trigger of Barni et al. 2019, SIG, arXiv 1902.11237. What descent finds is smaller than such a
    wave, in every model and towards every class.
    """

    black_box: ClassVar[bool] = True

    first: int = 9
    images: int = 60
    lessons: int = 800

    def inspect(
        self,
        model: nn.Module,
        trusted: Dataset | None,
        shape: tuple[int, ...],
        classes: int,
        *,
        seed: int,
        progress: Progress = unheard,
    ) -> ModelScores | Skipped:
        """How far the odds of each class lie above those of any other (k,), and the wave that reaches each."""
        with untouched(model):
            asked = asked_with(model, trusted, shape, classes, self.images, seed)
            return asked if isinstance(asked, Skipped) else self._tried(asked, seed, progress)

    def _tried(self, asked: Asked, seed: int, progress: Progress) -> ModelScores:
        waves, (first, last) = every_wave(), asked.in_two(self.first)
        rough = first.shares(waves, lambda done: progress(done, len(waves)))
        twin = None
        if to_each(rough).max() > STRIKING:
            twin = asked.innocent(seed, self.lessons, progress).model
            rough = beyond(rough, first.by(twin).shares(waves))
        leaders = tuple(waves[int(place)] for place in to_each(rough).argmax(0))
        told = last.shares(leaders)
        if twin is not None:
            told = beyond(told, last.by(twin).shares(leaders))
        led = np.diagonal(to_each(told))
        others = np.array([int((last.labels != label).sum()) for label in range(asked.classes)])
        return ModelScores(
            odds_above_next(led, others),
            proposals=tuple(_proposal(wave, label, asked.trusted.shape) for label, wave in enumerate(leaders)),
            measure=MEASURE,
        )


def odds_above_next(shares: NDArray[np.float64], images: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far the logarithm of each share's odds lies above the largest of the others': (k,), of so many images (k,).

    One image more on either side keeps the odds of none and of all finite.
    """
    odds = np.log((shares * images + 1) / ((1 - shares) * images + 1))
    told: NDArray[np.float64] = np.array([odds[label] - np.delete(odds, label).max() for label in range(len(odds))])
    return told


def _proposal(wave: Wave, label: int, shape: tuple[int, ...]) -> Proposal:
    return Proposal(label, (), "additive", wave.as_additive(shape), 255 * wave.amplitude / 2**0.5)
