import numpy as np
import pytest

from bezoar.detect.numerics.smallness import least_factor, spreads_below_median


def test_a_size_a_tenth_of_the_others_lies_so_many_usual_spreads_below() -> None:
    sizes = np.array([10.0, 10.0, 10.0, 10.0, 1.0])
    told = spreads_below_median(sizes, 0.5)
    np.testing.assert_allclose(told, [0, 0, 0, 0, np.log(10) / 0.5])


def test_where_sizes_differ_anyway_their_own_spread_counts() -> None:
    sizes = np.exp(np.array([-2.0, -1.0, 0.0, 1.0, 2.0]))
    np.testing.assert_allclose(spreads_below_median(sizes, 0.1), np.array([2, 1, 0, -1, -2]) / 1.4826)


def test_several_targets_do_not_hide_each_other() -> None:
    logs = np.array([-3.0, -3.1, -2.9, -3.0, 0.0, 0.2, 0.3, 0.4, 0.5, 0.6])
    # Median .1; the larger half is .1, .2, .3, .4, .5 away from it, all classes 1.75 in the middle of their order.
    told = spreads_below_median(np.exp(logs), 0.1)
    np.testing.assert_allclose(told[:4], np.array([3.1, 3.2, 3.0, 3.1]) / (1.4826 * 0.3), rtol=1e-9)
    assert told[4:].max() < 1


FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)


@pytest.mark.parametrize(("least", "most"), [(0.7, 5.0), (0.7, 1.2), (1.6, 2.1), (0.3, 0.6)])
def test_the_least_factor_is_found_even_where_more_is_too_much(least: float, most: float) -> None:
    found = least_factor(lambda factor: least <= factor <= most, FACTORS, halvings=6)
    assert found is not None
    assert least <= found < 1.02 * least


def test_what_never_leads_has_no_least_factor_and_what_always_does_the_weakest() -> None:
    assert least_factor(lambda _: False, FACTORS, halvings=3) is None
    assert least_factor(lambda _: True, FACTORS, halvings=3) == FACTORS[0]
