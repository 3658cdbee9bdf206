from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bezoar.errors import DataError, EmptyDataError, ShapeError, UsageError
from bezoar.metrics.detection import auroc, measure_detection, realised_fpr, tpr_at_fpr
from bezoar.metrics.intervals import wilson
from bezoar.records import OperatingPoint, Skipped
from bezoar.truth import PlantedBackdoor, PoisonedSample, PoisonTruth

# A busy machine is slow, not wrong.
STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def truth_of(poisoned: list[str]) -> PoisonTruth:
    samples = tuple(PoisonedSample(sample_id, sample_id, "bird", "airplane", "00", "11") for sample_id in poisoned)
    return PoisonTruth(
        drill="drill",
        attack="dirty-label",
        backdoors=(PlantedBackdoor("patch", (("airplane", "bird"),)),),
        placement="replace",
        seed=0,
        class_names=("airplane", "bird"),
        digest_before="before",
        digest_after="after",
        originals=10,
        samples=samples,
        versions=(),
    )


def test_auroc_by_hand_with_ties():
    # Pairs (poison, clean): 3>1, 3>2, 2>1, 2=2: 3.5 of 4.
    assert auroc([3, 2, 1, 2], [True, True, False, False]) == 3.5 / 4
    assert auroc([5, 5, 5], [True, False, False]) == 0.5


@STEADY
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=30))
def test_auroc_of_reversed_scores_is_the_complement(rows):
    scores, is_poison = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    if is_poison.all() or not is_poison.any():
        assert isinstance(auroc(scores, is_poison), Skipped)
    else:
        assert auroc(scores, is_poison) == pytest.approx(1 - auroc(-scores, is_poison), abs=1e-12)


def test_a_cut_never_takes_more_false_alarms_than_allowed():
    # Four of ten clean samples tie at the top: flagging them would be 40%, so none is flagged.
    scores = [9, 8, 5, 5, 5, 5, 1, 1, 1, 1, 1, 1]
    is_poison = [True, True] + [False] * 10
    assert tpr_at_fpr(scores, is_poison, 0.3) == OperatingPoint(0.3, 5.0, wilson(2, 2), wilson(0, 10))
    assert tpr_at_fpr(scores, is_poison, 0.4) == OperatingPoint(0.4, 1.0, wilson(2, 2), wilson(4, 10))


def test_a_poison_tied_with_the_threshold_is_not_found():
    assert tpr_at_fpr([5, 5, 1], [True, False, False], 0.0).tpr == wilson(0, 1)


def test_the_allowance_survives_floating_point():
    # 0.29 * 100 is 28.999... in floating point.
    scores, is_poison = np.arange(101.0), np.arange(101) == 100
    assert tpr_at_fpr(scores, is_poison, 0.29).fpr == wilson(29, 100)


@STEADY
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=30), st.floats(0, 0.999))
def test_the_threshold_is_the_lowest_that_keeps_the_promise(rows, fpr):
    scores, is_poison = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    point = tpr_at_fpr(scores, is_poison, fpr)
    if is_poison.all():
        assert point == Skipped("no scored sample is clean")
        return
    assert point.fpr.value <= fpr + 1e-9
    lower = [score for score in set(scores[~is_poison]) if score < point.threshold]
    assert all(realised_fpr(scores[~is_poison], score).value > fpr for score in lower)


def test_realised_rate_on_entirely_clean_data():
    assert realised_fpr([0.1, 0.2, 0.9, 0.5], 0.5) == wilson(1, 4)


def test_a_perfect_detector_measures_perfect_in_any_order():
    ids = [f"sample-{number}" for number in range(1000)]
    poisoned = ids[3::100]
    scores = {sample_id: float(sample_id in poisoned) for sample_id in ids}
    shuffled = {sample_id: scores[sample_id] for sample_id in np.random.default_rng(1).permutation(ids).tolist()}
    measured = measure_detection(shuffled, truth_of(poisoned))
    assert measured == measure_detection(scores, truth_of(poisoned))
    assert (measured.auroc, measured.poisons, measured.clean, measured.unscored_poisons) == (1.0, 10, 990, 0)
    assert [(point.wanted_fpr, point.tpr, point.fpr) for point in measured.operating_points] == [
        (0.01, wilson(10, 10), wilson(0, 990)),
        (0.05, wilson(10, 10), wilson(0, 990)),
    ]


def test_a_random_detector_measures_as_chance():
    generator = np.random.default_rng(2)
    ids = [f"sample-{number}" for number in range(20_000)]
    poisoned = generator.choice(ids, 2000, replace=False).tolist()
    measured = measure_detection(dict(zip(ids, generator.random(20_000).tolist(), strict=True)), truth_of(poisoned))
    assert measured.auroc == pytest.approx(0.5, abs=0.02)
    for point in measured.operating_points:
        assert point.tpr.low <= point.wanted_fpr <= point.tpr.high
        assert point.fpr.value == pytest.approx(point.wanted_fpr)


def test_truth_follows_the_id_and_not_the_row():
    measured = measure_detection({"c": 0.1, "a": 0.9, "b": 0.2}, truth_of(["a"]))
    assert measured.auroc == 1.0
    assert measure_detection({"a": 0.1, "c": 0.9, "b": 0.2}, truth_of(["a"])).auroc == 0.0


def test_poisons_without_a_score_are_counted():
    assert measure_detection({"a": 1.0, "b": 0.0}, truth_of(["a", "lost"])).unscored_poisons == 1


def test_entirely_clean_data_have_false_alarms_only():
    measured = measure_detection({"a": 1.0, "b": 0.0}, truth_of([]), fprs=(0.5,))
    assert measured.auroc == Skipped("no scored sample is poisoned")
    assert measured.operating_points == (
        OperatingPoint(0.5, 0.0, Skipped("no scored sample is poisoned"), wilson(1, 2)),
    )


def test_entirely_poisoned_data_have_no_operating_point():
    measured = measure_detection({"a": 1.0}, truth_of(["a"]))
    assert measured.auroc == Skipped("no scored sample is clean")
    assert measured.operating_points == ()


def test_scores_that_cannot_be_judged_get_a_clear_error():
    with pytest.raises(DataError, match="score of b is nan; expected a finite number"):
        measure_detection({"a": 1.0, "b": float("nan")}, truth_of(["a"]))
    with pytest.raises(EmptyDataError, match="no sample has a score"):
        measure_detection({}, truth_of(["a"]))
    with pytest.raises(DataError, match="score in row 1 is inf"):
        auroc([0.0, np.inf], [True, False])
    with pytest.raises(ShapeError, match=r"is_poison must say.*booleans \(2,\); found int64 \(2,\)"):
        auroc([0.0, 1.0], [0, 1])
    with pytest.raises(ShapeError, match="one axis"):
        realised_fpr([[0.0]], 0.5)
    with pytest.raises(UsageError, match=r"false-positive rate lies in \[0, 1\)"):
        tpr_at_fpr([0.0, 1.0], [False, True], 1)
