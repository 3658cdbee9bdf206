"""Confusion training: samples whose label a confused network still gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bezoar.detect.numerics.within_class import SMALLEST_CLASS, centred_in_class, tail_excess
from bezoar.detect.scores import SAMPLE_DETECTORS, Scores
from bezoar.evidence import Evidence, Real
from bezoar.records import Skipped

AGREEMENT, LOSS = "confused-agreement", "confused-loss"
"""Names in `Evidence.extra` of matrices (n, rounds), as `bezoar.evidence.confused` gives them."""


@SAMPLE_DETECTORS.register("confusion-training")
@dataclass(frozen=True)
class ConfusionTraining:
    """Samples whose label a network still gives after trusted samples taught it wrong ones.

    The score is the loss to the label after the last round, sign turned; where no losses were gathered, the share of
    rounds in which the label was given. The class statistic says how many more of a class than of the others lie in the
    upper tail of scores centred within their class, since a confused network prefers some classes to others.

    Needs `extra["confused-agreement"]`, which takes a trusted set and a training, else Skipped. Assumes trusted samples
    clean and like the others save for the trigger: what they lack (a kind of picture, an honest mark) survives as well.

    Qi et al. 2023 (arXiv 2205.13616). Deviations: samples are ranked by their loss, not flagged by the answer; the
    paper's test of a class for two clusters of features is replaced by the class statistic.
    """

    def score(self, evidence: Evidence, *, trusted: Evidence | None = None, seed: int) -> Scores | Skipped:
        """How well the label survived (n,); `trusted` and `seed` are not used, the training had them."""
        if AGREEMENT not in evidence.extra or not evidence.extra[AGREEMENT].shape[1]:
            return Skipped("no answers of a confused network: they need a trusted set")
        if len(evidence) < SMALLEST_CLASS:
            return Skipped(f"{len(evidence)} samples, and {SMALLEST_CLASS} are needed")
        values = _survival(evidence)
        if not np.isfinite(values).all():
            return Skipped("answers of the confused network are not finite")
        kept = int((evidence.extra[AGREEMENT][:, -1] > 0.5).sum())
        note = f"a confused network still gives {kept:,} of {len(values):,} samples their label"
        excess = tail_excess(centred_in_class(values, evidence.labels), evidence.labels, evidence.classes)
        return Scores(evidence.ids, values, excess, (note,))


def _survival(evidence: Evidence) -> Real:
    if LOSS in evidence.extra:
        return np.asarray(-evidence.extra[LOSS][:, -1].astype(np.float64))
    return np.asarray(np.mean(evidence.extra[AGREEMENT], axis=1, dtype=np.float64))
