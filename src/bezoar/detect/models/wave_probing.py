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
from bezoar.detect.probing.answers import Shares, beyond, to_each
from bezoar.detect.probing.asked import Asked, asked_with
from bezoar.detect.probing.waves import HIGHEST, Wave, every_wave
from bezoar.records import Skipped

USUAL = ((4.0, 0.25), (5.0, 0.3), (6.0, 0.5), (7.0, 0.65), (HIGHEST, 0.8))
"""Up to a frequency, the largest share that waves reach on clean models for choosing beyond what their twins do."""
MEASURE = "times the most that waves do to models without a backdoor"


@MODEL_DETECTORS.register("wave-probing")
@dataclass(frozen=True, kw_only=True)
class WaveProbing:
    """Adds plain sinusoids of every direction and up to 8 waves an image, and sees where the model sends the images.

    What is told of a class is the share of the images of all others that the best wave leads to it, beyond the share
    that it leads there in an innocent twin, which learnt from the clean samples what the model says of them; in
    units of the largest that clean models of the zoo show. The twin is made only where a wave does as much without
    it. Of `images` of each class a third finds the waves and the others tell their shares. The model is only asked: no
    gradients. Classes of which it gets fewer than 4 clean samples right are targets and no sources; needs images and
    3 such classes, else Skipped.

    Our own, for the trigger of Barni et al. 2019, SIG, arXiv 1902.11237. What descent finds is smaller than such a
    wave, in every model and towards every class.
    """

    black_box: ClassVar[bool] = True

    images: int = 27
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
        """Shares in units of clean models' largest (k,), and the wave that reaches each."""
        with untouched(model):
            asked = asked_with(model, trusted, shape, classes, self.images, seed)
            return asked if isinstance(asked, Skipped) else self._tried(asked, seed, progress)

    def _tried(self, asked: Asked, seed: int, progress: Progress) -> ModelScores:
        waves, (first, last) = every_wave(), asked.in_two()
        rough = first.shares(waves, lambda done: progress(done, len(waves)))
        twin = None
        if statistics(rough, waves).max() > 1:
            twin = asked.innocent(seed, self.lessons, progress).model
            rough = beyond(rough, first.by(twin).shares(waves))
        leaders = tuple(waves[int(place)] for place in statistics(rough, waves).argmax(0))
        told = last.shares(leaders)
        if twin is not None:
            told = beyond(told, last.by(twin).shares(leaders))
        return ModelScores(
            np.diagonal(statistics(told, leaders)).copy(),
            proposals=tuple(_proposal(wave, label, asked.trusted.shape) for label, wave in enumerate(leaders)),
            measure=MEASURE,
        )


def statistics(given: Shares, waves: tuple[Wave, ...]) -> NDArray[np.float64]:
    """Shares (p, k, k) under each wave as multiples (p, k) of what waves of its frequency do to clean models."""
    usual = np.array([next(share for most, share in USUAL if wave.frequency <= most) for wave in waves])
    told: NDArray[np.float64] = to_each(given) / usual[:, None]
    return told


def _proposal(wave: Wave, label: int, shape: tuple[int, ...]) -> Proposal:
    return Proposal(label, (), "additive", wave.as_additive(shape), 255 * wave.amplitude / 2**0.5)
