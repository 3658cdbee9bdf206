from __future__ import annotations

import numpy as np
import pytest

from bezoar.detect.numerics.moments import moments
from bezoar.detect.numerics.odd_direction import OddPart, Whitener, excess, odd_part, origins
from bezoar.errors import DataError
from bezoar.metrics.detection import auroc

WIDTH = 20


def mixed(count: int, width: int, generator) -> np.ndarray:
    """Rows whose columns are correlated and of unlike sizes."""
    mixing = np.eye(width) + 0.3 * np.random.default_rng(99).normal(size=(width, width))
    return (generator.normal(size=(count, width)) @ mixing * np.geomspace(0.1, 10, width)).astype(np.float32)


def toy(share: float, *, count: int = 600, width: int = WIDTH, far: float = 2.0, seed: int = 0):
    """What `odd_part` is given of one class, a part of which is shifted in all columns; and which rows those are."""
    generator = np.random.default_rng(seed)
    rows, others = mixed(count, width, generator), mixed(count, width, generator)
    odd = generator.random(count) < share
    rows[odd] += far * np.geomspace(0.1, 10, width).astype(np.float32)
    halves, other_halves = np.arange(count) % 2, np.arange(count) % 2
    quarters = np.arange(count) // 2 % 2
    first = odd + generator.normal(0, 0.7, count)
    return {
        "rows": rows,
        "first": first,
        "halves": halves,
        "others": others,
        "other_halves": other_halves,
        "whiteners": whiteners(rows, others, halves, other_halves),
        "quarters": quarters,
    }, odd


def whiteners(rows, others, halves, other_halves):
    def without(half):
        both = np.concatenate([rows[halves != half], others[other_halves != half]])
        labels = np.repeat([0, 1], [(halves != half).sum(), (other_halves != half).sum()])
        return Whitener(moments(both, labels, 2), 0.01)

    return without(0), without(1)


def searched(parts, *, rounds: int = 4) -> OddPart:
    return odd_part(
        parts["rows"],
        parts["first"],
        parts["halves"],
        parts["others"],
        parts["other_halves"],
        parts["whiteners"],
        starts=(0.05, 0.3),
        rounds=rounds,
        quarters=parts["quarters"],
    )


def test_the_whitener_solves_as_numpy_does():
    rows = mixed(400, WIDTH, np.random.default_rng(1))
    found = moments(rows, np.zeros(400, np.int64), 1)
    covariance = np.cov(rows.astype(np.float64).T)
    ridged = covariance + 0.05 * np.diag(covariance.diagonal())
    differences = np.random.default_rng(2).normal(size=(3, WIDTH))
    direction = np.linalg.solve(ridged, differences.T)
    direction /= np.sqrt((direction * (ridged @ direction)).sum(axis=0))
    np.testing.assert_allclose(Whitener(found, 0.05).directions(differences), direction, rtol=2e-3, atol=2e-4)


def test_columns_that_do_not_vary_are_left_out():
    rows = mixed(200, 4, np.random.default_rng(1))
    with_constants = np.concatenate([rows, np.full((200, 1), 1e4, np.float32), np.zeros((200, 1), np.float32)], axis=1)
    labels = np.zeros(200, np.int64)
    differences = np.ones((1, 6))
    found = Whitener(moments(with_constants, labels, 1), 0.01).directions(differences)
    plain = Whitener(moments(rows, labels, 1), 0.01).directions(differences[:, :4])
    np.testing.assert_allclose(found[:4], plain, rtol=1e-4)
    assert found[4:].tolist() == [[0.0], [0.0]]


def test_rows_that_are_all_alike_have_no_direction():
    rows = np.tile(np.float32([0.1, 0.7, 1e3]), (50, 1))
    found = Whitener(moments(rows, np.zeros(50, np.int64), 1), 0.01)
    assert not found.directions(np.ones((2, 3))).any()
    with pytest.raises(DataError):
        Whitener(moments(rows[:1], np.zeros(1, np.int64), 1), 0.01)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_a_planted_direction_is_found(share):
    parts, odd = toy(share)
    found = searched(parts)
    assert auroc(found.scores, odd) > 0.97
    assert found.statistic > 5 * searched(toy(0.0)[0]).statistic
    shifted = np.geomspace(0.1, 10, WIDTH)
    for direction, whitener in zip(found.directions, parts["whiteners"], strict=True):
        best = whitener.directions(shifted[None])[:, 0]
        scale = np.sqrt(np.cov(parts["others"].T).diagonal())
        assert np.corrcoef(direction * scale, best * scale)[0, 1] > 0.7


def changed_half(parts, half: int):
    """The same toy with other rows in one half: the whitener of that half never saw them and stays as it is."""
    generator = np.random.default_rng(77)
    rows = parts["rows"].copy()
    rows[parts["halves"] == half] = mixed(int((parts["halves"] == half).sum()), rows.shape[1], generator)
    other = whiteners(rows, parts["others"], parts["halves"], parts["other_halves"])
    kept = (parts["whiteners"][0], other[1]) if half == 0 else (other[0], parts["whiteners"][1])
    return {**parts, "rows": rows, "whiteners": kept}


@pytest.mark.parametrize("half", [0, 1])
def test_what_is_counted_as_evidence_does_not_depend_on_the_half_it_judges(half, monkeypatch):
    parts, _ = toy(0.1)
    monkeypatch.setattr("bezoar.detect.numerics.odd_direction.SHARPENINGS", 0)
    one_start = {"starts": (0.1,), "rounds": 4, "quarters": parts["quarters"]}
    keys = ("rows", "first", "halves", "others", "other_halves", "whiteners")
    before = odd_part(*(parts[key] for key in keys), **one_start)
    changed = changed_half(parts, half)
    after = odd_part(*(changed[key] for key in keys), **one_start)
    np.testing.assert_allclose(after.directions[half], before.directions[half], rtol=1e-6)
    assert not np.allclose(after.directions[1 - half], before.directions[1 - half])


def test_noise_in_many_columns_has_no_parts():
    """More columns than rows: odds that were exchanged between halves would make two groups of anything."""
    assert max(searched(toy(0.0, count=160, width=400, seed=seed)[0]).statistic for seed in range(3)) < 0.05


@pytest.mark.parametrize("count", [600, 2000])
def test_where_half_of_a_class_is_odd_first_suspicions_say_which_half(count):
    for seed in range(4):
        parts, odd = toy(0.5, count=count, seed=seed)
        assert auroc(searched(parts).scores, odd) > 0.97
        turned = {**parts, "first": -parts["first"]}
        assert auroc(searched(turned).scores, odd) < 0.05


def test_the_order_of_rows_does_not_matter():
    parts, _ = toy(0.1)
    order = np.random.default_rng(3).permutation(len(parts["rows"]))
    shuffled = {**parts, **{name: parts[name][order] for name in ("rows", "first", "halves", "quarters")}}
    straight, mixed_up = searched(parts), searched(shuffled)
    np.testing.assert_allclose(mixed_up.scores, straight.scores[order], rtol=1e-3, atol=1e-3)
    assert mixed_up.statistic == pytest.approx(straight.statistic, rel=1e-3)


def test_scores_are_products_with_the_directions():
    parts, _ = toy(0.1)
    found = searched(parts)
    for half in (0, 1):
        chosen = parts["halves"] == half
        line = parts["rows"][chosen] @ found.directions[half]
        # Up to the origin, which is that of both halves together.
        scores = found.scores[chosen] * found.scale
        np.testing.assert_allclose(scores - scores.mean(), line - np.mean(line), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("shares", [(0.49, 0.51), (0.51, 0.49), (0.5, 0.5), (0.05, 0.06)])
def test_halves_are_laid_one_upon_the_other(shares):
    # A median would fall among the carriers of one half and among the others of the other, 20 apart.
    generator = np.random.default_rng(0)
    lines = [generator.standard_normal(1000) + 20 * (np.arange(1000) < 1000 * share) for share in shares]
    scores = np.concatenate([lines[0] + 3, lines[1] - 40])[None]
    found = origins(scores, (slice(0, 1000), slice(1000, 2000)))
    assert found[1][0] - found[0][0] == pytest.approx(-43, abs=0.5)


def test_excess_by_hand():
    # The cut at the 0.7 quantile, 6.3: 3 of 10 lie above it, and of 98 elsewhere none, which counts as 1 of 100.
    scores, elsewhere = np.arange(10.0), np.full(98, 6.2)
    expected = 0.3 * np.log(0.3 / 0.01) + 0.7 * np.log(0.7 / 0.99)
    assert excess(scores, elsewhere) == pytest.approx(expected)
    # Below the others there is no excess.
    assert excess(np.zeros(10), np.ones(98)) == 0.0


def test_a_half_without_samples_is_no_failure():
    parts, _ = toy(0.1, count=200)
    everything = whiteners(parts["rows"], parts["others"], parts["halves"], parts["other_halves"])
    found = searched({**parts, "halves": np.zeros(200, int), "whiteners": everything})
    assert np.isfinite(found.scores).all()
    assert np.isfinite(found.statistic)
