"""The direction in which a part of a class differs most from the rest, found and judged on different samples."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, lapack

from bezoar.detect.numerics.moments import Moments
from bezoar.detect.numerics.two_groups import TwoGroups, two_groups, two_groups_of
from bezoar.evidence import Real

Single = NDArray[np.float32]

SHARPENINGS = 2
QUANTILES = np.linspace(0.05, 0.95, 19)
FEWEST, FEW = 8, 500
LEAST_SHARE = 0.002
LARGE = 0.25
"""An odd group with more of a class than this could as well be the rest of it."""


class Whitener:
    """Solves with the pooled covariance within classes, in columns of equal variance and with a ridge on its diagonal.

    `penalty` is relative to the variance of a column, so that the same number fits any matrix. Columns that vary by no
    more than rounding (1e-6 of the most variable one, or 1e-5 of their own mean) are left out. Raises DataError where
    no class has two rows.
    """

    def __init__(self, moments: Moments, penalty: float) -> None:
        covariance = moments.covariance
        deviations = np.sqrt(np.maximum(covariance.diagonal(), 0.0))
        floor = np.maximum(1e-6 * deviations.max(initial=0.0), 1e-5 * np.abs(moments.mean))
        self._units = np.where(deviations > floor, deviations, np.inf)
        covariance /= self._units[:, None]
        covariance /= self._units
        covariance[np.diag_indices_from(covariance)] = 1.0 + penalty
        # Not a factor: a few differences at a time are solved for, which would read all of it for each of them.
        factor, _ = cho_factor(covariance, lower=True, overwrite_a=True, check_finite=False)
        inverse, _ = lapack.dpotri(factor, lower=True, overwrite_c=True)
        self._inverse = inverse.astype(np.float32)
        above = np.triu_indices(len(inverse), 1)
        self._inverse[above] = self._inverse.T[above]

    def directions(self, differences: Real) -> Single:
        """Discriminant directions (d, s) of differences (s, d) of means, scaled to unit variance within classes.

        A difference of nothing has no direction: 0.
        """
        scaled = (differences / self._units).astype(np.float32)
        solved = scaled @ self._inverse
        lengths = np.sqrt(np.maximum(np.einsum("sd,sd->s", scaled, solved), 1e-20))
        found: Single = (solved / lengths[:, None] / self._units).astype(np.float32).T
        return found


@dataclass(frozen=True, eq=False)
class OddPart:
    """A part of a class that lies apart: score (m,) of each of its samples in scales of the main part, and how much so.

    `groups` describes the line of numbers that the statistic is of, `excess` is the divergence in nats between the
    shares of this class and of the others beyond the best threshold. `directions` (2, d) are those found on either
    half: the scores are products with them, brought to one origin by `origins`, less `place`, over `scale`. `foreign`
    is the part of the odd group that other classes don't have, where that is asked for.
    """

    scores: Real
    groups: TwoGroups
    excess: float
    directions: Single
    place: float
    scale: float
    foreign: float = 1.0

    @property
    def statistic(self) -> float:
        """Evidence for an odd part: a group of its own, or a share of the class that other classes don't have.

        The two are added at a fixed weight since neither sees all: a part of 5% adds little to the excess, and a
        part of half the class little to the gain. Of the gain, what three more parameters cost by Schwarz's criterion
        is taken off, 1.5 log(m) / m: on few samples any two groups fit better than one. It is divided by the square
        root of the odd share, half way from gain a sample to gain a suspect: a few that lie far apart count as much
        as many that lie a little apart, as natural parts of classes do.
        """
        count = max(2, len(self.scores))
        gain = max(0.0, self.groups.gain - 1.5 * float(np.log(count)) / count)
        return self.foreign * gain / math.sqrt(max(self.groups.share, LEAST_SHARE)) + 0.25 * self.excess


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
    quarters: NDArray[np.integer],
    foreign: bool = False,
) -> OddPart:
    """Search a class for a part that lies apart, from the `starts` most suspicious shares by `first` (m,).

    `rows` (m, d) of the class, `others` (o, d) of other classes less the means of theirs. A direction is always found
    on one half and judged on the other (`halves` (m,) of 0 and 1; whitener h was made without half h). In each of the
    `rounds` the odds of the last take the place of the suspects: a matched filter that sharpens itself. All rounds but
    the last stay within a half, its quarters (`quarters` (m,) of 0 and 1) judging one another, so that nothing that the
    statistic is made of was found on the half it judges: odds that were exchanged between halves would tell a
    direction, by which rows it counts as suspects, a little of what it is to judge, and few samples in many columns
    then fall into two groups, whatever they are. In the end two rounds more across the halves sharpen the scores;
    they rank and are not counted as evidence.

    With `foreign` a group of its own counts only as far as it is more common here than in the other classes: where
    columns are shown or not shown, natural groups abound.
    """
    order = np.lexsort((quarters, halves))
    rows, first, halves = rows[order], first[order], halves[order]
    weights = np.stack([(first >= np.quantile(first, 1 - share)).astype(np.float32) for share in starts])
    bounds = _bounds(halves)
    for half, found_on in ((0, bounds[1]), (1, bounds[0])):
        within, pair = _bounds(quarters[order][found_on]), (whiteners[half], whiteners[half])
        for _ in range(rounds - 1):
            line, _directions = _exchange(rows[found_on], weights[:, found_on], within, pair, first[found_on])
            weights[:, found_on] = _odds(line)
    ordered, directions, elsewhere = _levelled(
        *_exchange(rows, weights, bounds, whiteners, first), bounds, others, other_halves
    )
    scores = np.empty_like(ordered)
    scores[:, order] = ordered
    found = [
        _judged(groups, scores[s], directions[:, s], elsewhere[s], foreign)
        for s, groups in enumerate(two_groups_of(scores))
    ]
    best = max(found, key=lambda part: part.statistic)
    line = scores[[part is best for part in found]][:, order]
    return _sharpened(best, rows, line, order, bounds, whiteners, first)


def _sharpened(
    part: OddPart,
    rows: Single,
    line: Real,
    order: NDArray[np.integer],
    bounds: tuple[slice, slice],
    whiteners: tuple[Whitener, Whitener],
    first: Real,
) -> OddPart:
    """The same part with scores of SHARPENINGS rounds more across the halves, from its `line` (1, m) in `order`."""
    directions = part.directions[:, None]
    for _ in range(SHARPENINGS):
        line, directions = _exchange(rows, _odds(line), bounds, whiteners, first)
    scores = np.empty(len(order))
    scores[order] = line[0]
    groups = two_groups(scores)
    return replace(
        part,
        scores=(scores - groups.place) / groups.scale,
        directions=directions[:, 0],
        place=groups.place,
        scale=groups.scale,
    )


def _bounds(parts: NDArray[np.integer]) -> tuple[slice, slice]:
    """Where parts 0 and 1 lie in rows that are sorted by part: slices of them are no copies."""
    split = int(np.searchsorted(parts, 1))
    return slice(0, split), slice(split, len(parts))


def _exchange(
    rows: Single,
    weights: Single,
    bounds: tuple[slice, slice],
    whiteners: tuple[Whitener, Whitener],
    first: Real,
) -> tuple[Real, Single]:
    """Scores (s, m) of each of two parts of the rows by directions (2, s, d) from the other one, on one origin.

    `weights` (s, m) say how far a row is a suspect. Of fewer than 500 rows the origin of a part is its median. Where a
    large group lies above the rest, either of the two could be the odd one: `first` (m,) says which one is suspected.
    """
    scores = np.zeros(weights.shape)
    differences = np.array([_differences(rows[found_on], weights[:, found_on]) for found_on in bounds[::-1]])
    directions = _whitened(differences, whiteners)
    for part, judged in enumerate(bounds):
        scores[:, judged] = (rows[judged] @ directions[part].T).T
        turned = _wrong_way(scores[:, judged], first[judged])
        scores[turned, judged] = -scores[turned, judged]
        directions[part][turned] *= -1
    found = _medians(scores, bounds) if len(rows) < FEW else origins(scores, bounds)
    for part, offset in enumerate(found):
        scores[:, bounds[part]] -= offset[:, None]
    return scores, directions


def _whitened(differences: Real, whiteners: tuple[Whitener, Whitener]) -> Single:
    """Directions (2, s, d) of differences (2, s, d), each by its own whitener; by one and the same at once."""
    one, other = whiteners
    if one is other:
        return one.directions(differences.reshape(-1, differences.shape[2])).T.reshape(differences.shape)
    return np.array([whitener.directions(part).T for whitener, part in zip(whiteners, differences, strict=True)])


def _wrong_way(scores: Real, first: Real) -> NDArray[np.bool_]:
    """Which lines (s,) of the scores (s, m) have a large upper group that `first` (m,) suspects less than the rest."""
    if not scores.shape[1]:
        return np.zeros(len(scores), bool)
    wrong: NDArray[np.bool_] = (scores - scores.mean(axis=1, keepdims=True)) @ (first - first.mean()) < 0
    wrong[wrong] = _odds(scores[wrong]).mean(axis=1) > LARGE
    return wrong


def _medians(scores: Real, bounds: tuple[slice, slice]) -> tuple[Real, ...]:
    """The median of the scores (s, m) of either part (s,); of few rows it is known better than quantiles are."""
    return tuple(
        np.median(scores[:, turn], axis=1) if scores[:, turn].size else np.zeros(len(scores)) for turn in bounds
    )


def origins(scores: Real, bounds: tuple[slice, slice]) -> tuple[Real, Real]:
    """What to take off the scores (s, m) of either part (s,) so that the two lie one upon the other about 0.

    They are aligned by the median difference between their quantiles, and the first is centred at its median. Medians
    alone won't do: where half of the rows carry a pattern, one part's may fall among the carriers and the other's not.
    """
    first, second = (scores[:, turn] for turn in bounds)
    if not first.shape[1] or not second.shape[1]:
        middle = np.median(scores, axis=1) if scores.shape[1] else np.zeros(len(scores))
        return middle, middle
    between = np.median(np.quantile(second, QUANTILES, axis=1) - np.quantile(first, QUANTILES, axis=1), axis=0)
    middle = np.median(first, axis=1)
    return middle, middle + between


def _levelled(
    scores: Real,
    directions: Single,
    bounds: tuple[slice, slice],
    others: Single,
    other_halves: NDArray[np.integer],
) -> tuple[Real, Single, Real]:
    """The same in units of the spread that rows of other classes have along the directions, half by half; and those
    rows' scores (s, o).

    Of few samples a whitener knows its own variances only, and two halves of unlike spread would look like two groups.
    """
    scores, directions = scores.copy(), directions.copy()
    along = (others @ directions.reshape(-1, others.shape[1]).T).T.reshape(*directions.shape[:2], -1)
    for half, turn in enumerate(bounds):
        elsewhere = along[half][:, other_halves == half]
        if elsewhere.shape[1] >= FEWEST:
            spread = elsewhere.std(axis=1)
            units = np.where(spread > 1e-6, spread, 1.0)[:, None]
            scores[:, turn] /= units
            directions[half] /= units
            along[half] /= units
    return scores, directions, np.where(other_halves == 0, along[0], along[1]).astype(np.float64)


def _odds(scores: Real) -> Single:
    """Odds (s, m) of each row to belong to the upper of two groups; 0 where there are too few rows for groups."""
    if scores.shape[1] < FEWEST:
        return np.zeros(scores.shape, np.float32)
    found = two_groups_of(scores, freedoms=(8.0,), steps=15)
    odds = [groups.odds(line) for groups, line in zip(found, scores, strict=True)]
    return np.array(odds, np.float32).reshape(scores.shape)


def _differences(rows: Single, weights: Single) -> Real:
    """Mean of the suspects less that of the rest (s, d), each sample counted by its weights (s, m)."""
    suspects = weights.sum(axis=1, keepdims=True)
    odd = weights @ rows
    rest = rows.sum(axis=0) - odd
    difference: Real = odd / np.maximum(suspects, 1e-6) - rest / np.maximum(len(rows) - suspects, 1e-6)
    return difference


def _judged(groups: TwoGroups, scores: Real, directions: Single, elsewhere: Real, foreign: bool) -> OddPart:
    standard = (scores - groups.place) / groups.scale
    part = OddPart(standard, groups, excess(scores, elsewhere), directions, groups.place, groups.scale)
    return replace(part, foreign=_foreign(groups, scores, elsewhere)) if foreign and len(elsewhere) else part


def _foreign(groups: TwoGroups, scores: Real, elsewhere: Real) -> float:
    """By how much of its share here the odd group is rarer elsewhere, 0 to 1."""
    here, there = float(groups.odds(scores).mean()), float(groups.odds(elsewhere).mean())
    return max(0.0, 1.0 - there / here) if here > 0 else 0.0


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
