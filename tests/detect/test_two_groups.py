from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm, t

from bezoar.detect.numerics.two_groups import LEAST_VARIANCE, TwoGroups, robust_scale, two_groups, two_groups_of


def planted(share: float, *, far: float = 6.0, count: int = 2000, seed: int = 0):
    """Numbers of a t distribution of 8 degrees of freedom and a normal group `far` above it; which are of the latter."""
    generator = np.random.default_rng(seed)
    odd = np.arange(count) < share * count
    return np.where(odd, generator.normal(far, 0.7, count), generator.standard_t(8, count)), odd


def log_likelihood(values, place, scale, freedom, share=0.0, centre=0.0, spread=1.0):
    main = (1 - share) * t.pdf(values, freedom, place, scale)
    return float(np.log(main + share * norm.pdf(values, centre, spread)).sum())


def test_the_scale_by_hand():
    # Deviations from 3 are 2, 1, 0, 1, 97: their median is 1.
    assert robust_scale(np.array([1.0, 2.0, 3.0, 4.0, 100.0])) == (3.0, pytest.approx(1.4826))
    # Half and more of the numbers alike: the standard deviation of 0, 0, 0, 4 is the root of 3.
    assert robust_scale(np.array([0.0, 0.0, 0.0, 4.0])) == (0.0, pytest.approx(np.sqrt(3)))
    assert robust_scale(np.full(9, 7.0)) == (7.0, 1e-12)


def test_odds_by_hand():
    groups = TwoGroups(0.1, 0.5, place=0.0, scale=1.0, freedom=30.0, odd_place=4.0, odd_scale=1.0)
    odd, main = norm.pdf(4.0, 4.0, 1.0), t.pdf(4.0, 30)
    assert groups.odds(np.array([4.0]))[0] == pytest.approx(odd / (odd + main))
    # A normal group falls faster than a t: what lies beyond its centre must not count as natural again.
    assert groups.odds(np.array([40.0]))[0] == groups.odds(np.array([4.0]))[0]
    assert groups.odds(np.array([-3.0]))[0] < 1e-6
    assert groups.distance == 4.0
    none = TwoGroups(0.0, 0.0, 0.0, 1.0, 4.0, 0.0, 1.0)
    assert none.odds(np.array([-1.0, 50.0])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_the_fit_is_the_likeliest_by_another_optimiser(share):
    values, _ = planted(share, count=400)
    found = two_groups(values, freedoms=(8.0,), steps=200)

    def less_single(p):
        return -log_likelihood(values, p[0], np.exp(p[1]), 8.0)

    def less_two(p):
        spread = np.sqrt(np.exp(2 * p[4]) + LEAST_VARIANCE)
        return -log_likelihood(values, p[0], np.exp(p[1]), 8.0, 1 / (1 + np.exp(-p[2])), p[3], spread)

    single = minimize(less_single, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-8})
    start = [0.0, 0.0, np.log(share / (1 - share)), 6.0, 0.0]
    two = minimize(less_two, start, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-8, "maxiter": 4000})
    assert found.gain == pytest.approx((single.fun - two.fun) / len(values), abs=2e-4)
    assert found.share == pytest.approx(1 / (1 + np.exp(-two.x[2])), abs=0.003)
    assert (found.place, found.scale) == (pytest.approx(two.x[0], abs=0.02), pytest.approx(np.exp(two.x[1]), abs=0.02))
    assert found.odd_place == pytest.approx(two.x[3], abs=0.03)


@pytest.mark.parametrize("freedom", [4, 8, 30])
def test_one_heavy_tailed_group_gains_next_to_nothing(freedom):
    for seed in range(4):
        found = two_groups(np.random.default_rng(seed).standard_t(freedom, 2000))
        assert found.gain < 0.004


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2, 0.5])
def test_a_second_group_is_found_with_its_members(share):
    values, odd = planted(share)
    found = two_groups(values)
    assert found.gain > share
    assert found.share == pytest.approx(share, rel=0.15)
    assert found.odd_place == pytest.approx(6.0, abs=0.4)
    assert ((found.odds(values) > 0.5) == odd).mean() > 0.995


def test_a_small_group_below_is_not_odd():
    """The odd group may be the larger one, but it lies above."""
    values, _ = planted(0.03)
    below = two_groups(-values)
    assert below.gain < 0.5 * two_groups(values).gain
    assert below.share > 0.5
    assert below.odd_place > below.place


def test_units_and_origin_do_not_matter():
    values, _ = planted(0.1)
    plain, moved = two_groups(values), two_groups(1e-3 * values + 40.0)
    assert moved.gain == pytest.approx(plain.gain, abs=1e-6)
    assert moved.share == pytest.approx(plain.share, abs=1e-6)
    assert moved.place == pytest.approx(1e-3 * plain.place + 40, abs=1e-8)
    assert moved.odd_scale == pytest.approx(1e-3 * plain.odd_scale, rel=1e-4)
    assert moved.distance == pytest.approx(plain.distance, rel=1e-4)


def test_the_order_of_numbers_does_not_matter():
    values, _ = planted(0.1)
    assert two_groups(np.random.default_rng(1).permutation(values)) == two_groups(values)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.4])
def test_of_many_numbers_means_of_neighbours_stand_for_all(share, monkeypatch):
    values, _ = planted(share, far=4.0, count=6_000)
    few = two_groups(values)
    monkeypatch.setattr("bezoar.detect.numerics.two_groups.TOGETHER", 6_000)
    many = two_groups(values)
    assert few.gain == pytest.approx(many.gain, abs=6e-4)
    assert few.share == pytest.approx(many.share, abs=0.002)
    assert few.place == pytest.approx(many.place, abs=0.01)


def test_lines_are_fitted_side_by_side_as_they_are_one_by_one():
    lines = np.array([planted(share, count=300, seed=seed)[0] for seed, share in enumerate((0.0, 0.1, 0.5))])
    assert two_groups_of(lines) == tuple(two_groups(line) for line in lines)
    assert two_groups_of(lines[:0]) == ()


@pytest.mark.parametrize("values", [np.zeros(20), np.r_[np.zeros(19), 1.0], np.r_[np.zeros(10), np.ones(10)]])
def test_ties_are_no_failure(values):
    found = two_groups(values)
    numbers = [found.gain, found.share, found.place, found.scale, found.odd_place, found.odd_scale]
    assert np.isfinite(numbers).all()
    assert np.isfinite(found.odds(values)).all()
