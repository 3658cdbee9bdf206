"""Contributors: against scipy's own tests, planted odd ones, and how often equal ones are called odd."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import chi2_contingency, fisher_exact, hypergeom, norm

from bezoar.errors import DataError
from bezoar.records import Contributor
from bezoar.scan.honest import concentration, odd_sources, source_remarks
from bezoar.scan.honest.sources import ClassRanks, SourceTable, holm, label_p_value

NAMES = ("cat", "dog", "ship")


def table(n: int = 3000, seed: int = 0, sources: int = 6) -> SourceTable:
    """Labels, contributors and a statistic that has to do with the label, but not with the contributor."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, n)
    names = [f"camera-{number}" for number in generator.integers(0, sources, n)]
    return SourceTable(labels, names, NAMES, {"brightness": labels * 2.0 + generator.normal(size=n)})


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.6, 0.7]), [1, 1])
    assert len(holm([])) == 0


def test_chi_square_against_scipy():
    inside, outside = np.array([30, 45, 20, 0]), np.array([300, 250, 260, 0])
    expected = chi2_contingency(np.stack([inside, outside])[:, :3], correction=False).pvalue
    assert label_p_value(inside, outside) == pytest.approx(expected)


def test_small_tables_are_tested_exactly():
    """Of two classes: twice the smaller tail, times the classes; never below Fisher's test."""
    inside, outside = np.array([4, 0]), np.array([3, 20])
    tail = hypergeom.sf(3, 27, 7, 4)
    assert label_p_value(inside, outside) == pytest.approx(4 * tail)
    assert label_p_value(inside, outside) >= fisher_exact(np.stack([inside, outside])).pvalue
    assert label_p_value(np.array([5, 0]), np.array([9, 0])) == 1


def test_the_rank_test_against_all_permutations():
    """Mean and variance, tied values among them, from every choice of 3 of class 0 and 1 of class 1."""
    values, labels = np.array([1.0, 2, 2, 5, 7, 3, 3, 8]), np.array([0, 0, 0, 0, 0, 1, 1, 1])
    ranks = ClassRanks.of(values, labels)
    totals = [
        ranks.scores[list(first)].sum() + ranks.scores[second]
        for first in combinations(range(5), 3)
        for second in range(5, 8)
    ]
    rows = np.array([1, 3, 4, 7])
    effect, p_value = ranks.shift(rows)
    assert np.mean(totals) == pytest.approx(0, abs=1e-12)
    assert effect == pytest.approx(ranks.scores[rows].mean())
    assert p_value == pytest.approx(2 * norm.sf(abs(ranks.scores[rows].sum()) / np.std(totals)))


def test_equal_contributors_are_not_odd():
    assert [odd_sources(table(seed=seed)) for seed in range(20)] == [()] * 20


def test_p_values_of_equal_contributors_are_uniform():
    p_values = []
    for seed in range(60):
        same = table(n=600, seed=100 + seed)
        ranks = ClassRanks.of(same.statistics["brightness"], same.labels)
        p_values += [ranks.shift(rows)[1] for rows in same.members().values()]
    assert abs(np.mean(np.array(p_values) < 0.1) - 0.1) < 0.05


def test_a_contributor_of_one_class_is_odd_in_labels_only():
    plain = table()
    names = list(plain.sources)
    for row in np.flatnonzero(plain.labels == 2)[:150].tolist():
        names[row] = "ships-only"
    odd = odd_sources(SourceTable(plain.labels, names, NAMES, plain.statistics))
    assert [(one.source, one.respect, one.class_name) for one in odd] == [("ships-only", "labels", "ship")]
    # Two thirds of the others are no ships, and more of them since these ships left.
    assert odd[0].effect == pytest.approx(
        1 - np.mean([label == 2 for label, name in zip(plain.labels, names, strict=True) if name != "ships-only"])
    )
    (remark,) = source_remarks(odd)
    assert remark.kind == "odd source"
    assert "Odd is not poisoned" in remark.sentence
    assert remark.examples[0][0] == "ships-only"


def test_a_bright_camera_is_odd_in_brightness_only():
    plain = table()
    bright = np.array([name == "camera-3" for name in plain.sources])
    moved = SourceTable(
        plain.labels, plain.sources, NAMES, {"brightness": plain.statistics["brightness"] + 1.5 * bright}
    )
    odd = odd_sources(moved)
    assert [(one.source, one.respect) for one in odd] == [("camera-3", "brightness")]
    assert odd[0].effect > 0.2


def test_rows_without_contributor_and_single_contributors_say_nothing():
    plain = table(n=300)
    assert odd_sources(SourceTable(plain.labels, [None] * 300, NAMES)) == ()
    assert odd_sources(SourceTable(plain.labels, ["one"] * 300, NAMES)) == ()
    half = [name if row % 2 else None for row, name in enumerate(plain.sources)]
    assert set(SourceTable(plain.labels, half, NAMES).members()) == {f"camera-{number}" for number in range(6)}


def test_concentration_against_scipy():
    ids = [f"s{row}" for row in range(1000)]
    sources = [f"u{row % 20:02}" for row in range(1000)]
    suspects = [f"s{row}" for row in range(3, 603, 20)] + ["s0", "s1", "s24"]  # 30 of u03, and one of three others
    (found,) = concentration(suspects, ids, sources)
    expected = 20 * hypergeom.sf(29, 1000, 50, 33)
    assert found == Contributor("u03", 30, 50, pytest.approx(expected))


def test_suspects_spread_at_random_are_concentrated_nowhere():
    ids = [f"s{row}" for row in range(2000)]
    sources = [f"u{row % 40:02}" for row in range(2000)]
    alarms = 0
    for seed in range(60):
        rows = np.random.default_rng(seed).choice(2000, 100, replace=False)
        alarms += bool(concentration([ids[row] for row in rows], ids, sources, level=0.05))
    assert alarms <= 7  # 3 expected, and exact tests stay below; over 7 has a chance of 1 in 100


def test_without_contributors_no_concentration():
    ids = ["a", "b", "c"]
    assert concentration(["a"], ids, None) == ()
    assert concentration(["a"], ids, ["x", "x", "x"]) == ()
    assert concentration([], ids, ["x", "y", "x"]) == ()
    with pytest.raises(DataError, match="not among"):
        concentration(["z"], ids, ["x", "y", "x"])


def test_lengths_and_numbers_are_checked():
    with pytest.raises(DataError, match="sources"):
        SourceTable(np.zeros(3, np.int64), ["a"], NAMES)
    broken = SourceTable(
        np.zeros(4, np.int64), ["a", "b", "a", "b"], NAMES, {"brightness": np.array([0, 1, np.nan, 2])}
    )
    with pytest.raises(DataError, match="finite"):
        odd_sources(broken)
