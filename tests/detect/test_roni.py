"""RONI: harms by closed form against brute retraining with scikit-learn, and the cheaper ways against the exact one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression, Ridge

from bezoar.detect.numerics.logistic_head import (
    conjugate_gradients,
    fit_logistic,
    logistic_group_harms,
    logistic_harms,
    logistic_influences,
)
from bezoar.detect.numerics.ridge_head import Part, fit_ridge, ridge_group_harms, ridge_harms
from bezoar.detect.samples.roni import Roni, similar_groups
from bezoar.detect.scores import SAMPLE_DETECTORS, Scores
from bezoar.errors import UsageError
from bezoar.evidence import Evidence
from bezoar.metrics.detection import auroc
from bezoar.records import Skipped

CLASSES, DIMENSIONS = 3, 5


def part(n: int, seed: int, classes: int = CLASSES) -> tuple[Part, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    rows = generator.normal(size=(n, DIMENSIONS)) + 1.5 * np.eye(classes, DIMENSIONS)[labels]
    flipped = generator.random(n) < 0.1
    given = np.where(flipped, (labels + 1) % classes, labels)
    return Part(np.hstack([rows, np.ones((n, 1))]), np.eye(classes)[given]), given


def brute_ridge(train: Part, judge: Part, penalty: float, kept: np.ndarray) -> float:
    model = Ridge(alpha=penalty, solver="cholesky").fit(train.rows[kept, :-1], train.targets[kept])
    return float(np.mean(((judge.targets - model.predict(judge.rows[:, :-1])) ** 2).sum(axis=1)))


def brute_logistic(train: Part, judge: Part, penalty: float, kept: np.ndarray) -> float:
    labels = train.targets.argmax(axis=1)
    model = LogisticRegression(C=1 / penalty, tol=1e-12, max_iter=5000, solver="newton-cholesky")
    logs = model.fit(train.rows[kept, :-1], labels[kept]).predict_log_proba(judge.rows[:, :-1])
    return float(-np.mean((judge.targets * logs).sum(axis=1)))


def left_out(n: int, removed: object) -> np.ndarray:
    return np.setdiff1d(np.arange(n), removed)


def test_ridge_equals_brute_retraining() -> None:
    train, judge = part(45, 1)[0], part(30, 2)[0]
    whole = brute_ridge(train, judge, 2.0, np.arange(45))
    expected = [whole - brute_ridge(train, judge, 2.0, left_out(45, row)) for row in range(45)]
    assert ridge_harms(train, judge, 2.0) == pytest.approx(np.array(expected), abs=1e-9)
    assert np.std(expected) > 1e-4


def test_groups_of_ridge_equal_brute_retraining() -> None:
    train, judge = part(45, 1)[0], part(30, 2)[0]
    groups = [np.array([0, 7, 9]), np.arange(20, 30)]
    whole = brute_ridge(train, judge, 2.0, np.arange(45))
    expected = [(whole - brute_ridge(train, judge, 2.0, left_out(45, group))) / len(group) for group in groups]
    assert ridge_group_harms(train, judge, 2.0, groups) == pytest.approx(np.array(expected), abs=1e-9)


def test_logistic_equals_brute_retraining() -> None:
    train, judge = part(36, 3)[0], part(30, 4)[0]
    whole = brute_logistic(train, judge, 1.0, np.arange(36))
    expected = [whole - brute_logistic(train, judge, 1.0, left_out(36, row)) for row in range(36)]
    assert logistic_harms(train, judge, 1.0) == pytest.approx(np.array(expected), abs=1e-6)
    groups = [np.array([0, 4, 8]), np.arange(10)]
    by_group = [(whole - brute_logistic(train, judge, 1.0, left_out(36, group))) / len(group) for group in groups]
    assert logistic_group_harms(train, judge, 1.0, groups) == pytest.approx(np.array(by_group), abs=1e-6)
    assert np.std(expected) > 1e-4


def test_heads_equal_scikit_learn() -> None:
    train, labels = part(60, 5)
    ridge = Ridge(alpha=3.0).fit(train.rows[:, :-1], train.targets)
    assert fit_ridge(train, 3.0)[:-1] == pytest.approx(ridge.coef_.T, abs=1e-9)
    assert fit_ridge(train, 3.0)[-1] == pytest.approx(ridge.intercept_, abs=1e-9)
    logistic = LogisticRegression(C=1 / 3, tol=1e-12, max_iter=5000).fit(train.rows[:, :-1], labels)
    weights = fit_logistic(train, 3.0)
    assert weights[:-1] == pytest.approx(logistic.coef_.T, abs=1e-4)
    chances = np.exp(train.rows @ weights)
    expected = logistic.predict_proba(train.rows[:, :-1])
    assert chances / chances.sum(axis=1, keepdims=True) == pytest.approx(expected, abs=1e-5)


def test_two_classes_as_well() -> None:
    train, judge = part(30, 6, 2)[0], part(20, 7, 2)[0]
    exact = logistic_harms(train, judge, 1.0)
    assert spearmanr(exact, logistic_influences(train, judge, 1.0)).statistic > 0.98


def test_influence_ranks_as_the_exact_way() -> None:
    train, judge = part(90, 8)[0], part(60, 9)[0]
    exact, influence = logistic_harms(train, judge, 2.0), logistic_influences(train, judge, 2.0)
    assert spearmanr(exact, influence).statistic > 0.98
    assert np.polyfit(exact, influence, 1)[0] == pytest.approx(1.0, abs=0.3)


def test_groups_of_one_are_the_exact_way() -> None:
    train, judge = part(40, 1)[0], part(30, 2)[0]
    alone = [np.array([row]) for row in range(40)]
    assert ridge_group_harms(train, judge, 2.0, alone) == pytest.approx(ridge_harms(train, judge, 2.0), abs=1e-10)


def test_conjugate_gradients_against_a_solver() -> None:
    generator = np.random.default_rng(0)
    root = generator.normal(size=(12, 12))
    matrix, right = root @ root.T + np.eye(12), generator.normal(size=12)
    assert conjugate_gradients(lambda x: matrix @ x, right) == pytest.approx(np.linalg.solve(matrix, right), abs=1e-8)
    assert (conjugate_gradients(lambda x: matrix @ x, np.zeros(12)) == 0).all()


def evidence(n: int, seed: int, wrong: int) -> tuple[Evidence, np.ndarray]:
    """Three well-parted classes; the first `wrong` samples of class 1 come with the label 0."""
    generator = np.random.default_rng(seed)
    true = np.arange(n) % CLASSES
    rows = generator.normal(size=(n, DIMENSIONS)) + 4 * np.eye(CLASSES, DIMENSIONS)[true]
    harmful = np.zeros(n, dtype=bool)
    harmful[np.flatnonzero(true == 1)[:wrong]] = True
    ids = tuple(f"id{i:04d}" for i in generator.permutation(n))
    labels = np.where(harmful, 0, true)
    return Evidence(ids, labels, ("a", "b", "c"), layers={"early": rows[:, :1], "late": rows}), harmful


DETECTORS = [
    Roni(),
    Roni(way="groups", group=8),
    Roni(head="logistic"),
    Roni(head="logistic", way="influence"),
    Roni(head="logistic", way="groups", group=8),
]


def in_class(values: np.ndarray, about: Evidence, harmful: np.ndarray) -> float:
    own = about.labels == 0
    found = auroc(values[own], harmful[own])
    assert isinstance(found, float)
    return found


@pytest.mark.parametrize("detector", DETECTORS, ids=[SAMPLE_DETECTORS.spec_of(detector) for detector in DETECTORS])
@pytest.mark.parametrize("with_trusted", [True, False])
def test_harmful_samples_rank_first(detector: Roni, with_trusted: bool) -> None:
    about, harmful = evidence(150, 0, 10)
    trusted = evidence(60, 1, 0)[0] if with_trusted else None
    scores = detector.score(about, trusted=trusted, seed=0)
    assert isinstance(scores, Scores)
    assert in_class(scores.values, about, harmful) > (0.95 if with_trusted else 0.9)
    assert ("trusted" in scores.notes[0]) == with_trusted
    order = np.random.default_rng(2).permutation(150)
    again = detector.score(about.select(order), trusted=trusted, seed=0)
    assert isinstance(again, Scores)
    assert again.by_id() == pytest.approx(scores.by_id(), rel=1e-6, abs=1e-9)


def test_clean_samples_do_not_part() -> None:
    about, _ = evidence(180, 0, 0)
    fake = np.zeros(180, dtype=bool)
    fake[np.flatnonzero(about.labels == 0)[::4]] = True
    scores = Roni().score(about, seed=0)
    assert isinstance(scores, Scores)
    assert 0.3 < in_class(scores.values, about, fake) < 0.7


def test_the_ways_agree_in_rank() -> None:
    about, _ = evidence(120, 0, 8)
    trusted = evidence(60, 1, 0)[0]

    def values(detector: Roni) -> np.ndarray:
        scores = detector.score(about, trusted=trusted, seed=0)
        assert isinstance(scores, Scores)
        return scores.values

    exact = values(Roni(head="logistic"))
    assert spearmanr(exact, values(Roni(head="logistic", way="influence"))).statistic > 0.95
    assert spearmanr(exact, values(Roni(head="logistic", way="groups", group=4))).statistic > 0.5
    assert spearmanr(values(Roni()), values(Roni(way="groups", group=4))).statistic > 0.5
    # Beyond the limit `auto` takes the influences.
    assert np.array_equal(values(Roni(head="logistic", exact_up_to=50)), values(Roni(head="logistic", way="influence")))


def test_groups_cover_all_rows_once_and_hold_one_class() -> None:
    about, _ = evidence(90, 0, 6)
    rows = about.layers["late"]
    groups = similar_groups(np.asarray(rows), about.labels, 10, seed=0)
    assert np.array_equal(np.sort(np.concatenate(groups)), np.arange(90))
    assert all(len(np.unique(about.labels[group])) == 1 for group in groups)
    assert 5 <= len(groups) <= 15
    assert [len(group) for group in similar_groups(np.zeros((1, 2)), np.array([0]), 5, seed=0)] == [1]


def test_too_little_is_skipped_and_nonsense_refused() -> None:
    about, _ = evidence(90, 0, 6)
    one_class = about.select(about.members(0))
    for short in (replace(about, layers={}), about.select(range(10)), one_class):
        assert isinstance(Roni().score(short, seed=0), Skipped)
    with pytest.raises(UsageError):
        Roni(penalty=0)
    with pytest.raises(UsageError):
        Roni(way="influence")
