import numpy as np

from bezoar.detect.numerics.smallness import spreads_below_median


def test_a_size_a_tenth_of_the_others_lies_so_many_usual_spreads_below() -> None:
    sizes = np.array([10.0, 10.0, 10.0, 10.0, 1.0])
    told = spreads_below_median(sizes, 0.5)
    np.testing.assert_allclose(told, [0, 0, 0, 0, np.log(10) / 0.5])


def test_where_sizes_differ_anyway_their_own_spread_counts() -> None:
    sizes = np.exp(np.array([-2.0, -1.0, 0.0, 1.0, 2.0]))
    np.testing.assert_allclose(spreads_below_median(sizes, 0.1), np.array([2, 1, 0, -1, -2]) / 1.4826)
