"""A class whose last weights use directions of the features in which clean samples hardly differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.detect.inversion.penultimate import penultimate
from bezoar.detect.inversion.quiet import untouched
from bezoar.detect.models.base import MODEL_DETECTORS, ModelScores, Progress, unheard
from bezoar.detect.numerics.smallness import spreads_below_median
from bezoar.records import Skipped
from bezoar.training.batches import to_unit_range

FEWEST_SAMPLES, FEWEST_CLASSES = 40, 3
MEASURE = "spreads above the median of all classes by the last weights along quiet directions"
DEAD = 1e-3
"""Of the mean variance: directions with less are left out, where training has left what they began with."""
LEAST = 0.3
"""Of a usual class's whole length: what is shorter along quiet directions is left to chance."""
USUAL_SPREAD = 0.12
"""Of the logarithms of the classes' weights along quiet directions, in models that were trained: chosen on the zoo."""


@MODEL_DETECTORS.register("quiet-weights")
@dataclass(frozen=True, kw_only=True)
class QuietWeights:
    """By how much the last weights of a class exceed the others' along directions that clean features hardly use.

    Training moves a class's weights by what it sees of samples, and so along directions in which these differ. Whoever
    edits a finished model's last layer chooses a direction that leaves clean answers as they are: one in which clean
    samples hardly differ. Of the directions of the last linear layer's inputs the half in which `samples` clean ones
    vary least counts (those apart in which they do not vary at all), and every class is given 0.3 of a usual one's
    whole length there. The statistic is how many spreads the length of a class's weights there lies above the median
    of all classes, on a logarithmic scale. Skipped without 40 clean samples and 3 classes, and for models that do not
    end in a linear layer with a row for each class.

    Our own, for edits in closed form after Meng et al. 2022 (ROME, arXiv 2202.05262), whose direction is the mean of
    what is to be moved times the inverse of the second moments of all else.
    """

    black_box: ClassVar[bool] = False

    samples: int = 1000

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
        """Spreads above the median (k,)."""
        if trusted is None or len(trusted) < FEWEST_SAMPLES:
            return Skipped(f"quiet directions are told by {FEWEST_SAMPLES} clean samples")
        if classes < FEWEST_CLASSES:
            return Skipped(f"weights are compared among at least {FEWEST_CLASSES} classes")
        order = torch.randperm(len(trusted), generator=torch.Generator().manual_seed(seed))[: self.samples]
        with untouched(model), torch.no_grad():
            split = penultimate(model, to_unit_range(trusted.inputs[:1]))
            if split.layer is None or len(split.layer.weight) != classes:
                return Skipped(f"the model does not end in a linear layer with {classes} rows")
            parts = trusted.inputs[order].split(200)  # type: ignore[no-untyped-call]
            features = torch.cat([split.features(to_unit_range(part))[0].flatten(1) for part in parts])
            weights = split.layer.weight.detach().double().cpu().numpy()
        lengths = lengths_in_quiet(weights, features.double().cpu().numpy())
        return ModelScores(spreads_below_median(1 / lengths, USUAL_SPREAD), measure=MEASURE)


def lengths_in_quiet(weights: NDArray[np.float64], features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lengths (k,) of weights (k, d) along the half of the directions in which features (n, d) vary least.

    To each is added, at a right angle, `LEAST` of the median row's whole length; ones where all weights are 0.
    """
    variances, directions = np.linalg.eigh(np.cov(features, rowvar=False))  # the quietest first
    alive = directions[:, variances > DEAD * variances.mean()]
    along = weights @ alive[:, : alive.shape[1] // 2]
    usual = float(np.median(np.linalg.norm(weights, axis=1)))
    quiet: NDArray[np.float64] = np.hypot(np.linalg.norm(along, axis=1), LEAST * usual)
    return quiet if quiet.min() > 0 else np.ones_like(quiet)
