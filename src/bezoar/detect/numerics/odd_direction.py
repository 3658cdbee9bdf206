"""The direction in which a part of a class differs most from the rest, found and judged on different samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from bezoar.detect.numerics.moments import Moments
from bezoar.detect.numerics.two_groups import TwoGroups, two_groups
from bezoar.evidence import Real

Single = NDArray[np.float32]


class Whitener:
    """Solves with the pooled covariance within classes, in columns of equal variance and with a ridge on its diagonal.

    `penalty` is relative to the variance of a column, so that the same number fits any matrix.
    """

    def __init__(self, moments: Moments, penalty: float) -> None:
        covariance = moments.covariance
        deviations = np.sqrt(covariance.diagonal())
        self._units = np.where(deviations > 1e-6 * deviations.max(initial=0.0), deviations, np.inf)
        correlation = covariance / self._units[:, None] / self._units
        correlation[np.diag_indices_from(correlation)] = 1.0 + penalty
        factor, lower = cho_factor(correlation, lower=True, overwrite_a=True, check_finite=False)
        self._factor = factor.astype(np.float32), lower

    def directions(self, differences: Real) -> Single:
        """Discriminant directions (d, s) of differences (s, d) of means, scaled to unit variance within classes."""
        scaled = (differences / self._units).astype(np.float32)
        solved = cho_solve(self._factor, scaled.T, check_finite=False)
        lengths = np.sqrt(np.maximum(np.einsum("sd,ds->s", scaled, solved), 1e-20))
        found: Single = (solved / lengths / self._units[:, None]).astype(np.float32)
        return found


@dataclass(frozen=True, eq=False)
class OddPart:
    """A part of a class that lies apart: score (m,) of each of its samples in scales of the main part, and how much so.

    `groups` describes the scores, `excess` is the divergence in nats between the shares of this class and of the others
    beyond the best threshold, and `directions` (2, d) are those found on either half.
    """

    scores: Real
    groups: TwoGroups
    excess: float
    directions: Single

    @property
    def statistic(self) -> float:
        """Evidence for an odd part: a group of its own, or a share of the class that other classes don't have.

        The two are added at a fixed weight since neither sees all: a part of 5% adds little to the excess, and a
        part of half the class little to the gain.
        """
        return self.groups.gain + 0.25 * self.excess


def odd_part(
    rows: Single,
    first: Real,
    halves: NDArray[np.integer],
    others: Single,
    other_halves: NDArray[np.integer],
    whiteners: tuple[Whitener, Whitener],
    *,
    starts: tuple[float, ...],
    rounds: int,
) -> OddPart:
    """Search a class for a part that lies apart, from the `starts` most suspicious shares by `first` (m,).

    `rows` (m, d) of the class, `others` (o, d) of other classes less the means of theirs. A direction is always found
    on one half and judged on the other (`halves` (m,) of 0 and 1; whitener h was made without half h). In each of the
    `rounds` the odds of the last take the place of the suspects: a matched filter that sharpens itself.
    """
    weights = np.stack([(first >= np.quantile(first, 1 - share)).astype(np.float32) for share in starts])
    scores = np.zeros((len(starts), len(rows)))
    directions = np.zeros((2, len(starts), rows.shape[1]), np.float32)
    for _ in range(rounds):
        for half in (0, 1):
            judged = halves == half
            directions[half] = whiteners[half].directions(_differences(rows[~judged], weights[:, ~judged])).T
            held_out = rows[judged] @ directions[half].T
            scores[:, judged] = (held_out - np.median(held_out, axis=0)).T
        weights = np.stack([_quick(line).odds(line) for line in scores]).astype(np.float32)
    found = [_judged(scores[s], directions[:, s], others, other_halves) for s in range(len(starts))]
    return max(found, key=lambda part: part.statistic)


def _differences(rows: Single, weights: Single) -> Real:
    """Mean of the suspects less that of the rest (s, d), each sample counted by its weights (s, m)."""
    suspects = weights.sum(axis=1, keepdims=True)
    odd = weights @ rows
    rest = rows.sum(axis=0) - odd
    difference: Real = odd / np.maximum(suspects, 1e-6) - rest / np.maximum(len(rows) - suspects, 1e-6)
    return difference


def _quick(scores: Real) -> TwoGroups:
    return two_groups(scores, freedoms=(8.0,), steps=15)


def _judged(scores: Real, directions: Single, others: Single, other_halves: NDArray[np.integer]) -> OddPart:
    groups = two_groups(scores)
    elsewhere = np.where(other_halves == 0, others @ directions[0], others @ directions[1])
    return OddPart((scores - groups.place) / groups.scale, groups, excess(scores, elsewhere), directions)


def excess(scores: Real, elsewhere: Real) -> float:
    """Largest divergence in nats between the shares above a threshold, of these scores and of those elsewhere.

    Thresholds are quantiles of the scores; one sample is added elsewhere, so that none there is not infinite evidence.
    """
    thresholds = np.quantile(scores, (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995))
    here = np.array([(scores > threshold).mean() for threshold in thresholds])
    there = np.array([((elsewhere > threshold).sum() + 1) / (len(elsewhere) + 2) for threshold in thresholds])
    rest = np.maximum(1 - here, 1e-9) * np.log(np.maximum(1 - here, 1e-9) / (1 - there))
    divergence = np.maximum(here, 1e-9) * np.log(np.maximum(here, 1e-9) / there) + rest
    return float(np.where(here > there, divergence, 0.0).max())
