from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge as ReferenceRidge
from sklearn.preprocessing import StandardScaler

from bezoar.detect.numerics.moments import moments
from bezoar.detect.numerics.ridge import Ridge, balancing, cross_fit, fit, fit_folds, folds_of, own_label, predictions
from bezoar.errors import EmptyDataError, LabelError, ShapeError, UsageError

CLASSES = 4


def planted(n: int = 600, d: int = 12, seed: int = 0):
    generator = np.random.default_rng(seed)
    labels = generator.choice(CLASSES, n, p=[0.55, 0.3, 0.1, 0.05])
    rows = generator.normal(size=(n, d)) * np.geomspace(0.1, 30, d) + generator.normal(size=d) * 20
    rows += generator.normal(size=(CLASSES, d))[labels]
    ids = [f"{seed}-{number}" for number in range(n)]
    return rows.astype(np.float32), labels, ids


def reference(rows, labels, folds, ridge: Ridge) -> np.ndarray:
    """The same by scikit-learn, fold by fold, in float64."""
    rows, predicted = rows.astype(np.float64), np.zeros((len(rows), CLASSES))
    one_hot = np.eye(CLASSES)[labels]
    for fold in range(folds.max() + 1):
        rest, own = folds != fold, folds == fold
        weights = balancing(labels, CLASSES, folds, folds.max() + 1)[rest] if ridge.balanced else np.ones(rest.sum())
        scaler = StandardScaler(with_std=ridge.standardise).fit(rows[rest], sample_weight=weights)
        known = scaler.transform(rows[rest])
        alpha = ridge.penalty * (weights[:, None] * known**2).sum() / rows.shape[1]
        model = ReferenceRidge(alpha=alpha).fit(known, one_hot[rest], sample_weight=weights)
        predicted[own] = model.predict(scaler.transform(rows[own]))
    return predicted


@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize(
    "ridge", [Ridge(), Ridge(standardise=False), Ridge(balanced=True), Ridge(penalty=1e-6), Ridge(penalty=100.0)]
)
def test_predictions_are_those_of_scikit_learn(ridge: Ridge, count: int) -> None:
    rows, labels, ids = planted()
    folds = folds_of(ids, count, seed=1)
    found = cross_fit(rows, labels, CLASSES, folds, ridge=ridge, size=97)
    np.testing.assert_allclose(found, reference(rows, labels, folds, ridge), atol=1e-5)


@pytest.mark.parametrize("ridge", [Ridge(), Ridge(balanced=True)])
@pytest.mark.parametrize("count", [2, 5])
def test_no_label_of_a_fold_changes_a_prediction_in_it_by_a_bit(ridge: Ridge, count: int) -> None:
    rows, labels, ids = planted()
    folds = folds_of(ids, count, seed=2)
    before = cross_fit(rows, labels, CLASSES, folds, ridge=ridge, size=64)
    for row in (0, 17, 599):
        changed = labels.copy()
        changed[row] = (labels[row] + 1) % CLASSES
        after = cross_fit(rows, changed, CLASSES, folds, ridge=ridge, size=64)
        own = folds == folds[row]
        np.testing.assert_array_equal(after[own], before[own])
        assert (after[~own] != before[~own]).any()


def test_labels_drawn_at_random_cannot_be_told_but_planted_ones_can() -> None:
    generator = np.random.default_rng(5)
    rows = generator.normal(size=(300, 200)).astype(np.float32)
    folds = folds_of(map(str, range(300)), 2, seed=0)
    noise = generator.integers(0, 2, 300)
    # Two hundred columns fit 300 random labels well; cross-fitted predictions don't give that away.
    correlation = np.corrcoef(cross_fit(rows, noise, 2, folds)[:, 1], noise)[0, 1]
    assert abs(correlation) < 0.2
    rows[:, 0] += 8 * noise
    told = cross_fit(rows, noise, 2, folds, ridge=Ridge(standardise=False))[:, 1]
    assert np.corrcoef(told, noise)[0, 1] > 0.8


@pytest.mark.parametrize("size", [1, 50, 10_000])
def test_block_size_is_rounding_only(size: int) -> None:
    rows, labels, ids = planted()
    folds = folds_of(ids, 2, seed=0)
    np.testing.assert_allclose(
        cross_fit(rows, labels, CLASSES, folds, size=size), cross_fit(rows, labels, CLASSES, folds, size=64), atol=1e-5
    )


def test_predictions_follow_the_ids_whatever_the_order() -> None:
    rows, labels, ids = planted()
    order = np.argsort(labels, kind="stable")[::-1]
    whole = cross_fit(rows, labels, CLASSES, folds_of(ids, 3, seed=0), size=50)
    moved = cross_fit(rows[order], labels[order], CLASSES, folds_of([ids[row] for row in order], 3, seed=0), size=50)
    np.testing.assert_allclose(moved, whole[order], atol=1e-5)


def test_half_precision_is_read_as_it_is() -> None:
    rows, labels, ids = planted()
    folds = folds_of(ids, 2, seed=0)
    half = rows.astype(np.float16)
    np.testing.assert_allclose(
        cross_fit(half, labels, CLASSES, folds), reference(half, labels, folds, Ridge()), atol=1e-5
    )


def test_only_what_is_kept_is_returned() -> None:
    rows, labels, ids = planted()
    folds = folds_of(ids, 2, seed=0)
    whole = cross_fit(rows, labels, CLASSES, folds, size=100)
    own = cross_fit(rows, labels, CLASSES, folds, keep=own_label(labels), size=100)
    np.testing.assert_array_equal(own, whole[np.arange(len(rows)), labels])
    best = cross_fit(rows, labels, CLASSES, folds, keep=lambda _, predicted: predicted.argmax(1), size=100)
    np.testing.assert_array_equal(best, whole.argmax(1))
    fitted = fit_folds(rows, labels, CLASSES, folds, size=100)
    parts = [predicted for _, predicted in predictions(rows, folds, fitted, size=100)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_predictions_sum_to_one() -> None:
    rows, labels, ids = planted()
    np.testing.assert_allclose(cross_fit(rows, labels, CLASSES, folds_of(ids, 2, seed=0)).sum(1), 1, atol=1e-5)


def test_balancing_gives_each_class_of_a_fold_the_same_weight() -> None:
    labels, folds = np.array([0, 0, 0, 1, 1, 2, 0]), np.array([0, 0, 0, 0, 1, 1, 1])
    weights = balancing(labels, 4, folds, 2)
    np.testing.assert_allclose(weights, [2 / 3, 2 / 3, 2 / 3, 2, 1, 1, 1])


def test_balancing_lifts_a_rare_class() -> None:
    rows, labels, ids = planted(3000)
    rows += np.random.default_rng(1).normal(size=rows.shape) * 2
    folds = folds_of(ids, 2, seed=0)
    plain, lifted = (cross_fit(rows, labels, CLASSES, folds, ridge=Ridge(balanced=on)) for on in (False, True))
    rare = labels == 3
    assert (lifted[rare].argmax(1) == 3).mean() > (plain[rare].argmax(1) == 3).mean() + 0.2


def test_columns_that_do_not_vary_change_nothing() -> None:
    rows, labels, ids = planted()
    folds = folds_of(ids, 2, seed=0)
    wide = np.concatenate([rows, np.full((len(rows), 1), 5.0, np.float32)], axis=1)
    # The penalty is relative to the trace by d, so one more column of no variance lowers it.
    expected = cross_fit(rows, labels, CLASSES, folds, ridge=Ridge(penalty=0.01 * 12 / 13))
    np.testing.assert_allclose(cross_fit(wide, labels, CLASSES, folds), expected, atol=1e-5)
    constant = np.ones((len(rows), 3), np.float32)
    found = cross_fit(constant, labels, CLASSES, folds)
    share = np.bincount(labels[folds == 1], minlength=CLASSES) / (folds == 1).sum()
    np.testing.assert_allclose(found[folds == 0], np.broadcast_to(share, found[folds == 0].shape), atol=1e-6)


def test_a_class_that_the_other_folds_lack_is_predicted_as_nothing() -> None:
    rows, labels, ids = planted()
    folds = folds_of(ids, 2, seed=0)
    labels[(labels == 3) & (folds == 1)] = 0
    assert not cross_fit(rows, labels, CLASSES, folds)[folds == 0, 3].any()


def test_folds_follow_id_and_seed_alone() -> None:
    ids = [f"sample/{number}" for number in range(3000)]
    folds = folds_of(ids, 3, seed=0)
    np.testing.assert_array_equal(folds_of(reversed(ids), 3, seed=0), folds[::-1])
    np.testing.assert_array_equal(folds_of(ids[100:200], 3, seed=0), folds[100:200])
    assert 0.55 < (folds_of(ids, 3, seed=1) != folds).mean() < 0.78
    # Each fold has a third, within four standard deviations.
    assert np.abs(np.bincount(folds, minlength=3) - 1000).max() < 4 * (3000 * 2 / 9) ** 0.5
    assert len(set(folds_of(["same"] * 5, 3, seed=0).tolist())) == 1
    # A file name that is no UTF-8 comes as a lone surrogate.
    assert folds_of(["\udce4"], 2, seed=0).shape == (1,)
    # Folds must never change from version to version: worked out by Python's own blake2b.
    assert folds_of(["a", "b", "c", "d", "e", "f"], 5, seed=7).tolist() == [0, 3, 2, 3, 4, 0]


def test_what_cannot_be_fitted_is_refused() -> None:
    rows, labels, ids = planted(50)
    folds = folds_of(ids, 2, seed=0)
    with pytest.raises(UsageError):
        folds_of(ids, 1, seed=0)
    with pytest.raises(UsageError):
        Ridge(penalty=0)
    with pytest.raises(EmptyDataError):
        cross_fit(rows, labels, CLASSES, np.zeros_like(folds))
    with pytest.raises(EmptyDataError):
        cross_fit(rows[:0], labels[:0], CLASSES, folds[:0])
    with pytest.raises(EmptyDataError):
        fit(moments(rows[:0], labels[:0], CLASSES), Ridge())
    with pytest.raises(ShapeError):
        cross_fit(rows, labels, CLASSES, folds[:-1])
    with pytest.raises(LabelError):
        cross_fit(rows, labels, 2, folds)
