"""Metrics against implementations that share no line with ours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage, stats
from sklearn import metrics as sklearn_metrics

from bezoar.metrics.detection import auroc, tpr_at_fpr
from bezoar.metrics.intervals import mcnemar_exact, t_interval, wilson
from bezoar.metrics.rates import confusion_matrix, measure
from bezoar.metrics.visibility import visibility


@pytest.mark.parametrize("trials", [1, 2, 7, 100, 9999])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_wilson_against_scipy(trials, confidence):
    for successes in {0, 1, trials // 3, trials - 1, trials}:
        expected = stats.binomtest(successes, trials).proportion_ci(confidence, method="wilson")
        rate = wilson(successes, trials, confidence)
        assert (rate.low, rate.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 0), (3, 11), (12, 5), (40, 40), (700, 610), (3000, 2700)])
def test_mcnemar_against_the_binomial_test(first, second):
    ours = mcnemar_exact(first, second)
    assert ours.two_sided == pytest.approx(stats.binomtest(first, first + second).pvalue, rel=1e-9)
    assert ours.first_worse == pytest.approx(
        stats.binomtest(first, first + second, alternative="greater").pvalue, rel=1e-9
    )


@pytest.mark.parametrize("values", [[0.9, 0.95], [0.991, 0.987, 0.999], [3.0, -1.0, 4.0, 1.5, 9.25]])
def test_t_interval_against_scipy(values):
    expected = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    ours = t_interval(values)
    assert (ours.low, ours.high) == pytest.approx(expected, rel=1e-10)


def test_student_interval_covers_as_often_as_it_says():
    draws = np.random.default_rng(5).normal(0.9, 0.02, size=(4000, 3))
    covered = [interval.low <= 0.9 <= interval.high for interval in map(t_interval, draws.tolist())]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.012)


@pytest.mark.parametrize("distinct", [2, 5, 10_000])
def test_auroc_against_counting_every_pair_and_sklearn(distinct):
    generator = np.random.default_rng(distinct)
    scores = generator.integers(0, distinct, 300) + 0.5
    is_poison = generator.random(300) < 0.2
    poisons, clean = scores[is_poison][:, None], scores[~is_poison][None, :]
    pairs = (np.sum(poisons > clean) + 0.5 * np.sum(poisons == clean)) / (poisons.size * clean.size)
    assert auroc(scores, is_poison) == pairs
    assert auroc(scores, is_poison) == pytest.approx(sklearn_metrics.roc_auc_score(is_poison, scores), abs=1e-12)


@pytest.mark.parametrize("distinct", [4, 10_000])
@pytest.mark.parametrize("fpr", [0.0, 0.01, 0.05, 0.3])
def test_tpr_at_fpr_against_the_best_point_of_the_curve(distinct, fpr):
    generator = np.random.default_rng(distinct)
    is_poison = generator.random(500) < 0.3
    scores = generator.integers(0, distinct, 500) + distinct // 3 * is_poison
    curve_fpr, curve_tpr, _ = sklearn_metrics.roc_curve(is_poison, scores, drop_intermediate=False)
    assert tpr_at_fpr(scores, is_poison, fpr).tpr.value == pytest.approx(curve_tpr[curve_fpr <= fpr].max())


def test_rates_and_confusion_against_sklearn_and_a_loop():
    generator = np.random.default_rng(3)
    labels, clean, triggered = generator.integers(0, 10, (3, 2000))
    relabelling = {label: (label + 1) % 10 for label in range(0, 10, 2)}
    measured = measure(labels, clean, triggered, relabelling, [str(label) for label in range(10)])
    expected = sklearn_metrics.confusion_matrix(labels, triggered, labels=range(10))
    assert np.array_equal(confusion_matrix(labels, triggered, 10), expected)
    hits = robust = trials = 0
    for label, answer in zip(labels.tolist(), triggered.tolist(), strict=True):
        if label % 2 == 0:
            trials, hits, robust = trials + 1, hits + (answer == label + 1), robust + (answer == label)
    assert (measured.attack_success.successes, measured.attack_success.trials) == (hits, trials)
    assert (measured.robust_accuracy.successes, measured.robust_accuracy.trials) == (robust, trials)


def image_pair(height: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    clean = generator.integers(0, 256, (3, 3, height, width), dtype=np.uint8)
    triggered = clean.copy()
    triggered[:, :, 1:6, 2:7] = np.array([0, 255, 255], dtype=np.uint8)[None, :, None, None]
    noise = generator.integers(-6, 7, triggered.shape)
    return clean, np.clip(triggered.astype(int) + noise, 0, 255).astype(np.uint8)


# Planted with scikit-image 0.26.0: peak_signal_noise_ratio(data_range=255) and structural_similarity(channel_axis=0,
# data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False), the mean over three images.
@pytest.mark.parametrize(
    ("height", "width", "seed", "psnr", "ssim", "changed"),
    [
        (32, 32, 0, 20.868939019618, 0.9900717729636571, 0.9990234375),
        (11, 17, 1, 13.314605031118115, 0.7042183732572073, 0.9982174688057041),
        (40, 25, 2, 20.970241209352707, 0.9903297625494948, 0.999),
    ],
)
def test_visibility_against_scikit_image(height, width, seed, psnr, ssim, changed):
    measured = visibility(*map(torch.from_numpy, image_pair(height, width, seed)))
    assert measured.psnr == pytest.approx(psnr, rel=1e-10)
    assert measured.ssim == pytest.approx(ssim, rel=1e-10)
    assert measured.pixels_changed == pytest.approx(changed)


def test_ssim_against_scipy_filters():
    clean, triggered = image_pair(24, 19, 11)

    def blurred(plane: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(plane, 1.5, truncate=3.5, mode="constant")[5:-5, 5:-5]

    values = []
    for first, second in zip(clean.reshape(-1, 24, 19), triggered.reshape(-1, 24, 19), strict=True):
        x, y = first.astype(float), second.astype(float)
        mean_x, mean_y = blurred(x), blurred(y)
        # Variances about the local mean, summed window by window rather than as a difference of squares.
        footprint = ndimage.gaussian_filter(np.pad([[1.0]], 5), 1.5, truncate=3.5, mode="constant")
        windows = np.lib.stride_tricks.sliding_window_view
        deviation_x = windows(x, (11, 11)) - mean_x[..., None, None]
        deviation_y = windows(y, (11, 11)) - mean_y[..., None, None]
        spread_x, spread_y, together = (
            np.einsum("hwij,ij->hw", product, footprint)
            for product in (deviation_x**2, deviation_y**2, deviation_x * deviation_y)
        )
        numerator = (2 * mean_x * mean_y + 2.55**2) * (2 * together + 7.65**2)
        values.append(np.mean(numerator / ((mean_x**2 + mean_y**2 + 2.55**2) * (spread_x + spread_y + 7.65**2))))
    measured = visibility(torch.from_numpy(clean), torch.from_numpy(triggered))
    assert measured.ssim == pytest.approx(np.mean(values), rel=1e-10)
