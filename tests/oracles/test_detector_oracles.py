"""Detectors on features against independent computations, and their scores through the bookkeeping of the metrics."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import chi2, multivariate_normal
from sklearn.cluster import KMeans
from sklearn.covariance import MinCovDet
from sklearn.decomposition import PCA, FastICA
from sklearn.mixture import GaussianMixture

from bezoar.detect.numerics.covariance import (
    BLOCK,
    chi_square_quantile,
    class_means,
    inverse_root,
    mahalanobis,
    mean_and_covariance,
    robust_gaussian,
    shared_covariance,
)
from bezoar.detect.numerics.density import mutual_reachability, stable_split
from bezoar.detect.numerics.eigen import leading_directions, reduced
from bezoar.detect.numerics.kernels import squared_mmd
from bezoar.detect.numerics.mixture import two_gaussians, two_means, valley
from bezoar.detect.samples.activation_clustering import ActivationClustering
from bezoar.detect.samples.beatrix import Entries, row_norm, usual_bounds
from bezoar.detect.samples.contamination import StatisticalContamination
from bezoar.detect.samples.spectral import SpectralSignatures
from bezoar.detect.samples.spectre import que_scores
from bezoar.detect.scores import Scores
from bezoar.metrics.detection import measure_detection
from detector_toys import clouds, truth_about


def rows_of(points):
    return np.arange(len(points))


def same_split(first, second):
    return np.array_equal(first, second) or np.array_equal(first, ~second)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_mean_and_covariance_over_blocks_are_numpys(dtype):
    # More than two blocks, far from the origin: where sums of squares would cancel.
    points = (np.random.default_rng(0).normal(50, 2, (2 * BLOCK + 77, 5))).astype(dtype)
    chosen = np.flatnonzero(np.arange(len(points)) % 3)
    found, exact = mean_and_covariance(points, chosen), points[chosen].astype(np.float64)
    np.testing.assert_allclose(found.mean, exact.mean(0), rtol=1e-6)
    np.testing.assert_allclose(found.covariance, np.cov(exact.T, bias=True), atol=1e-4)


def test_shared_covariance_is_the_pooled_one():
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 3, BLOCK + 500)
    points = generator.normal(size=(len(labels), 4)) @ generator.normal(size=(4, 4)) + 10.0 * labels[:, None]
    means, counts = class_means(points, labels, 4)
    by_hand = sum((labels == c).sum() * np.cov(points[labels == c].T, bias=True) for c in range(3)) / len(labels)
    np.testing.assert_allclose(means[:3], [points[labels == c].mean(0) for c in range(3)], rtol=1e-5)
    assert counts.tolist() == [*np.bincount(labels), 0]
    np.testing.assert_allclose(shared_covariance(points, labels, means), by_hand, rtol=1e-3, atol=1e-3)


def test_spectral_scores_are_those_of_a_singular_value_decomposition():
    planted = clouds((200, 150, 180), poison=12)
    found = SpectralSignatures().score(planted.evidence, seed=0)
    assert isinstance(found, Scores)
    for label in range(3):
        rows = planted.evidence.members(label)
        features = planted.evidence.layers["last"][rows].astype(np.float64)
        centred = features - features.mean(0)
        _, sizes, right = np.linalg.svd(centred, full_matrices=False)
        paper = (centred @ right[0]) ** 2
        np.testing.assert_allclose(found.values[rows], paper, rtol=1e-3, atol=1e-4)
        assert found.classes[label] == pytest.approx(2 * np.log(sizes[0] / sizes[1]), abs=1e-3)


def test_whitened_leading_directions_are_those_of_pca():
    points = np.random.default_rng(2).normal(size=(300, 6)) * [5, 4, 3, 2, 1, 0.5]
    ours = reduced(points, rows_of(points), mean_and_covariance(points, rows_of(points)), 3, whiten=True)
    theirs = PCA(3, whiten=True, svd_solver="full").fit_transform(points) * np.sqrt(300 / 299)
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-3)


def test_two_means_are_as_good_as_the_best_of_many_random_starts():
    generator = np.random.default_rng(3)
    points = generator.normal(size=(400, 3)).astype(np.float32) * [3, 2, 1]
    points[:20] += [0, 0, 14]
    ours = two_means(points.astype(np.float32))
    theirs = KMeans(2, n_init=20, random_state=0).fit(points)
    assert ours.within * 400 == pytest.approx(theirs.inertia_, rel=1e-4)
    assert same_split(ours.second, theirs.labels_ == 1)


# Of Gaussian columns no rotation is independent of the machine's rounding; whichever it ends with is one.
@pytest.mark.filterwarnings("ignore:FastICA did not converge")
def test_clusters_of_whitened_components_are_those_of_independent_components():
    # What the docstring says of the paper's ICA: a rotation of whitened components, which 2-means doesn't see.
    planted = clouds((300, 300, 300), poison=40)
    features = planted.evidence.layers["last"][planted.of_target()].astype(np.float64)
    components = FastICA(10, whiten="unit-variance", random_state=0, max_iter=2000, tol=1e-3).fit_transform(features)
    found = ActivationClustering().score(planted.evidence, seed=0)
    assert isinstance(found, Scores)
    ours = found.values[planted.of_target()] > 0
    centres = np.stack([components[~ours].mean(0), components[ours].mean(0)])
    theirs = KMeans(2, init=centres, n_init=1).fit(components)
    assert same_split(ours, theirs.labels_ == 1)
    assert theirs.inertia_ <= KMeans(2, n_init=20, random_state=0).fit(components).inertia_ * 1.0001


def test_mixture_likelihood_by_hand_on_four_points():
    # Two groups far apart: each point's likelihood is half a unit Gaussian at distance 1 from its centre.
    points = np.array([[-11.0], [-9.0], [9.0], [11.0]], dtype=np.float32)
    found = two_gaussians(points, np.array([False, False, True, True]))
    # Apart: log(1/2) - 1/2 a point. Together: -(121 + 81) / 2 / 2 a point. The common constant cancels.
    assert found.gain == pytest.approx(2 * (np.log(0.5) - 0.5 + 50.5), abs=1e-6)
    np.testing.assert_allclose(found.means, [[-10], [10]], atol=1e-6)
    # Log odds at x are (x + 10)^2 / 2 - (x - 10)^2 / 2 = 20 x.
    np.testing.assert_allclose(found.log_odds, [-220, -180, 180, 220], rtol=1e-6)


def test_mixture_of_unit_covariance_is_sklearns():
    generator = np.random.default_rng(4)
    points = generator.normal(size=(360, 2)).astype(np.float32)
    points[300:] += [3.5, 1.0]
    split = two_means(points)
    ours = two_gaussians(points, split.second, tolerance=1e-12, steps=5000)
    # sklearn has no fixed covariance; its M-step for weights and means is checked by a fixed point of its E-step.
    theirs = GaussianMixture(2, covariance_type="spherical", weights_init=ours.weights, means_init=ours.means)
    theirs.weights_, theirs.means_, theirs.precisions_cholesky_ = ours.weights, ours.means, np.ones(2)
    responsibility = theirs.predict_proba(points)[:, 1]
    np.testing.assert_allclose(1 / (1 + np.exp(-ours.log_odds)), responsibility, atol=1e-5)
    np.testing.assert_allclose(responsibility @ points / responsibility.sum(), ours.means[1], atol=1e-3)
    alone = multivariate_normal(points.mean(0), np.eye(2)).logpdf(points).mean()
    assert ours.gain == pytest.approx(2 * (theirs.score(points) - alone), abs=1e-4)


def test_scan_statistic_is_the_likelihood_ratio_written_out():
    """Whitening and mixture by the definition, on data of one split: hard groups as good as certain."""
    planted = clouds((60, 60, 60, 60), poison=20, width=4, far=30.0)
    features = planted.evidence.layers["last"].astype(np.float64)
    labels = planted.evidence.labels
    means = np.stack([features[labels == c].mean(0) for c in range(4)])
    within = np.cov((features - means[labels]).T, bias=True)
    rows, poison = planted.of_target(), planted.poison[planted.of_target()]
    own = features[rows]
    share = poison.mean()
    two = np.logaddexp(
        np.log(1 - share) + multivariate_normal(own[~poison].mean(0), within).logpdf(own),
        np.log(share) + multivariate_normal(own[poison].mean(0), within).logpdf(own),
    )
    one = multivariate_normal(own.mean(0), within).logpdf(own)
    found = StatisticalContamination(rounds=1).score(planted.evidence, seed=0)
    assert isinstance(found, Scores)
    # The groups here are those planted; the detector fits its own, which can only be likelier, and hardly is.
    by_hand = 2 * float((two - one).mean())
    assert by_hand - 1e-3 <= found.classes[planted.target] <= by_hand * 1.1 + 0.1


def test_normalised_scan_statistic_is_in_median_absolute_deviations():
    planted = clouds((60, 60, 60, 60, 60), poison=20)
    raw = StatisticalContamination().score(planted.evidence, seed=0).classes
    normal = StatisticalContamination(normalised=True).score(planted.evidence, seed=0).classes
    spread = 1.4826 * np.median(np.abs(raw - np.median(raw)))
    np.testing.assert_allclose(normal, (raw - np.median(raw)) / spread, rtol=1e-6)
    # e squared is the paper's threshold.
    assert normal[planted.target] > np.e**2


def test_robust_covariance_is_that_of_the_minimum_covariance_determinant():
    generator = np.random.default_rng(5)
    true = np.array([[4.0, 1.5, 0], [1.5, 2.0, 0], [0, 0, 1.0]])
    points = generator.multivariate_normal([1, 2, 3], true, 2000).astype(np.float32)
    points[:300] = generator.normal([20, -5, 9], 0.5, (300, 3))
    ours = robust_gaussian(points, keep=0.5)
    theirs = MinCovDet(support_fraction=0.5, random_state=0).fit(points)
    np.testing.assert_allclose(ours.mean, theirs.location_, atol=0.1)
    np.testing.assert_allclose(ours.covariance, theirs.covariance_, atol=0.25)
    np.testing.assert_allclose(ours.covariance, true, atol=0.4)


def test_distances_quantiles_and_roots_by_definition():
    generator = np.random.default_rng(6)
    points = generator.normal(size=(50, 3)).astype(np.float32) @ np.diag([1.0, 2.0, 3.0]).astype(np.float32)
    group = mean_and_covariance(points, rows_of(points))
    moved = points - group.mean
    by_hand = np.einsum("ij,jk,ik->i", moved, np.linalg.inv(group.covariance), moved)
    np.testing.assert_allclose(mahalanobis(points, group), by_hand, rtol=1e-4)
    root = inverse_root(group.covariance)
    np.testing.assert_allclose(root @ group.covariance @ root, np.eye(3), atol=1e-9)
    assert chi_square_quantile(0.975, 7) == pytest.approx(chi2(7).ppf(0.975))
    assert leading_directions(np.diag([1.0, 9.0, 4.0, 0.0]), 4).variances.tolist() == [9.0, 4.0, 1.0]


def test_quantum_entropy_scores_from_the_eigenvectors():
    white = np.random.default_rng(7).normal(size=(500, 4)) * [3.0, 1.0, 1.0, 0.8]
    left = np.cov(white.T, bias=True)
    values, vectors = np.linalg.eigh(left)
    weights = np.exp(4 * (values - 1) / (values[-1] - 1))
    by_hand = ((white @ vectors) ** 2 * weights).sum(1) / weights.sum()
    np.testing.assert_allclose(que_scores(white, 4.0), by_hand, rtol=1e-9)
    # With alpha 0 every direction counts alike: the mean square.
    np.testing.assert_allclose(que_scores(white, 0.0), (white**2).mean(1), rtol=1e-9)


@pytest.mark.parametrize("order", [1, 2, 3, 8])
def test_gram_rows_and_entries_by_brute_force(order):
    features = np.abs(np.random.default_rng(8).normal(size=(5, 6))).astype(np.float32)
    first, second = np.triu_indices(6)
    found = Entries(first, second, (order,)).of(features)
    for row, vector in zip(found, features.astype(np.float64), strict=True):
        powers = vector**order
        gram = (powers[:, None] * powers[None]) ** (1 / order)
        # Of one vector a sample every order has the same entries; what the orders add is the norms of the rows.
        np.testing.assert_allclose(row[: len(first)], gram[first, second], rtol=1e-5)
        np.testing.assert_allclose(row[len(first) :], (gram**order).sum(1) ** (1 / order), rtol=1e-5)


def test_high_orders_of_large_features_do_not_overflow():
    assert row_norm(np.array([[6e4, 0.0]], dtype=np.float32), 16)[0, 0] == pytest.approx(6e4)
    assert row_norm(np.zeros((1, 2), dtype=np.float32), 4)[0, 0] < 1e-30


def test_bounds_are_medians_and_no_feature_is_blown_up():
    entries = np.array([[1, 0, 7], [2, 0, 7], [3, 0, 7], [4, 0, 7], [50, 9, 7]], dtype=np.float32)
    median, deviation = usual_bounds(entries)
    assert median.tolist() == [3, 0, 7]
    assert deviation == pytest.approx([1.4826, 1.4826 / 4, 1.4826 / 4])
    assert usual_bounds(np.ones((4, 2), dtype=np.float32)) is None


def test_kernel_discrepancy_by_definition():
    generator = np.random.default_rng(9)
    first, second = generator.normal(size=(9, 2)), generator.normal(1.0, 1.0, (7, 2))
    together = np.concatenate([first, second])
    pairs = [((a - b) ** 2).sum() for a, b in itertools.combinations(together, 2)]

    def kernel(a, b):
        return np.exp(-((a - b) ** 2).sum() / np.median(pairs))

    own = np.mean([kernel(a, b) for a, b in itertools.permutations(first, 2)])
    own += np.mean([kernel(a, b) for a, b in itertools.permutations(second, 2)])
    across = np.mean([kernel(a, b) for a in first for b in second])
    assert squared_mmd(first, second) == pytest.approx(own - 2 * across, abs=1e-9)


def test_mutual_reachability_and_split_of_two_rings_of_points():
    line = np.concatenate([np.arange(8.0), 100 + np.arange(10.0)])[:, None]
    reach = mutual_reachability(line)
    # The fifth neighbour of an end lies 5 away, and no pair is nearer than that of either.
    assert reach.min() == pytest.approx(3.0)
    assert reach[0] == pytest.approx(5.0)
    split = stable_split(line, 4)
    assert sorted([split.first.tolist(), split.second.tolist()]) == [list(range(8)), list(range(8, 18))]
    # They part at 93. The larger cluster's points leave it at 3 (those in the middle), 4 and 5.
    assert np.log(93 / 5) < split.stability < np.log(93 / 3)


def test_a_valley_is_found_between_two_modes_only():
    generator = np.random.default_rng(10)
    one, skewed = generator.normal(size=4000), generator.exponential(size=4000)
    heavy = generator.standard_t(2, size=4000)
    assert max(valley(one), valley(skewed), valley(heavy)) < 0
    two = np.concatenate([generator.normal(size=3800), generator.normal(7, 1, 200)])
    assert valley(two) > 1
    assert valley(np.concatenate([one[:2000], one[2000:] + 6])) > 1
    assert valley(np.ones(50)) == 0


@pytest.mark.parametrize(("detector", "least", "most"), [("perfect", 1.0, 1.0), ("random", 0.35, 0.65)])
def test_a_perfect_and_a_random_detector_through_the_same_bookkeeping(detector, least, most):
    planted = clouds((200, 200, 200), poison=60)
    values = planted.poison.astype(float) if detector == "perfect" else np.random.default_rng(0).random(660)
    scores = Scores(planted.evidence.ids, values)
    found = measure_detection(scores.by_id(), truth_about(planted), fprs=(0.01,))
    assert (found.poisons, found.clean, found.unscored_poisons) == (60, 600, 0)
    assert least <= found.auroc <= most
    assert (found.operating_points[0].tpr.value == 1.0) == (detector == "perfect")


def test_scores_in_another_order_are_measured_alike():
    planted = clouds((200, 200, 200), poison=30)
    truth = truth_about(planted)
    order = np.random.default_rng(1).permutation(len(planted.evidence))
    straight = ActivationClustering().score(planted.evidence, seed=0)
    shuffled = ActivationClustering().score(planted.evidence.select(order), seed=0)
    first, second = (measure_detection(found.by_id(), truth) for found in (straight, shuffled))
    assert first.auroc > 0.99
    assert second.auroc == pytest.approx(first.auroc, abs=1e-9)
    # What a loader's order read as that of the data would make of it.
    misread = dict(zip(planted.evidence.ids, shuffled.values.tolist(), strict=True))
    assert measure_detection(misread, truth).auroc < 0.8
