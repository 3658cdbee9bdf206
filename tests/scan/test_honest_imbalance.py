"""Class sizes: counts, ratios, tiny and untestable classes."""

import numpy as np
import pytest

from bezoar.errors import LabelError
from bezoar.scan.honest import balance_remarks, class_balance

NAMES = ("cat", "dog", "ship", "frog")


def labels_of(*counts: int) -> np.ndarray:
    return np.repeat(np.arange(len(counts)), counts)


def test_even_classes_leave_nothing_to_say():
    found = class_balance(labels_of(100, 90, 110, 100), 4)
    assert found.counts == (100, 90, 110, 100)
    assert found.ratio == pytest.approx(110 / 90)
    assert balance_remarks(found, NAMES) == ()


def test_a_long_tail_is_told():
    found = class_balance(labels_of(1000, 300, 100, 20), 4)
    assert found.ratio == 50
    assert found.tiny == ()  # a tenth of the median, 200, is 20
    (remark,) = balance_remarks(found, NAMES)
    assert remark.kind == "imbalance"
    assert "cat (1,000), has 50 times" in remark.sentence
    assert "frog (20)" in remark.sentence


def test_classes_too_small_to_be_tested_and_empty_ones():
    found = class_balance(labels_of(1000, 1000, 19), 4)
    assert (found.tiny, found.untestable, found.empty) == ((2,), (2,), (3,))
    kinds = {remark.kind: remark for remark in balance_remarks(found, NAMES, ratio=1e9)}
    assert kinds["too small"].count == 1
    assert "ship (19)" in kinds["too small"].sentence
    assert "without samples: frog" in kinds["imbalance"].sentence
    assert class_balance(labels_of(1000, 1000, 20), 4).untestable == ()


def test_labels_outside_the_classes_are_refused():
    for wrong in (np.array([0, 4]), np.array([-1]), np.array([], np.int64)):
        with pytest.raises(LabelError):
            class_balance(wrong, 4)
