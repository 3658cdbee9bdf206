"""What stands out within its class: values compared with those of the same label, classes with one another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bezoar.evidence import Labels, Real

SMALLEST_CLASS = 10
"""A class of fewer samples has no spread worth the name."""

NORMAL = 1.4826
"""Makes a median absolute deviation the standard deviation of normal values."""


def centred_in_class(values: Real, labels: Labels) -> Real:
    """Each of `values` (n,) less the median of its class, in spreads of the side on which it lies: (n,).

    A spread is the median distance from the median, taken below and above apart, since such values are skewed; and
    of all classes the median, so that a class half of which is poison does not hide it in a wide spread of its own.
    Classes of fewer than `SMALLEST_CLASS` samples are centred, but give no spread. Values must be finite.
    """
    away = np.zeros(len(values))
    sides: list[tuple[float, float]] = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        away[members] = values[members] - np.median(values[members])
        if len(members) >= SMALLEST_CLASS:
            sides.append((_spread(-away[members]), _spread(away[members])))
    below, above = np.median(np.array(sides), axis=0) if sides else (_spread(-away), _spread(away))
    return np.where(away < 0, away / (below or _deviation(away)), away / (above or _deviation(away)))


def tail_excess(scores: Real, labels: Labels, classes: int, *, share: float = 0.01) -> Real:
    """How many more of a class than of the others lie in the upper tail: standard deviations (classes,).

    The tail begins for each class where the share `share` of all other classes' scores lies above. NaN for a class of
    fewer than `SMALLEST_CLASS` samples and for one without as many others.
    """
    excess = np.full(classes, np.nan)
    for label in range(classes):
        own, others = scores[labels == label], scores[labels != label]
        if min(len(own), len(others)) >= SMALLEST_CLASS:
            cut = np.quantile(others, 1.0 - share)
            excess[label] = _binomial_excess(own > cut, others > cut)
    return excess


def excess_of_flags(flagged: NDArray[np.bool_], labels: Labels, classes: int) -> Real:
    """How many more of a class than of the others are flagged: standard deviations (classes,), NaN as `tail_excess`."""
    excess = np.full(classes, np.nan)
    for label in range(classes):
        own, others = flagged[labels == label], flagged[labels != label]
        if min(len(own), len(others)) >= SMALLEST_CLASS:
            excess[label] = _binomial_excess(own, others)
    return excess


def _binomial_excess(own: NDArray[np.bool_], others: NDArray[np.bool_]) -> float:
    # One hit and one miss are added to the others: a share of zero would make every hit infinitely surprising.
    expected = (others.sum() + 1) / (len(others) + 2)
    return float((own.sum() - len(own) * expected) / np.sqrt(len(own) * expected * (1 - expected)))


def _spread(away: Real) -> float:
    """Median of the distances on the positive side."""
    positive = away[away > 0]
    return NORMAL * float(np.median(positive)) if len(positive) else 0.0


def _deviation(away: Real) -> float:
    """The plain standard deviation where a side has no spread, 1 where nothing varies."""
    return float(away.std()) or 1.0
