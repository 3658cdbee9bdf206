"""Inversions as detectors: a class to which a far smaller trigger leads than to the others."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.detect.inversion.form import Form, of_one
from bezoar.detect.inversion.forms import Additive, Patch, Warp
from bezoar.detect.inversion.invert import Effort, Hypothesis, Inverted, invert, led
from bezoar.detect.inversion.quiet import untouched
from bezoar.detect.models.base import MODEL_DETECTORS, ModelScores, Progress, unheard
from bezoar.detect.numerics.smallness import spreads_below_median
from bezoar.detect.probing.asked import Asked, right_samples
from bezoar.records import Skipped

FEWEST_SAMPLES, FEWEST_CLASSES = 40, 3
STRIKING = 1.0
"""A smaller statistic of all classes is left as it is."""
OF_A_CLASS = 40
STRENGTHS = (1.0, 1.5, 2.0)
"""A trigger is tried on the twin as strong as it takes, and up to twice as strong."""


@dataclass(frozen=True, kw_only=True)
class InversionDetector:
    """Finds a trigger of one form for every class, all in one descent, and compares their sizes.

    Each of the `steps` shows every class `images` clean images of the others. Triggers are made just as strong as the
    share `enough` of images needs. The statistic of a class is how many
    spreads its trigger lies below the median of all, on a logarithmic scale; a trigger that does not work, or is larger
    than the form's limit, counts as that limit. Needs 40 clean samples and 3 classes, else Skipped.

    Some classes are easily led to by nature, in innocent networks as well. So where any class stands out, an innocent
    twin is made (see `probing/innocent.py`), and the statistic is multiplied by the share of the flips that the twin
    does not share, be the trigger up to twice as strong. A backdoor's trigger moves the twin at no strength.
    """

    black_box: ClassVar[bool] = False

    steps: int = 150
    images: int = 8
    enough: float = 0.8
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
        """Spreads below the median (k,), as far as a twin does otherwise, and the triggers."""
        if trusted is None or len(trusted) < FEWEST_SAMPLES:
            return Skipped(f"trigger inversion needs {FEWEST_SAMPLES} clean samples")
        if classes < FEWEST_CLASSES:
            return Skipped(f"sizes of triggers are compared among at least {FEWEST_CLASSES} classes")
        found = invert(
            model,
            trusted.inputs,
            trusted.labels,
            [Hypothesis(label) for label in range(classes)],
            self.form,
            effort=Effort(steps=self.steps, images=self.images, wanted=(1 + self.enough) / 2, enough=self.enough),
            held_out=0.0,
            seed=seed,
            progress=progress,
        )
        told = self.spreads(counted_sizes(found, self.form.limit(shape)))
        if told.max() > STRIKING and len(shape) == 3:
            own = self._not_shared(model, trusted, found, seed, progress)
            told = np.where(told > 0, told * own, told)
        return ModelScores(told, found)

    def _not_shared(
        self, model: nn.Module, trusted: Dataset, found: Inverted, seed: int, progress: Progress
    ) -> NDArray[np.float64]:
        """Of the flips to each class (k,) the share that the innocent twin does not share."""
        classes = len(found.hypotheses)
        with untouched(model):
            asked = right_samples(model, trusted, classes, OF_A_CLASS, seed)
            twin = asked.innocent(seed, self.lessons, progress)
            done, shared = (_most_flips(one, found) for one in (asked, twin))
        own: NDArray[np.float64] = np.clip(1 - shared / np.maximum(done, 1e-6), 0, 1)
        return own

    def spreads(self, sizes: NDArray[np.float64]) -> NDArray[np.float64]:
        """How many spreads sizes (k,) lie below their median."""
        return spreads_below_median(sizes, self.usual_spread)

    @property
    @abstractmethod
    def form(self) -> Form:
        """The form of trigger that is looked for."""

    @property
    @abstractmethod
    def usual_spread(self) -> float:
        """Spread of the logarithms of sizes among the classes of clean models, at least."""


def _most_flips(asked: Asked, found: Inverted) -> NDArray[np.float64]:
    """The largest share (k,) of the images of other classes that each trigger leads to its class at any strength."""
    shares = [
        [
            led(asked.model, found.form, scaled, asked.images[asked.labels != one.target], torch.tensor(one.target))
            for strength in STRENGTHS
            for scaled in [found.form.scaled(of_one(found.parameters, place), torch.tensor([strength]))]
        ]
        for place, one in enumerate(found.hypotheses)
    ]
    told: NDArray[np.float64] = np.nan_to_num(np.array(shares)).max(1)
    return told


def counted_sizes(found: Inverted, limit: float) -> np.ndarray:
    """Sizes (H,), at most `limit`, which those count that do not work."""
    sizes = np.where(found.worked.numpy(), found.sizes.detach().numpy(), limit).astype(np.float64)
    return np.clip(sizes, 1e-6, limit)


@MODEL_DETECTORS.register("neural-cleanse")
@dataclass(frozen=True, kw_only=True)
class NeuralCleanse(InversionDetector):
    """Patches: sees stamped marks, and whatever a few replaced pixels set off.

    Wang et al. 2019, Neural Cleanse, IEEE S&P. Deviations: all classes at once in one batch; the charge on the mask
    follows the paper, but the mask is finally made as strong as 80% of images need, so that sizes compare; sizes are
    compared on a logarithmic scale, with a floor on their spread.
    """

    @property
    def form(self) -> Form:
        """A mask and a pattern."""
        return Patch()

    @property
    def usual_spread(self) -> float:
        """Chosen on clean models of the zoo."""
        return 0.35


@MODEL_DETECTORS.register("added-pattern")
@dataclass(frozen=True, kw_only=True)
class AddedPattern(InversionDetector):
    """Patterns that are added: sees blends, sinusoids, frequencies, and patches as well.

    A universal perturbation with a target for each class (Moosavi-Dezfooli et al. 2017, arXiv 1610.08401), charged for
    its root mean square as masks are in Neural Cleanse. What leads nearly all images to a class costs patterns of
    nature more than one that was learnt: so 95% of images are asked for.
    """

    enough: float = 0.95

    @property
    def form(self) -> Form:
        """A pattern that is added."""
        return Additive()

    @property
    def usual_spread(self) -> float:
        """Chosen on clean models of the zoo."""
        return 0.13


@MODEL_DETECTORS.register("warp-inversion")
@dataclass(frozen=True, kw_only=True)
class WarpInversion(InversionDetector):
    """Smooth warps, that no mask expresses: sees WaNet and its like.

    No published inversion is limited to this family; it is searched as the others are. See `forms/warp.py`.
    """

    @property
    def form(self) -> Form:
        """Smooth shifts."""
        return Warp()

    @property
    def usual_spread(self) -> float:
        """Chosen on clean models of the zoo."""
        return 0.25
