from __future__ import annotations

import numpy as np
import pytest

from bezoar.errors import DataError, EmptyDataError, UsageError
from bezoar.metrics.monitoring import accuracy_alarm


def answers(samples: int, victim_only_wrong: int, twin_only_wrong: int, both_wrong: int = 0):
    labels = np.zeros(samples, dtype=np.int64)
    victim, twin = labels.copy(), labels.copy()
    victim[:victim_only_wrong] = 1
    twin[victim_only_wrong : victim_only_wrong + twin_only_wrong] = 1
    victim[samples - both_wrong :] = twin[samples - both_wrong :] = 1
    return labels, victim, twin


def test_a_backdoor_that_keeps_accuracy_leaves_the_alarm_silent():
    answer = accuracy_alarm(*answers(1000, 32, 30, both_wrong=107))
    assert not answer.alarm
    assert (answer.victim_accuracy, answer.twin_accuracy, answer.allowed_drop) == (0.861, 0.863, 0.01)
    assert answer.sentence == (
        "An alarm on overall accuracy (a drop of more than 1.0 point) would have stayed silent: "
        "86.1% against the clean twin's 86.3%."
    )


def test_a_large_drop_rings():
    answer = accuracy_alarm(*answers(1000, 90, 20))
    assert answer.alarm
    assert answer.sentence == (
        "An alarm on overall accuracy (a drop of more than 1.0 point) would have gone off: "
        "91.0% against the clean twin's 98.0%, a drop of 7.0 points (p < 0.0001)."
    )


def test_a_large_drop_on_few_samples_is_not_significant():
    answer = accuracy_alarm(*answers(50, 3, 1))
    # 4 coins, 3 or more heads.
    assert answer.p_value == pytest.approx(5 / 16)
    assert not answer.alarm
    assert answer.sentence.endswith(
        "would have stayed silent: 94.0% against the clean twin's 98.0%, "
        "a drop of 4.0 points that chance could explain on 50 samples (p = 0.31, and an alarm asks for less than 0.01)."
    )


def test_a_significant_drop_within_the_allowance_stays_silent():
    answer = accuracy_alarm(*answers(10_000, 90, 0))
    assert answer.p_value < 1e-9
    assert not answer.alarm
    assert answer.sentence.endswith("would have stayed silent: 99.1% against the clean twin's 100.0%.")


@pytest.mark.parametrize(("allowed_drop", "samples"), [(0.01, 10_000), (0.07, 100), (0.29, 100), (0.3, 10)])
def test_a_drop_of_exactly_the_allowed_size_stays_silent_and_one_sample_more_rings(allowed_drop, samples):
    allowed = round(allowed_drop * samples)
    limits = {"allowed_drop": allowed_drop, "significance": 0.2}
    assert not accuracy_alarm(*answers(samples, allowed, 0), **limits).alarm
    assert accuracy_alarm(*answers(samples, allowed + 1, 0), **limits).alarm


def test_a_victim_better_than_its_twin_never_rings():
    answer = accuracy_alarm(*answers(100, 0, 50), allowed_drop=0.0)
    assert not answer.alarm
    assert answer.p_value == 1.0
    assert "a drop of more than 0.0 points" in answer.sentence


def test_limits_are_said_in_points_and_kept_in_the_answer():
    answer = accuracy_alarm(*answers(100, 1, 1), allowed_drop=0.0025, significance=0.05)
    assert "more than 0.25 points" in answer.sentence
    assert (answer.allowed_drop, answer.significance) == (0.0025, 0.05)


def test_limits_outside_their_range_are_refused():
    with pytest.raises(UsageError, match=r"allowed drop is a share.*found 1.*One point is 0.01"):
        accuracy_alarm(*answers(10, 0, 0), allowed_drop=1)
    with pytest.raises(UsageError, match="significance level"):
        accuracy_alarm(*answers(10, 0, 0), significance=0)


def test_predictions_that_do_not_fit_are_refused():
    labels, victim, twin = answers(10, 1, 1)
    with pytest.raises(DataError, match="victim predictions and twin predictions differ in length"):
        accuracy_alarm(labels, victim, twin[:-1])
    with pytest.raises(EmptyDataError, match="labels are empty"):
        accuracy_alarm(labels[:0], victim[:0], twin[:0])
