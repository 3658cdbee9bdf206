from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bezoar.errors import DataError, EmptyDataError, UsageError
from bezoar.metrics.intervals import McNemar, accuracy_lost, mcnemar_exact, rate_or_skipped, t_interval, wilson
from bezoar.records import AccuracyLost, Rate, Skipped

# A busy machine is slow, not wrong.
STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

COUNTS = st.integers(1, 100_000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))


# Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(successes, trials, low, high):
    rate = wilson(successes, trials)
    assert (rate.low, rate.high) == pytest.approx((low, high), abs=5e-5)


def test_wilson_worked_by_hand():
    # z = 1.959964, z^2 = 3.841459: (5 + z^2/2) / (10 + z^2) -+ z sqrt(2.5 + z^2/4) / (10 + z^2).
    assert wilson(5, 10) == Rate(5, 10, pytest.approx(0.236593, abs=1e-6), pytest.approx(0.763407, abs=1e-6))


@STEADY
@given(COUNTS, st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.9999]))
def test_wilson_holds_the_share_and_mirrors(counts, confidence):
    successes, trials = counts
    rate, mirrored = wilson(successes, trials, confidence), wilson(trials - successes, trials, confidence)
    assert 0 <= rate.low <= rate.value <= rate.high <= 1
    assert rate.low == pytest.approx(1 - mirrored.high, abs=1e-12)
    assert (rate.low == 0) == (successes == 0)
    assert (rate.high == 1) == (successes == trials)


def test_wilson_remembers_its_confidence_and_widens_with_it():
    assert wilson(3, 10).confidence == 0.95
    assert wilson(3, 10, 0.99).confidence == 0.99
    assert wilson(3, 10, 0.99).low < wilson(3, 10).low


def test_wilson_takes_numpy_counts_as_plain_integers():
    rate = wilson(np.int64(3), np.int64(4))
    assert type(rate.successes) is int
    assert type(rate.trials) is int


@pytest.mark.parametrize(("successes", "trials"), [(3, 2), (-1, 5), (1, 0), (0, -1)])
def test_wilson_refuses_counts_that_are_no_share(successes, trials):
    with pytest.raises(DataError, match="no share; expected 0 <= successes <= trials"):
        wilson(successes, trials)


def test_wilson_refuses_no_trials_fractions_and_percentages():
    with pytest.raises(EmptyDataError, match=r"at least one trial.*rate_or_skipped"):
        wilson(0, 0)
    with pytest.raises(TypeError):
        wilson(0.97, 1)  # type: ignore[arg-type]
    for confidence in (0, 1, 95, float("nan")):
        with pytest.raises(UsageError, match="confidence lies between 0 and 1"):
            wilson(1, 2, confidence)


def test_no_trials_are_skipped_but_wrong_counts_are_not():
    assert rate_or_skipped(0, 0, "no samples") == Skipped("no samples")
    assert rate_or_skipped(0, 4, "no samples") == wilson(0, 4)
    with pytest.raises(DataError, match="1 of 0"):
        rate_or_skipped(1, 0, "no samples")


def test_mcnemar_worked_by_hand():
    # 5 coins, 4 or more heads: (5 + 1) / 32; at most 1 head the same.
    assert mcnemar_exact(4, 1) == McNemar(two_sided=pytest.approx(12 / 32), first_worse=pytest.approx(6 / 32))
    assert mcnemar_exact(1, 4) == McNemar(two_sided=pytest.approx(12 / 32), first_worse=pytest.approx(31 / 32))
    assert mcnemar_exact(3, 3).two_sided == 1
    assert mcnemar_exact(0, 0) == McNemar(1.0, 1.0)
    assert mcnemar_exact(10, 0).first_worse == pytest.approx(2**-10)


def test_mcnemar_refuses_negative_counts():
    with pytest.raises(DataError, match="cannot be negative; found -1 and 3"):
        mcnemar_exact(-1, 3)


def test_t_interval_worked_by_hand():
    # Mean 2, standard deviation 1, t(0.975, 2) = 4.302653: 2 -+ 4.302653 / sqrt(3).
    interval = t_interval([1, 2, 3])
    assert (interval.mean, interval.low, interval.high) == pytest.approx((2, -0.484138, 4.484138), abs=1e-6)
    assert interval.values == (1.0, 2.0, 3.0)


def test_t_interval_of_equal_values_is_exactly_that_value():
    interval = t_interval([0.1, 0.1, 0.1])
    assert interval.low == interval.mean == interval.high == 0.1


@pytest.mark.parametrize("values", [[], [0.5]])
def test_t_interval_needs_two_values(values):
    assert t_interval(values) == Skipped(f"{len(values)} value(s): an interval over seeds needs at least two")


def test_t_interval_refuses_what_is_not_finite():
    with pytest.raises(DataError, match="finite values"):
        t_interval([0.5, float("nan")])


def test_what_accuracy_fell_by_worked_by_hand():
    # 22 of 500 gone and 12 come: 10 / 500; variance of +1, -1, 0 is 34/500 - 0.02**2, over 500.
    told = accuracy_lost(22, 12, 500)
    assert (told.lost, told.error) == pytest.approx((0.02, math.sqrt((34 / 500 - 0.0004) / 500)))
    assert (told.gone, told.come, told.trials) == (22, 12, 500)
    assert accuracy_lost(0, 0, 10).error == 0
    assert accuracy_lost(10, 0, 10) == AccuracyLost(1.0, 0.0, 10, 0, 10)
    assert accuracy_lost(1, 3, 10).lost == pytest.approx(-0.2)


def test_its_error_is_that_of_the_difference_of_drawn_answers():
    drawn = np.random.default_rng(0).choice([1, -1, 0], p=[0.1, 0.05, 0.85], size=(4000, 400))
    told = accuracy_lost(40, 20, 400)
    assert drawn.mean(1).std() == pytest.approx(told.error, rel=0.03)


def test_what_accuracy_fell_by_refuses_what_is_no_share():
    with pytest.raises(DataError, match="no share"):
        accuracy_lost(6, 5, 10)
    with pytest.raises(EmptyDataError):
        accuracy_lost(0, 0, 0)
