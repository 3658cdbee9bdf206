"""STRIP over a training set: samples whose class shows through whatever is laid over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bezoar.detect.numerics.within_class import SMALLEST_CLASS, centred_in_class, tail_excess
from bezoar.detect.scores import SAMPLE_DETECTORS, Scores
from bezoar.evidence import Evidence, Real
from bezoar.records import Skipped

ENTROPY = "superposed-entropy"
"""Name in `Evidence.extra` of entropies (n, overlays), as `bezoar.evidence.superposed` gives them."""


@SAMPLE_DETECTORS.register("strip")
@dataclass(frozen=True)
class Strip:
    """Samples that a probe is sure of although others are laid over them.

    The score is the mean entropy over all overlays, sign turned: in spreads below the median of the class, or, with
    `trusted` evidence of the same entropies, in standard deviations below their mean, as in the paper. The class
    statistic says how many more of a class than of the others lie in the upper tail, in spreads of the class.

    Needs `extra["superposed-entropy"]` and 10 samples in some class, else Skipped. Assumes a trigger that survives
    half its contrast and a probe that learnt it.

    Gao et al. 2019 (arXiv 1902.06531). Deviations: used on training samples, which the probe was trained on, and
    not on inputs at run time; without trusted samples entropies compare within the class instead of with held-out ones.
    """

    def score(self, evidence: Evidence, *, trusted: Evidence | None = None, seed: int) -> Scores | Skipped:
        """Spreads of low entropy (n,); `seed` is not used."""
        if ENTROPY not in evidence.extra or not evidence.extra[ENTROPY].shape[1]:
            return Skipped("no entropies of superposed samples: they need a probe's answers to overlays")
        if not len(evidence) or np.bincount(evidence.labels).max() < SMALLEST_CLASS:
            return Skipped(f"no class has {SMALLEST_CLASS} samples")
        entropy = _mean(evidence)
        if not np.isfinite(entropy).all():
            return Skipped("entropies of superposed samples are not finite")
        values, note = -centred_in_class(entropy, evidence.labels), "entropies compared within the class"
        excess = tail_excess(values, evidence.labels, evidence.classes)
        if trusted is not None and ENTROPY in trusted.extra and len(trusted) >= SMALLEST_CLASS:
            known = _mean(trusted)
            values = (known.mean() - entropy) / (known.std() or 1.0)
            note = f"entropies compared with those of {len(trusted):,} trusted samples"
        return Scores(evidence.ids, values, excess, (note,))


def _mean(evidence: Evidence) -> Real:
    mean: Real = np.mean(evidence.extra[ENTROPY], axis=1, dtype=np.float64)
    return mean
