"""Comparing a model with references: against answers by hand and by simulation."""

import numpy as np
import pytest
from scipy import stats

from bezoar.detect.numerics.references import LEAST_SPREAD, among_themselves, as_rare, cut_of, stand_out


def test_a_class_is_compared_with_its_namesakes_by_hand() -> None:
    references = [{"cat": 1.0, "dog": 10.0}, {"cat": 3.0, "dog": 12.0}, {"cat": 2.0, "dog": 14.0}]
    said = stand_out({"cat": 6.0, "dog": 12.0}, references)
    # Squares within: cats 2, dogs 8, of 4 degrees of freedom.
    spread = np.sqrt(10 / 4) * np.sqrt(1 + 1 / 3)
    np.testing.assert_allclose(said.usual, [2, 12])
    np.testing.assert_allclose(said.spread, spread)
    np.testing.assert_allclose(said.statistics, [4 / spread, 0])
    assert said.models.tolist() == [3, 3]
    assert said.freedom == 4


def test_a_class_without_namesakes_is_compared_with_all_classes() -> None:
    references = [{"cat": 1.0, "dog": 10.0}, {"cat": 3.0, "dog": 12.0}, {"cat": 2.0, "cow": 14.0}]
    every = np.array([1, 10, 3, 12, 2, 14.0])
    said = stand_out({"cat": 2.0, "cow": 8.0, "bird": 20.0}, references)
    assert said.models.tolist() == [3, 0, 0]
    np.testing.assert_allclose(said.usual, [2, every.mean(), every.mean()])
    np.testing.assert_allclose(said.statistics[2], (20 - 7) / (every.std(ddof=1) * np.sqrt(4 / 3)))


def test_references_that_are_all_the_same_leave_a_least_spread() -> None:
    said = stand_out({"cat": 1.0}, [{"cat": 0.0}] * 4)
    np.testing.assert_allclose(said.statistics, 1 / (LEAST_SPREAD * np.sqrt(1.25)))


def test_one_reference_is_none() -> None:
    with pytest.raises(ValueError, match="too few"):
        stand_out({"cat": 1.0}, [{"cat": 1.0}])


@pytest.mark.parametrize("count", [3, 10])
def test_normal_models_exceed_the_cut_as_often_as_it_says(count: int) -> None:
    generator = np.random.default_rng(0)
    names, trials, alarms = [str(place) for place in range(8)], 1500, 0.1
    usual = generator.normal(size=8) * 5
    over = 0
    for _ in range(trials):
        drawn = usual + 2 * generator.normal(size=(count + 1, 8))
        own, *references = [dict(zip(names, row.tolist(), strict=True)) for row in drawn]
        said = stand_out(own, references)
        over += said.statistics.max() > cut_of(said.freedom, 8, alarms)
    # Bonferroni is a little strict, and classes share a spread.
    assert stats.binomtest(over, trials, alarms).pvalue > 1e-3 or over < alarms * trials
    assert over > 0.6 * alarms * trials


def test_a_reference_unlike_the_others_shows_among_themselves() -> None:
    generator = np.random.default_rng(1)
    references = [{"a": float(x), "b": float(y)} for x, y in generator.normal(size=(6, 2))]
    references[4] = {"a": 30.0, "b": 0.0}
    said = np.array([one.statistics.max() for one in among_themselves(references)])
    assert int(said.argmax()) == 4
    assert said[4] > 10
    assert np.delete(said, 4).max() < 3


def test_as_rare_keeps_the_probability() -> None:
    np.testing.assert_allclose(stats.t.sf(as_rare(5.0, 6, 30), 30), stats.t.sf(5.0, 6))
    assert as_rare(5.0, 30, 30) == pytest.approx(5.0)
    assert as_rare(1e9, 60, 80) == 1e9
