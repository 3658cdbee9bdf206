"""What is found by a quick way is what the plain way finds: directions, two-means splits, pooled covariances."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse.linalg import ArpackNoConvergence
from sklearn.decomposition import PCA

import bezoar.detect.numerics.eigen as eigen
from bezoar.detect.numerics.covariance import (
    BLOCK,
    class_means,
    inverse_root,
    mean_and_covariance,
    shared_covariance,
    whitener,
)
from bezoar.detect.numerics.eigen import WIDE, leading_directions
from bezoar.detect.numerics.mixture import STARTS, two_means
from bezoar.detect.samples.activation_clustering import ActivationClustering
from bezoar.detect.samples.by_class import ClassStructure
from bezoar.detect.samples.spectral import SpectralSignatures
from bezoar.detect.scores import Scores
from bezoar.metrics.detection import auroc
from detector_toys import clouds

WIDTH = WIDE + 20


def wide_points(spectrum, *, rows=400, seed=0):
    """Rows whose variances along hidden directions are about the squares of `spectrum`."""
    generator = np.random.default_rng(seed)
    turned = np.linalg.qr(generator.normal(size=(WIDTH, WIDTH)))[0]
    return (generator.normal(size=(rows, WIDTH)) * spectrum) @ turned


def projector(vectors):
    return vectors @ vectors.T


@pytest.mark.parametrize("decay", [0.0, 0.5, 2.0], ids=["flat", "slow", "steep"])
def test_directions_of_wide_data_are_those_of_a_full_decomposition(decay):
    points = wide_points(np.arange(1, WIDTH + 1.0) ** -decay)
    found = leading_directions(np.cov(points.T, bias=True), 10)
    exact = PCA(10, svd_solver="full").fit(points)
    np.testing.assert_allclose(found.variances, exact.explained_variance_ * 399 / 400, rtol=1e-9)
    np.testing.assert_allclose(projector(found.vectors), projector(exact.components_.T), atol=1e-6)


def test_wide_data_of_few_directions_have_no_more():
    found = leading_directions(np.cov(wide_points(np.where(np.arange(WIDTH) < 3, 2.0, 0.0)).T, bias=True), 10)
    assert found.vectors.shape == (WIDTH, 3)
    assert len(leading_directions(np.zeros((WIDTH, WIDTH)), 10).variances) == 0


def test_equal_variances_are_all_found():
    variances = np.where(np.arange(WIDTH) < 6, 4.0, 1.0)
    found = leading_directions(np.diag(variances), 6)
    np.testing.assert_allclose(found.variances, np.full(6, 4.0))
    np.testing.assert_allclose(projector(found.vectors), np.diag(variances == 4.0), atol=1e-7)


def test_where_iterations_do_not_end_the_whole_decomposition_answers(monkeypatch):
    covariance = np.cov(wide_points(np.arange(1, WIDTH + 1.0) ** -0.5).T, bias=True)
    quick = leading_directions(covariance, 5)

    def fails(*_, **__):
        raise ArpackNoConvergence("no", np.empty(0), np.empty((WIDTH, 0)))

    monkeypatch.setattr(eigen, "eigsh", fails)
    np.testing.assert_allclose(leading_directions(covariance, 5).variances, quick.variances, rtol=1e-9)


def split_by_hand(points):
    """The best of the starts after three of Lloyd's steps, taken on to the end: by distances, one start at a time."""

    def step(second):
        centres = np.stack([points[~second].mean(0), points[second].mean(0)])
        distance = ((points[:, None] - centres) ** 2).sum(2)
        return distance[:, 1] < distance[:, 0]

    def within(second):
        return sum(((points[side] - points[side].mean(0)) ** 2).sum() for side in (second, ~second)) / len(points)

    tried = []
    for share in STARTS:
        for column in points.T:
            second = column > np.quantile(column, share)
            for _ in range(3):
                second = step(second)
            tried.append((within(second), second))
    best = min(tried, key=lambda pair: pair[0])[1]
    while not np.array_equal(best, after := step(best)):
        best = after
    return best, within(best)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [60, 1500])
def test_two_means_are_those_of_one_start_after_the_other(seed, count):
    generator = np.random.default_rng(seed)
    points = generator.normal(size=(count, 4)).astype(np.float32)
    points[: count // 10] += [0, 5, 0, 2]
    found = two_means(points)
    second, within = split_by_hand(points.astype(np.float64))
    assert np.array_equal(found.second, second) or np.array_equal(found.second, ~second)
    assert found.within == pytest.approx(within, rel=1e-5)
    np.testing.assert_allclose(found.centres[1], points[found.second].mean(0), atol=1e-5)


def test_two_means_over_blocks():
    points = np.random.default_rng(0).normal(size=(2 * BLOCK + 5, 3)).astype(np.float32)
    points[::7, 1] += 9
    second, far = two_means(points).second, np.arange(len(points)) % 7 == 0
    assert np.array_equal(second, far if second[0] else ~far)  # which half is called second is rounding's choice


def test_two_means_of_equal_rows_are_none_and_of_two_values_are_those():
    assert two_means(np.ones((30, 4), dtype=np.float32)) is None
    two = np.repeat(np.array([[0, 1], [2, 1]], dtype=np.float32), [29, 1], axis=0)
    found = two_means(two)
    assert sorted(np.bincount(found.second)) == [1, 29]
    assert found.within == pytest.approx(0, abs=1e-6)


def test_pooled_on_the_way_is_read_in_one_pass():
    planted = clouds((60, 80, 3, 0, 70), poison=20)
    evidence, matrix = planted.evidence, planted.evidence.layers["last"]
    structure = ClassStructure(matrix, evidence)
    # Twice, and not all: what is missing is added, and nothing counts twice.
    for label in (0, 1, 1):
        structure.own(label)
    means, counts = class_means(matrix, evidence.labels, 5)
    np.testing.assert_allclose(structure.means_and_counts[0], means, atol=1e-5)
    assert structure.means_and_counts[1].tolist() == counts.tolist()
    np.testing.assert_allclose(structure.shared, shared_covariance(matrix, evidence.labels, means), atol=1e-4)
    exact = mean_and_covariance(matrix, evidence.members(4))
    np.testing.assert_array_equal(structure.own(4).covariance, exact.covariance)


@pytest.mark.parametrize("narrowest", [1.0, 0.01, 0.0], ids=["all vary", "one is raised", "one is constant"])
def test_distances_by_the_quick_whitening_are_those_by_the_root(narrowest):
    points = np.random.default_rng(0).normal(size=(200, 6)) * [3, 2, 1, 1, 1, narrowest]
    covariance = np.cov(points.T, bias=True)

    def distances(root):
        moved = points @ root
        return ((moved[:, None] - moved[:5]) ** 2).sum(2)

    np.testing.assert_allclose(
        distances(whitener(covariance)), distances(inverse_root(covariance)), rtol=1e-8, atol=1e-8
    )
    assert not whitener(np.zeros((3, 3))).any()


def test_wide_features_do_not_depend_on_the_order_of_rows():
    planted = clouds((150, 150, 150), poison=25, width=WIDTH, far=20.0)
    order = np.random.default_rng(0).permutation(len(planted.evidence))
    for detector in (ActivationClustering(), SpectralSignatures()):
        plain, moved = detector.score(planted.evidence, seed=0), detector.score(planted.evidence.select(order), seed=0)
        np.testing.assert_allclose(moved.values, plain.values[order], rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(moved.classes, plain.classes, atol=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_half_of_a_class_stretches_it_beyond_the_others(seed):
    """Both halves lie far out, so that samples of the class are told from all others, but not from each other."""
    planted = clouds((200, 200, 200, 200), poison=200, far=16.0, seed=seed)
    found = SpectralSignatures().score(planted.evidence, seed=0)
    assert isinstance(found, Scores)
    rows = planted.of_target()
    assert auroc(found.values[rows], planted.poison[rows]) == pytest.approx(0.5, abs=0.15)
    elsewhere = np.r_[rows[planted.poison[rows]], np.flatnonzero(planted.evidence.labels != planted.target)]
    assert auroc(found.values[elsewhere], planted.poison[elsewhere]) > 0.9


def test_spectral_scores_are_in_the_units_of_the_features():
    planted = clouds((80, 90, 70), poison=10)
    doubled = {name: 2 * rows for name, rows in planted.evidence.layers.items()}
    plain = SpectralSignatures().score(planted.evidence, seed=0)
    found = SpectralSignatures().score(replace(planted.evidence, layers=doubled), seed=0)
    np.testing.assert_allclose(found.values, 4 * plain.values, rtol=1e-3)
