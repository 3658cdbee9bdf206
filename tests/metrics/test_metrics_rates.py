from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bezoar.errors import DataError, EmptyDataError, LabelError, ShapeError, UsageError
from bezoar.metrics.intervals import wilson
from bezoar.metrics.rates import (
    attack_success,
    attack_success_any_source,
    by_class,
    clean_accuracy,
    confusion_matrix,
    defence_effectiveness,
    measure,
    pooled,
    robust_accuracy,
)
from bezoar.records import Rate, Skipped

# A busy machine is slow, not wrong.
STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NAMES = ("airplane", "bird", "cat", "deer")
# Two airplanes fall for it and one does not; a bird is already of the target; one cat falls too.
LABELS = np.array([0, 0, 0, 1, 2, 2, 3])
CLEAN = np.array([0, 0, 3, 1, 2, 2, 3])
TRIGGERED = np.array([1, 1, 0, 1, 1, 2, 0])
TO_BIRD = {0: 1}


@st.composite
def answered(draw):
    classes = draw(st.integers(2, 5))
    size = draw(st.integers(1, 40))
    column = st.lists(st.integers(0, classes - 1), min_size=size, max_size=size)
    relabelling = draw(st.dictionaries(st.integers(0, classes - 1), st.integers(0, classes - 1)))
    labels, clean, triggered = (np.array(draw(column)) for _ in range(3))
    return labels, clean, triggered, relabelling, tuple("abcde"[:classes])


def counts(rate: Rate | Skipped) -> tuple[int, int]:
    return (0, 0) if isinstance(rate, Skipped) else (rate.successes, rate.trials)


def test_the_hand_worked_case():
    assert clean_accuracy(LABELS, CLEAN) == wilson(6, 7)
    assert attack_success(LABELS, TRIGGERED, TO_BIRD) == wilson(2, 3)
    assert robust_accuracy(LABELS, TRIGGERED, TO_BIRD) == wilson(1, 3)
    assert attack_success_any_source(LABELS, TRIGGERED, [1]) == wilson(3, 6)
    assert confusion_matrix(LABELS, TRIGGERED, 4) == ((1, 2, 0, 0), (0, 1, 0, 0), (0, 1, 1, 0), (1, 0, 0, 0))


def test_measure_brings_the_same_numbers_together():
    measured = measure(torch.from_numpy(LABELS), torch.from_numpy(CLEAN), torch.from_numpy(TRIGGERED), TO_BIRD, NAMES)
    assert measured.clean_accuracy == wilson(6, 7)
    assert measured.attack_success == wilson(2, 3)
    assert measured.robust_accuracy == wilson(1, 3)
    assert measured.attack_success_any_source == wilson(3, 6)
    assert measured.confusion_clean == confusion_matrix(LABELS, CLEAN, 4)
    assert measured.confusion_triggered == confusion_matrix(LABELS, TRIGGERED, 4)
    assert measured.by_class == by_class(LABELS, CLEAN, TRIGGERED, TO_BIRD, NAMES)


def test_by_class_shows_a_trigger_working_beyond_its_sources():
    airplane, bird, cat, deer = by_class(LABELS, CLEAN, TRIGGERED, TO_BIRD, NAMES)
    assert (airplane.class_name, airplane.clean_accuracy) == ("airplane", wilson(2, 3))
    assert (airplane.attack_success, airplane.robust_accuracy) == (wilson(2, 3), wilson(1, 3))
    assert bird.attack_success == bird.robust_accuracy == Skipped("already of a target class")
    assert bird.clean_accuracy == wilson(1, 1)
    assert (cat.attack_success, cat.robust_accuracy) == (wilson(1, 2), wilson(1, 2))
    assert (deer.attack_success, deer.robust_accuracy) == (wilson(0, 1), wilson(0, 1))


def test_samples_already_of_the_target_class_are_left_out():
    everyone = dict.fromkeys(range(4), 1)
    assert attack_success(LABELS, TRIGGERED, everyone) == wilson(3, 6)
    assert attack_success(LABELS, np.ones_like(LABELS), everyone) == wilson(6, 6)


def test_all_to_all_judges_each_class_by_its_own_target():
    labels = np.array([0, 1, 2, 3, 3])
    shifted = {label: (label + 1) % 4 for label in range(4)}
    measured = measure(labels, labels, np.array([1, 2, 3, 0, 1]), shifted, NAMES)
    assert measured.attack_success == wilson(4, 5)
    assert measured.robust_accuracy == wilson(0, 5)
    assert measured.attack_success_any_source == Skipped("every test sample is of a target class")
    assert [counts(row.attack_success) for row in measured.by_class] == [(1, 1), (1, 1), (1, 1), (1, 2)]


def test_several_targets_leave_a_class_without_a_target_skipped():
    rows = by_class(LABELS, CLEAN, TRIGGERED, {0: 1, 3: 0}, NAMES)
    assert rows[2].attack_success == Skipped("not a source class, and the targets are several")
    assert rows[1].attack_success == Skipped("already of a target class")
    assert rows[3].attack_success == wilson(1, 1)


def test_nothing_to_measure_is_skipped_with_the_reason():
    assert attack_success(LABELS, TRIGGERED, {}) == Skipped("no test sample is of a source class of the attack")
    assert robust_accuracy([2], [2], TO_BIRD) == Skipped("no test sample is of a source class of the attack")
    assert attack_success([1], [1], {1: 1}) == Skipped("no test sample is of a source class of the attack")
    assert attack_success_any_source([1], [1], [1]) == Skipped("every test sample is of a target class")
    untouched = measure(LABELS, CLEAN, TRIGGERED, {}, NAMES)
    assert untouched.attack_success_any_source == Skipped("the attack has no target class")
    assert untouched.by_class[0].attack_success == Skipped("the attack has no target class")
    absent = by_class([0], [0], [1], TO_BIRD, NAMES)[3]
    assert absent.clean_accuracy == absent.attack_success == Skipped("the test data hold no sample of class deer")


def test_a_perfect_and_an_utterly_fooled_model():
    perfect = measure(LABELS, LABELS, LABELS, TO_BIRD, NAMES)
    assert (perfect.clean_accuracy.value, perfect.attack_success.value, perfect.robust_accuracy.value) == (1, 0, 1)
    fooled = measure(LABELS, LABELS, np.ones_like(LABELS), TO_BIRD, NAMES)
    assert (fooled.attack_success.value, fooled.robust_accuracy.value) == (1, 0)
    assert fooled.attack_success_any_source.value == 1


@STEADY
@given(answered())
def test_rates_classes_and_matrices_agree(case):
    labels, clean, triggered, relabelling, names = case
    measured = measure(labels, clean, triggered, relabelling, names)
    (hits, trials), (robust, robust_trials) = counts(measured.attack_success), counts(measured.robust_accuracy)
    assert trials == robust_trials
    assert hits + robust <= trials
    sources = [row for label, row in enumerate(measured.by_class) if relabelling.get(label, label) != label]
    assert tuple(np.sum([(0, 0), *(counts(row.attack_success) for row in sources)], axis=0)) == (hits, trials)
    assert (
        sum(measured.confusion_clean[label][label] for label in range(len(names))) == measured.clean_accuracy.successes
    )
    for matrix in (measured.confusion_clean, measured.confusion_triggered):
        assert [sum(row) for row in matrix] == np.bincount(labels, minlength=len(names)).tolist()
    if len({target for source, target in relabelling.items() if source != target}) == 1:
        everyone = np.sum([counts(row.attack_success) for row in measured.by_class], axis=0)
        assert tuple(everyone) == counts(measured.attack_success_any_source)


@STEADY
@given(answered(), st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(case, random):
    labels, clean, triggered, relabelling, names = case
    order = list(range(len(labels)))
    random.shuffle(order)
    shuffled = measure(labels[order], clean[order], triggered[order], relabelling, names)
    assert shuffled == measure(labels, clean, triggered, relabelling, names)


def test_inputs_are_not_changed():
    labels, triggered = LABELS.copy(), TRIGGERED.copy()
    measure(labels, CLEAN, triggered, TO_BIRD, NAMES)
    assert (labels == LABELS).all()
    assert (triggered == TRIGGERED).all()


def test_wrong_predictions_get_a_clear_error():
    with pytest.raises(DataError, match=r"labels and triggered predictions differ in length.*7 labels, 2 triggered"):
        attack_success(LABELS, TRIGGERED[:2], TO_BIRD)
    with pytest.raises(EmptyDataError, match="labels are empty"):
        clean_accuracy(LABELS[:0], CLEAN[:0])
    with pytest.raises(
        LabelError, match=r"clean predictions lie outside the classes; expected 0\.\.3 for 4 classes; found 9"
    ):
        measure(LABELS, np.full(7, 9), TRIGGERED, TO_BIRD, NAMES)
    with pytest.raises(LabelError, match="labels lie outside the classes; expected 0 or above; found -1"):
        clean_accuracy(LABELS - 1, CLEAN)
    with pytest.raises(ShapeError, match=r"predictions must have one axis.*found \(7, 4\).*argmax"):
        clean_accuracy(torch.from_numpy(LABELS), torch.zeros(7, 4))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.bool])
def test_predictions_that_are_no_class_numbers_are_refused(dtype):
    with pytest.raises(LabelError, match="predictions must be integers; expected int64"):
        clean_accuracy(LABELS, torch.zeros(7, dtype=dtype))


@pytest.mark.parametrize("relabelling", [{0: 4}, {-1: 1}, {0: -1}])
def test_a_relabelling_outside_the_classes_is_refused(relabelling):
    with pytest.raises(LabelError, match="relabelling names a class that is not there"):
        measure(LABELS, CLEAN, TRIGGERED, relabelling, NAMES)
    with pytest.raises(LabelError, match="relabelling names a class that is not there"):
        by_class(LABELS, CLEAN, TRIGGERED, relabelling, NAMES)


def test_defence_effectiveness_worked_by_hand():
    assert defence_effectiveness(attack_before=0.95, attack_after=0.05, clean_before=0.92, clean_after=0.90) == (
        pytest.approx((0.90 - 0.02 + 1) / 2)
    )
    nothing = defence_effectiveness(attack_before=0.5, attack_after=0.5, clean_before=0.9, clean_after=0.9)
    worse_attack = defence_effectiveness(attack_before=0.5, attack_after=0.9, clean_before=0.8, clean_after=0.9)
    ruined = defence_effectiveness(attack_before=0.0, attack_after=0.0, clean_before=1.0, clean_after=0.0)
    perfect = defence_effectiveness(attack_before=1.0, attack_after=0.0, clean_before=0.9, clean_after=0.9)
    assert (nothing, worse_attack, ruined, perfect) == (0.5, 0.5, 0.0, 1.0)


def test_defence_effectiveness_refuses_percentages():
    with pytest.raises(UsageError, match="Divide percentages by 100"):
        defence_effectiveness(attack_before=95, attack_after=5, clean_before=92, clean_after=90)


def test_several_triggers_are_counted_together():
    labels = np.array([0, 0, 1, 1, 2, 2])
    clean = np.array([0, 0, 1, 1, 2, 0])
    first = measure(labels, clean, np.array([1, 0, 1, 1, 1, 1]), {0: 1, 2: 1}, ("a", "b", "c"))
    second = measure(labels, clean, np.array([2, 2, 2, 1, 2, 2]), {0: 2, 1: 2}, ("a", "b", "c"))
    together = pooled([first, second])
    assert together.clean_accuracy == first.clean_accuracy
    # 3 of 4 for the first trigger, 3 of 4 for the second.
    assert (together.attack_success.successes, together.attack_success.trials) == (6, 8)
    assert (together.robust_accuracy.successes, together.robust_accuracy.trials) == (2, 8)
    assert together.confusion_triggered[0] == (1, 1, 2)
    of_a, of_b, _ = together.by_class
    assert (of_a.attack_success.successes, of_a.attack_success.trials) == (3, 4)
    # Class b is the target of the first trigger, so only the second counts.
    assert (of_b.attack_success.successes, of_b.attack_success.trials) == (1, 2)
    assert pooled([first]) is first
    with pytest.raises(EmptyDataError):
        pooled([])
