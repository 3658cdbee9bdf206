"""How well scores tell poisons from the rest. Higher is more suspicious; everything is kept by sample id.

A sample is flagged when its score lies strictly above a threshold, so samples of equal score share one
fate and a cut never takes more false alarms than it was allowed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bezoar.errors import DataError, EmptyDataError, ShapeError, UsageError
from bezoar.metrics.intervals import rate_or_skipped, wilson
from bezoar.records import DetectionMeasurement, OperatingPoint, Rate, Skipped

if TYPE_CHECKING:  # rooms that may not know the truth load this one for its rates
    from bezoar.truth import PoisonTruth

Scores: TypeAlias = NDArray[np.float64]

NO_POISON = "no scored sample is poisoned"
NO_CLEAN = "no scored sample is clean"


def auroc(scores: ArrayLike, is_poison: ArrayLike) -> float | Skipped:
    """Chance that a poison scores above a clean sample, a tie counting half; exact, from integer counts.

    `scores` (n,) finite, `is_poison` (n,) boolean. Skipped when either kind is missing. Raises ShapeError,
    EmptyDataError, or DataError on scores that are not finite.
    """
    poisons, clean = _divided(scores, is_poison)
    if not len(poisons) or not len(clean):
        return Skipped(NO_CLEAN if len(poisons) else NO_POISON)
    ordered = np.sort(clean)
    below = int(np.searchsorted(ordered, poisons, side="left").sum())
    not_above = int(np.searchsorted(ordered, poisons, side="right").sum())
    return (below + not_above) / (2 * len(poisons) * len(clean))


def tpr_at_fpr(scores: ArrayLike, is_poison: ArrayLike, fpr: float) -> OperatingPoint | Skipped:
    """The lowest threshold, among the clean scores, that flags at most a share `fpr` of the clean samples.

    The realised rate is below `fpr` where ties or too few clean samples allow no closer cut. The true-positive
    rate is Skipped without poisons, all of it without clean samples. Raises UsageError on `fpr` outside
    [0, 1), and what `auroc` raises.
    """
    if not 0 <= fpr < 1:
        raise UsageError("a false-positive rate lies in [0, 1)", expected="for instance 0.01", found=str(fpr))
    poisons, clean = _divided(scores, is_poison)
    if not len(clean):
        return Skipped(NO_CLEAN)
    # 0.29 * 100 is a hair under 29 in floating point; the allowance must not lose a sample to that.
    allowed = math.floor(fpr * len(clean) + 1e-9)
    threshold = float(np.sort(clean)[len(clean) - 1 - allowed])
    hits = rate_or_skipped(int((poisons > threshold).sum()), len(poisons), NO_POISON)
    return OperatingPoint(fpr, threshold, hits, realised_fpr(clean, threshold))


def realised_fpr(clean_scores: ArrayLike, threshold: float) -> Rate:
    """Share of entirely clean data that a threshold chosen elsewhere flags. Raises what `auroc` raises."""
    clean = _score_array(clean_scores)
    return wilson(int((clean > threshold).sum()), len(clean))


def measure_detection(
    scores: Mapping[str, float], truth: PoisonTruth, *, fprs: Sequence[float] = (0.01, 0.05)
) -> DetectionMeasurement:
    """Measure a detector's scores by sample id against the truth, in whatever order they come.

    Poisons without a score are counted in `unscored_poisons` and in no rate: they are another part of the
    data, or the detector lost them. Raises EmptyDataError without scores, DataError on one that is not finite.
    """
    if not scores:
        raise EmptyDataError("no sample has a score", remedy="Give a score for at least one sample id")
    for sample_id, score in scores.items():
        if not math.isfinite(score):
            raise DataError(f"the score of {sample_id} is {score}", expected="a finite number")
    values = np.fromiter(scores.values(), dtype=np.float64)
    is_poison = np.array(truth.among(scores), dtype=bool)
    points = (tpr_at_fpr(values, is_poison, fpr) for fpr in fprs)
    return DetectionMeasurement(
        auroc=auroc(values, is_poison),
        operating_points=tuple(point for point in points if isinstance(point, OperatingPoint)),
        poisons=int(is_poison.sum()),
        clean=int((~is_poison).sum()),
        unscored_poisons=len(truth.poison_ids - scores.keys()),
    )


def _divided(scores: ArrayLike, is_poison: ArrayLike) -> tuple[Scores, Scores]:
    """Scores of the poisons and of the rest."""
    values, poisoned = _score_array(scores), np.asarray(is_poison)
    if poisoned.dtype != np.bool_ or poisoned.shape != values.shape:
        raise ShapeError(
            "is_poison must say of each score whether its sample is poisoned",
            expected=f"booleans {values.shape}",
            found=f"{poisoned.dtype} {poisoned.shape}",
        )
    return values[poisoned], values[~poisoned]


def _score_array(scores: ArrayLike) -> Scores:
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1:
        raise ShapeError("scores must have one axis", expected="(n,)", found=str(values.shape))
    if values.size == 0:
        raise EmptyDataError("there are no scores", remedy="Score at least one sample")
    broken = np.flatnonzero(~np.isfinite(values))
    if broken.size:
        raise DataError(f"the score in row {broken[0]} is {values[broken[0]]}", expected="a finite number")
    return values
