"""ASSET: samples that a network forgets while it keeps what trusted samples teach it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bezoar.detect.numerics.within_class import SMALLEST_CLASS, excess_of_flags
from bezoar.detect.scores import SAMPLE_DETECTORS, Scores
from bezoar.evidence import Evidence, Real
from bezoar.records import Skipped

LOSS = "asset-loss"
"""Name in `Evidence.extra` of losses (n, rounds), as `bezoar.evidence.asset_rounds` gives them."""

APART = 2.0
"""Standard deviations that must lie between the means of two kinds of losses for a cut to be drawn."""


@SAMPLE_DETECTORS.register("asset")
@dataclass(frozen=True)
class Asset:
    """Samples whose loss rises while a network unlearns the set and keeps a trusted one.

    The score is the loss, mean over the rounds. The cut that parts two kinds of scores is found from a mixture of two
    normal distributions, see `mixture_cut`, and told in the notes; the class statistic says how many more of a class
    than of the others lie above it, in standard deviations, and is None where there is no cut.

    Needs `extra["asset-loss"]`, which takes a trusted set and a training, and 20 samples, else Skipped. Assumes trusted
    samples clean and like the others save for the trigger. Label errors and hard samples have high losses as well.

    Pan et al. 2023 (arXiv 2302.11408). Deviations: see `bezoar.evidence.asset_rounds`; the mean over rounds instead of
    the last; no cut is drawn unless two distributions fit better than one (BIC) and lie apart.
    """

    def score(self, evidence: Evidence, *, trusted: Evidence | None = None, seed: int) -> Scores | Skipped:
        """Mean loss after unlearning (n,); `trusted` is not used, the training had it."""
        if LOSS not in evidence.extra or not evidence.extra[LOSS].shape[1]:
            return Skipped("no losses of an offset training: they need a trusted set")
        if len(evidence) < 2 * SMALLEST_CLASS:
            return Skipped(f"{len(evidence)} samples, and {2 * SMALLEST_CLASS} are needed")
        values: Real = np.mean(evidence.extra[LOSS], axis=1, dtype=np.float64)
        if not np.isfinite(values).all():
            return Skipped("losses of the offset training are not finite")
        cut = mixture_cut(values, seed=seed)
        if cut is None:
            return Scores(evidence.ids, values, notes=("losses are of one kind: no cut",))
        above = values > cut
        note = f"{int(above.sum()):,} of {len(above):,} losses lie above the cut of a mixture, {cut:.3g}"
        return Scores(evidence.ids, values, excess_of_flags(above, evidence.labels, evidence.classes), (note,))


def mixture_cut(values: Real, *, seed: int) -> float | None:
    """Where a mixture of two normal distributions gives a value (n,) to the upper one, None where one fits as well.

    None also where the means lie less than 2 standard deviations (the root of the mean variance) apart, as skewed
    values of one kind are better fitted by two normal distributions as well.
    """
    column = np.sort(values)[:, None]
    if column[0] == column[-1]:
        return None
    from sklearn.mixture import GaussianMixture  # at the top it would cost every command a second

    one, two = (GaussianMixture(kinds, n_init=3, random_state=seed).fit(column) for kinds in (1, 2))
    means, variances = two.means_.ravel(), two.covariances_.ravel()
    if two.bic(column) >= one.bic(column) or np.ptp(means) < APART * np.sqrt(variances.mean()):
        return None
    between = np.linspace(means.min(), means.max(), 1001)
    upper = two.predict_proba(between[:, None])[:, int(means.argmax())] > 0.5
    return float(between[int(upper.argmax())])
