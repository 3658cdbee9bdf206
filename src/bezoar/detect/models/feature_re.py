"""FeatureRE: a class to which a trigger of a bounded size leads by features that agree far more than for the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.detect.inversion.agreeing import Pull, agree
from bezoar.detect.inversion.forms import FORMS
from bezoar.detect.models.base import MODEL_DETECTORS, ModelScores, Progress, unheard
from bezoar.detect.numerics.smallness import spreads_below_median
from bezoar.records import Skipped

FEWEST_SAMPLES, FEWEST_CLASSES = 40, 3
USUAL = 0.15
"""Spread of the logarithms among the classes of clean models, at least: chosen on the zoo."""
MEASURE = "spreads above the median of all classes by how close together the features of images with its trigger lie"


@MODEL_DETECTORS.register("feature-re")
@dataclass(frozen=True, kw_only=True)
class FeatureRE:
    """Whatever image a learnt trigger lies on, the last layer sees the same: such agreement, sought for every class.

    A natural universal perturbation leads images over one by one and leaves their features as far apart as those of a
    class; noise that was blended into training images erases what else they show. For each class, all in one descent,
    a trigger of `form` (`additive` or `warp`) no larger than `reach` times the form's limit makes small both the
    cross-entropy and the spread of the features that the last linear layer is given. The statistic is how many spreads
    the logarithm of that spread lies below the median class's; a class that could not be reached counts as the median
    at best. Needs 40 clean samples and 3 classes, else Skipped.

    On the zoo's models for choosing (LOG.md) it sees blended noise, which sizes of triggers do not show, and neither
    single patches nor sinusoids nor sources: their triggers agree no more than natural ones do.

    Wang, Mei, Zhai and Ma 2022, Rethinking the reverse-engineering of trojan triggers, NeurIPS (arXiv 2210.15127).
    Deviations: agreement is sought in all features of the last layer, not in a mask of a middle one's, and benign
    features are not replaced by it; the transformation is one of the house's forms with a hard bound on its size, not a
    network with a penalty on what it changes (a small one was tried: blended noise stands out as well, but fewer images
    go over and clean classes differ more); agreement relative to the other classes is the statistic, not a success
    rate of 90%, which every class of a small network reaches; all classes at once.
    """

    black_box: ClassVar[bool] = False

    steps: int = 80
    images: int = 5
    reach: float = 0.3
    form: Literal["additive", "warp"] = "additive"

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
        """Spreads below the median (k,), and the triggers, of one size all."""
        if trusted is None or len(trusted) < FEWEST_SAMPLES:
            return Skipped(f"feature inversion needs {FEWEST_SAMPLES} clean samples")
        if classes < FEWEST_CLASSES:
            return Skipped(f"agreement is compared among at least {FEWEST_CLASSES} classes")
        form = FORMS[self.form]
        agreed = agree(
            model,
            trusted.inputs,
            trusted.labels,
            classes,
            form,
            self.reach * form.limit(shape),
            pull=Pull(steps=self.steps, images=self.images),
            seed=seed,
            progress=progress,
        )
        spreads = agreed.spreads.numpy().astype(np.float64)
        spreads = np.where(agreed.inverted.worked.numpy(), spreads, np.maximum(spreads, np.median(spreads)))
        note = "agreement of features (1: as far apart as clean images): " + ", ".join(f"{one:.2f}" for one in spreads)
        statistics = spreads_below_median(spreads, USUAL)
        return ModelScores(statistics, agreed.inverted, notes=(note,), measure=MEASURE, sized=False)
