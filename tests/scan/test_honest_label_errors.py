"""Confident learning against a joint worked by hand, a plain loop, and planted wrong labels."""

import numpy as np
import pytest

from bezoar.errors import DataError, ShapeError
from bezoar.scan.honest import find_label_errors, label_error_remarks
from bezoar.scan.honest.label_errors import calibrated_joint, confident_joint

HAND = np.array(
    [
        [0.9, 0.1],  # given 0
        [0.8, 0.2],
        [0.1, 0.9],  # wrong: confidently 1
        [0.3, 0.7],  # given 1
        [0.2, 0.8],
        [0.4, 0.6],
        [0.9, 0.1],  # wrong: confidently 0
    ]
)
HAND_LABELS = np.array([0, 0, 0, 1, 1, 1, 1])
"""Thresholds: 0: (.9 + .8 + .1) / 3 = .6; 1: (.7 + .8 + .6 + .1) / 4 = .55."""


def ids(n: int) -> tuple[str, ...]:
    return tuple(f"s{number:04}" for number in range(n))


def noisy(n: int = 1500, classes: int = 3, rate: float = 0.1, seed: int = 0):
    """Logits of a good model, and labels of which a share `rate` was moved to the next class."""
    generator = np.random.default_rng(seed)
    true = generator.integers(0, classes, n)
    wrong = generator.random(n) < rate
    labels = np.where(wrong, (true + 1) % classes, true)
    return 5 * np.eye(classes)[true] + generator.normal(0, 0.7, (n, classes)), labels, wrong


def test_the_joint_worked_by_hand():
    counts = confident_joint(HAND, HAND_LABELS)
    np.testing.assert_array_equal(counts, [[2, 1], [1, 3]])
    np.testing.assert_allclose(calibrated_joint(counts, HAND_LABELS), np.array([[2, 1], [1, 3]]) / 7)
    found = find_label_errors(np.log(HAND), HAND_LABELS, ids(7))
    assert found.noise_rate == pytest.approx(2 / 7)
    assert found.class_errors == (1, 1)
    assert {(error.id, error.given, error.likely, round(error.margin, 6)) for error in found.likely} == {
        ("s0002", 0, 1, 0.8),
        ("s0006", 1, 0, 0.8),
    }


def test_rows_are_scaled_to_the_labels_given():
    """Half of class 0 is confident: two of three such say 0, one says 1; there are six of it, and two of class 1."""
    joint = calibrated_joint(np.array([[2, 1], [0, 0]]), np.array([0] * 6 + [1] * 2))
    np.testing.assert_allclose(joint, [[4 / 8, 2 / 8], [0, 2 / 8]])


def test_the_joint_against_a_plain_loop():
    generator = np.random.default_rng(4)
    chances, labels = generator.dirichlet(np.ones(5), 300), generator.integers(0, 4, 300)  # class 4 has no samples
    thresholds = [
        np.mean([row[j] for row, label in zip(chances, labels, strict=True) if label == j]) for j in range(4)
    ] + [np.inf]
    expected = np.zeros((5, 5), dtype=int)
    for row, label in zip(chances, labels, strict=True):
        over = [j for j in range(5) if row[j] >= thresholds[j]]
        if over:
            expected[label, max(over, key=lambda j: row[j])] += 1
    np.testing.assert_array_equal(confident_joint(chances, labels), expected)


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_planted_wrong_labels_are_found_and_counted(rate):
    logits, labels, wrong = noisy(rate=rate)
    found = find_label_errors(logits, labels, ids(len(labels)))
    assert found.noise_rate == pytest.approx(wrong.mean(), abs=0.01)
    told = {error.id for error in found.likely}
    truth = {one for one, is_wrong in zip(ids(len(labels)), wrong, strict=True) if is_wrong}
    assert len(told & truth) >= 0.97 * len(truth)
    assert len(told - truth) <= 0.03 * len(truth) + 1
    # Labels were moved to the next class, so the likely one is the one before.
    assert all(error.likely == (error.given - 1) % 3 for error in found.likely if error.id in truth)
    assert sum(found.class_errors) == len(found.likely)
    assert [error.margin for error in found.likely] == sorted((error.margin for error in found.likely), reverse=True)
    np.testing.assert_allclose(found.joint.sum(), 1)
    np.testing.assert_allclose(found.joint.sum(axis=1), np.bincount(labels) / len(labels))


def test_right_labels_are_left_alone():
    logits, labels, _ = noisy(rate=0)
    found = find_label_errors(logits, labels, ids(len(labels)))
    assert found.likely == ()
    assert label_error_remarks(found, ("a", "b", "c")) == ()


def test_a_model_that_knows_nothing_calls_no_sample_wrong_that_it_agrees_with():
    logits = np.random.default_rng(2).normal(size=(400, 4))
    labels = np.random.default_rng(3).integers(0, 4, 400)
    found = find_label_errors(logits, labels, ids(400))
    agreed = {one for one, row, label in zip(ids(400), logits, labels, strict=True) if row.argmax() == label}
    assert found.likely
    assert not agreed & {error.id for error in found.likely}


def test_the_answer_follows_the_ids_and_takes_half_precision():
    logits, labels, _ = noisy(n=300)
    turned = np.random.default_rng(0).permutation(300)
    names = ids(300)
    half = logits.astype(np.float16)
    straight = find_label_errors(half, labels, names)
    mixed = find_label_errors(half[turned], labels[turned], [names[row] for row in turned])
    assert [error.id for error in mixed.likely] == [error.id for error in straight.likely]
    assert mixed.noise_rate == pytest.approx(straight.noise_rate)


def test_the_remark():
    logits, labels, _ = noisy(rate=0.1)
    found = find_label_errors(logits, labels, ids(len(labels)))
    (remark,) = label_error_remarks(found, ("cat", "dog", "ship"))
    assert remark.kind == "label errors"
    assert remark.count == len(found.likely)
    assert f"About {found.noise_rate:.0%} of the labels" in remark.sentence
    assert remark.examples[0][0] == found.likely[0].id
    assert set(remark.examples[0][1:]) <= {"cat", "dog", "ship"}


def test_errors():
    with pytest.raises(ShapeError):
        find_label_errors(np.zeros((3, 2)), np.zeros(2, np.int64), ids(3))
    with pytest.raises(ShapeError):
        find_label_errors(np.zeros((0, 2)), np.zeros(0, np.int64), ())
    with pytest.raises(ShapeError, match="column"):
        find_label_errors(np.zeros((2, 2)), np.array([0, 2]), ids(2))
    with pytest.raises(DataError, match="finite"):
        find_label_errors(np.array([[np.nan, 0], [0, 1]]), np.array([0, 1]), ids(2))
