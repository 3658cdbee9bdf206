"""Is a line of numbers one heavy-tailed group, or that and an odd one above it?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammaln

from bezoar.evidence import Real

FREEDOMS = (4.0, 8.0, 30.0)
"""Degrees of freedom tried for the main group: what is natural has heavier tails than a normal distribution."""
SHARES = (0.02, 0.1, 0.35)
"""Shares of the numbers with which the search for an odd group begins."""
LEAST_VARIANCE = 0.05


MOST = 4000
"""Of more numbers, this many evenly spaced quantiles are fitted: the same answer in bounded time."""


@dataclass(frozen=True)
class TwoGroups:
    """A main group (Student's t with `freedom`) and an odd one (normal) above it, in the numbers' own units.

    `gain` is the log-likelihood a number that the odd group adds to the best single t distribution, 0 where there is
    none; `share` that of the odd group.
    """

    gain: float
    share: float
    place: float
    scale: float
    freedom: float
    odd_place: float
    odd_scale: float

    @property
    def distance(self) -> float:
        """How far the odd group lies above the main one, in scales of the main one."""
        return (self.odd_place - self.place) / self.scale

    def odds(self, numbers: Real) -> Real:
        """Chance (n,) of each number to belong to the odd group; those beyond its centre count as at the centre."""
        if self.share <= 0:
            return np.zeros(len(numbers))
        capped = np.minimum(numbers, max(self.odd_place, self.place))
        likelihood, odd = self._likelihood(capped)
        chance: Real = np.exp(odd - likelihood)
        return chance

    def _likelihood(self, numbers: Real) -> tuple[Real, Real]:
        odd = np.log(self.share / self.odd_scale) - 0.5 * np.log(2 * np.pi)
        odd = odd - 0.5 * ((numbers - self.odd_place) / self.odd_scale) ** 2
        main = np.log1p(-self.share) + _t_density(numbers, self.place, self.scale, self.freedom)
        return np.logaddexp(odd, main), odd


def two_groups(
    numbers: Real, *, shares: tuple[float, ...] = SHARES, freedoms: tuple[float, ...] = FREEDOMS, steps: int = 25
) -> TwoGroups:
    """Fit both by expectation maximisation, from several beginnings, and say what the odd group adds.

    `numbers` (n,) finite, at least 8. Where no odd group above the main one is found, gain and share are 0.
    """
    ordered = np.sort(numbers)
    if len(ordered) > MOST:
        ordered = ordered[np.linspace(0, len(ordered) - 1, MOST).round().astype(int)]
    middle, unit = robust_scale(ordered)
    values = (ordered - middle) / unit
    singles = [(freedom, *_fit_t(values, freedom)) for freedom in freedoms]
    densities = [float(_t_density(values, place, scale, freedom).sum()) for freedom, place, scale in singles]
    single = max(densities)
    freedom, place, scale = singles[densities.index(single)]
    alone = TwoGroups(0.0, 0.0, place, scale, freedom, place, scale)
    likelihood, best = max((_fit_two(values, freedom, shares, steps) for freedom in freedoms), key=lambda fit: fit[0])
    if likelihood <= single:
        best = alone
    return replace(
        best,
        gain=max(0.0, (likelihood - single) / len(values)),
        place=middle + unit * best.place,
        scale=unit * best.scale,
        odd_place=middle + unit * best.odd_place,
        odd_scale=unit * best.odd_scale,
    )


def robust_scale(numbers: Real) -> tuple[float, float]:
    """Median and 1.4826 times the median absolute deviation; where that is 0 the standard deviation. Never quite 0."""
    middle = float(np.median(numbers))
    unit = 1.4826 * float(np.median(np.abs(numbers - middle)))
    return middle, max(unit if unit > 0 else float(np.std(numbers)), 1e-12)


def _fit_two(values: Real, freedom: float, shares: tuple[float, ...], steps: int) -> tuple[float, TwoGroups]:
    """The likeliest fit of beginnings at each share, taken side by side as (b, n): few numbers cost calls, not sums.

    Minus infinity is the log-likelihood of a fit whose odd group sinks below the main one.
    """
    odds = np.stack([values >= np.quantile(values, 1 - share) for share in shares]).astype(float)
    place, scale = (np.full((len(shares), 1), number) for number in robust_scale(values))
    for _ in range(steps):
        mass = np.maximum(odds.sum(axis=1, keepdims=True), 1e-9)
        share = np.clip(mass / len(values), 1 / len(values), 0.9)
        centre = (odds @ values)[:, None] / mass
        spread = np.sqrt(np.maximum(_moment(odds, values - centre) / mass, LEAST_VARIANCE))
        place, scale = _main_group(values, 1 - odds + 1e-6, freedom, place, scale)
        odd = np.log(share / spread) - 0.5 * np.log(2 * np.pi) - 0.5 * ((values - centre) / spread) ** 2
        likelihood = np.logaddexp(odd, np.log1p(-share) + _t_density(values, place, scale, freedom))
        odds = np.exp(odd - likelihood)
    sums = np.where((centre > place)[:, 0], likelihood.sum(axis=1), -np.inf)
    best = int(sums.argmax())
    part, middle, width, odd_middle, odd_width = (
        float(column[best, 0]) for column in (share, place, scale, centre, spread)
    )
    return float(sums[best]), TwoGroups(0.0, part, middle, width, freedom, odd_middle, odd_width)


def _main_group(values: Real, weights: Real, freedom: float, place: Real, scale: Real) -> tuple[Real, Real]:
    """Two steps towards place and scale (b, 1) of t distributions by weights (b, n), as `_fit_t` takes them."""
    mass = weights.sum(axis=1, keepdims=True)
    for _ in range(2):
        pull = weights * (freedom + 1) / (freedom + ((values - place) / scale) ** 2)
        place = (pull @ values)[:, None] / pull.sum(axis=1, keepdims=True)
        scale = np.sqrt(_moment(pull, values - place) / mass) + 1e-9
    return place, scale


def _moment(weights: Real, apart: Real) -> Real:
    """Weighted sums of squares (b, 1)."""
    found: Real = np.einsum("bn,bn->b", weights, apart * apart)[:, None]
    return found


def _fit_t(values: Real, freedom: float, *, steps: int = 20) -> tuple[float, float]:
    """Place and scale of a t distribution, by iteratively reweighted moments."""
    place, scale = robust_scale(values)
    for _ in range(steps):
        pull = (freedom + 1) / (freedom + ((values - place) / scale) ** 2)
        place = float(pull @ values / pull.sum())
        scale = float(np.sqrt(pull @ (values - place) ** 2 / len(values))) + 1e-9
    return place, scale


def _t_density(values: Real, place: Real | float, scale: Real | float, freedom: float) -> Real:
    """Logarithm of the density of Student's t."""
    constant = gammaln((freedom + 1) / 2) - gammaln(freedom / 2) - 0.5 * np.log(freedom * np.pi) - np.log(scale)
    density: Real = constant - (freedom + 1) / 2 * np.log1p(((values - place) / scale) ** 2 / freedom)
    return density
