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

LOWEST, TOGETHER, HIGHEST = 64, 256, 128
"""Of many numbers the lowest and the highest are fitted one by one, all others as so many means of neighbours."""


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

    def moved(self, origin: float, unit: float) -> TwoGroups:
        """The same in other units."""
        return replace(
            self,
            place=origin + unit * self.place,
            scale=unit * self.scale,
            odd_place=origin + unit * self.odd_place,
            odd_scale=unit * self.odd_scale,
        )

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
    return two_groups_of(numbers[None], shares=shares, freedoms=freedoms, steps=steps)[0]


def two_groups_of(
    lines: Real, *, shares: tuple[float, ...] = SHARES, freedoms: tuple[float, ...] = FREEDOMS, steps: int = 25
) -> tuple[TwoGroups, ...]:
    """The same for each of several lines (s, n) of numbers, side by side: fits of few numbers cost calls, not sums."""
    if not len(lines):
        return ()
    ordered = np.sort(lines, axis=1)
    scales = [robust_scale(line) for line in ordered]
    middle, unit = (np.array(column)[:, None] for column in zip(*scales, strict=True))
    values = (ordered - middle) / unit
    beginnings = [np.quantile(values, 1 - share, axis=1) for share in shares]
    points = _points(values)
    singles = [_fit_t(points, freedom) for freedom in freedoms]
    pairs = [_fit_two(points, freedom, np.array(beginnings), steps) for freedom in freedoms]
    found = []
    for line in range(len(lines)):
        single = max((one[line] for one in singles), key=lambda fit: fit[0])
        likelihood, best = max((one[line] for one in pairs), key=lambda fit: fit[0])
        chosen = best if likelihood > single[0] else single[1]
        gain = max(0.0, (likelihood - single[0]) / values.shape[1])
        found.append(replace(chosen.moved(*scales[line]), gain=gain))
    return tuple(found)


def robust_scale(numbers: Real) -> tuple[float, float]:
    """Median and 1.4826 times the median absolute deviation; where that is 0 the standard deviation. Never quite 0."""
    middle = float(np.median(numbers))
    unit = 1.4826 * float(np.median(np.abs(numbers - middle)))
    return middle, max(unit if unit > 0 else float(np.std(numbers)), 1e-12)


@dataclass(frozen=True, eq=False)
class _Points:
    """Numbers (s, 1, m) of several lines, each of which stands for `weights` (m,) of them, `total` in all."""

    values: Real
    weights: Real
    total: int

    def sums(self, weights: Real) -> Real:
        """Sums (s, b, 1) over the points of weights (s, b, m) that count them already."""
        found: Real = weights.sum(axis=2, keepdims=True)
        return found

    def products(self, weights: Real, numbers: Real) -> Real:
        """Sums (s, b, 1) of the numbers (s, 1 or b, m) by those weights (s, b, m)."""
        found: Real = np.einsum("sbm,sbm->sb", weights, np.broadcast_to(numbers, weights.shape))[:, :, None]
        return found

    def likelihood(self, densities: Real) -> Real:
        """Log-likelihoods (s, b) of all numbers, by the logarithms of densities (s, b, m)."""
        found: Real = densities @ self.weights
        return found


def _points(values: Real) -> _Points:
    """Sorted numbers (s, n), of many those in the middle by means of neighbours."""
    count = values.shape[1]
    if count <= LOWEST + TOGETHER + HIGHEST:
        return _Points(values[:, None], np.ones(count), count)
    high = count - HIGHEST
    between = np.linspace(LOWEST, high, TOGETHER + 1).round().astype(int)[:-1]
    bounds = np.concatenate([np.arange(LOWEST), between, np.arange(high, count)])
    weights = np.diff(bounds, append=count).astype(float)
    return _Points((np.add.reduceat(values, bounds, axis=1) / weights)[:, None], weights, count)


def _fit_two(points: _Points, freedom: float, beginnings: Real, steps: int) -> list[tuple[float, TwoGroups]]:
    """Log-likelihood and groups of each line, the likeliest fit of `beginnings` (b, s), values above which are odd.

    Minus infinity is the log-likelihood of a fit whose odd group sinks below the main one.
    """
    values = points.values
    odds = (values >= beginnings.T[:, :, None]).astype(float)
    place, scale = np.zeros((*odds.shape[:2], 1)), np.ones((*odds.shape[:2], 1))
    for _ in range(steps):
        weighed = odds * points.weights
        mass = np.maximum(points.sums(weighed), 1e-9)
        share = np.clip(mass / points.total, 1 / points.total, 0.9)
        centre = points.products(weighed, values) / mass
        apart = values - centre
        spread = np.sqrt(np.maximum(points.products(weighed, apart * apart) / mass, LEAST_VARIANCE))
        place, scale = _main_group(points, (1 - odds + 1e-6) * points.weights, freedom, place, scale)
        odd = np.log(share / spread) - 0.5 * np.log(2 * np.pi) - 0.5 * (apart / spread) ** 2
        likelihood = np.logaddexp(odd, np.log1p(-share) + _t_density(values, place, scale, freedom))
        odds = np.exp(odd - likelihood)
    sums = np.where((centre > place)[:, :, 0], points.likelihood(likelihood), -np.inf)
    best = sums.argmax(axis=1)
    chosen = zip(
        *(column[np.arange(len(best)), best, 0] for column in (share, place, scale, centre, spread)), strict=True
    )
    groups = [
        TwoGroups(0.0, float(part), float(middle), float(width), freedom, float(above), float(wide))
        for part, middle, width, above, wide in chosen
    ]
    return list(zip(sums.max(axis=1).tolist(), groups, strict=True))


def _main_group(points: _Points, weights: Real, freedom: float, place: Real, scale: Real) -> tuple[Real, Real]:
    """Two steps towards place and scale (s, b, 1) of t distributions by weights (s, b, m), as `_fit_t` takes them."""
    mass = points.sums(weights)
    for _ in range(2):
        apart = points.values - place
        pull = weights * (freedom + 1) / (freedom + (apart / scale) ** 2)
        place = points.products(pull, points.values) / points.sums(pull)
        scale = np.sqrt(points.products(pull, (points.values - place) ** 2) / mass) + 1e-9
    return place, scale


def _fit_t(points: _Points, freedom: float, *, steps: int = 20) -> list[tuple[float, TwoGroups]]:
    """Log-likelihood and place and scale of a t distribution alone, by iteratively reweighted moments."""
    lines = len(points.values)
    place, scale = np.zeros((lines, 1, 1)), np.ones((lines, 1, 1))
    everyone = np.broadcast_to(points.weights, (lines, 1, len(points.weights)))
    for _ in range(steps // 2):
        place, scale = _main_group(points, everyone, freedom, place, scale)
    sums = points.likelihood(_t_density(points.values, place, scale, freedom))[:, 0].tolist()
    alone = [
        TwoGroups(0.0, 0.0, at, wide, freedom, at, wide)
        for at, wide in zip(place[:, 0, 0].tolist(), scale[:, 0, 0].tolist(), strict=True)
    ]
    return list(zip(sums, alone, strict=True))


def _t_density(values: Real, place: Real | float, scale: Real | float, freedom: float) -> Real:
    """Logarithm of the density of Student's t."""
    constant = gammaln((freedom + 1) / 2) - gammaln(freedom / 2) - 0.5 * np.log(freedom * np.pi) - np.log(scale)
    density: Real = constant - (freedom + 1) / 2 * np.log1p(((values - place) / scale) ** 2 / freedom)
    return density
