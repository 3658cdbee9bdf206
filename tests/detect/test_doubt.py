"""What coarse content says against labels: planted wrong labels, and the carriers of a faint pattern."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_hidden_pattern import EVEN, WIDTH, area, found_in, planted

from bezoar.detect.numerics.ridge import cross_fit, folds_of
from bezoar.detect.samples.doubt import RIDGE, content_doubt
from bezoar.detect.samples.hidden_pattern import HiddenPattern
from bezoar.errors import UsageError
from bezoar.evidence import Evidence
from bezoar.metrics.detection import auroc
from bezoar.records import Skipped


def with_content(evidence: Evidence, odd: np.ndarray, *, told: float = 0.85) -> Evidence:
    """With content in which the classes lie apart; the odd ones look like a class that is not theirs."""
    generator = np.random.default_rng(7)
    centres = np.random.default_rng(8).normal(0, told, (evidence.classes, WIDTH))
    looks = np.where(odd, (evidence.labels + generator.integers(1, evidence.classes, len(odd))), evidence.labels)
    rows = centres[looks % evidence.classes] + generator.normal(size=(len(odd), WIDTH))
    return replace(evidence, inputs={**evidence.inputs, "content": rows.astype(np.float16)})


def test_doubt_is_the_best_other_label_less_ones_own() -> None:
    evidence = with_content(*planted((60, 60, 60)))
    doubt = content_doubt(evidence, seed=3)
    assert doubt is not None
    halves = folds_of(evidence.ids, 2, seed=3)
    predicted = cross_fit(evidence.inputs["content"], evidence.labels, 3, halves, ridge=RIDGE)
    for row in (0, 50, 120):
        others = np.delete(predicted[row], evidence.labels[row])
        assert doubt[row] == pytest.approx(others.max() - predicted[row, evidence.labels[row]], abs=1e-6)


def test_samples_that_show_something_else_are_doubted() -> None:
    evidence, odd = planted(share=0.2)
    doubt = content_doubt(with_content(evidence, odd), seed=0)
    assert doubt is not None
    target = evidence.members(1)
    value = auroc(doubt[target], odd[target])
    assert isinstance(value, float)
    assert value > 0.95


def test_it_is_told_once_for_each_seed() -> None:
    evidence = with_content(*planted((60, 60)))
    first = content_doubt(evidence, seed=0)
    assert content_doubt(evidence, seed=0) is first
    other = content_doubt(evidence, seed=1)
    assert other is not None
    assert not np.array_equal(other, first)


def test_what_can_not_be_told_is_none() -> None:
    evidence, odd = planted((60, 60))
    assert content_doubt(evidence, seed=0) is None
    alone = Evidence(("a", "b"), np.zeros(2, np.int64), ("only",), inputs={"content": np.ones((2, 4), np.float16)})
    assert content_doubt(alone, seed=0) is None
    one = Evidence(("a",), np.zeros(1, np.int64), ("only", "none"), inputs={"content": np.ones((1, 4), np.float16)})
    assert content_doubt(one, seed=0) is None
    assert isinstance(HiddenPattern(first="content").score(evidence, seed=0), Skipped)
    assert isinstance(HiddenPattern(first="content").score(with_content(evidence, odd), seed=0).ids, tuple)


def faint(share: float) -> tuple[Evidence, np.ndarray]:
    """A pattern in rows by which classes can't be told: the labels say nothing about who carries it."""
    evidence, odd = planted(EVEN, share, apart=0.0)
    return with_content(evidence, odd), odd


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_carriers_are_found_from_their_content(share: float) -> None:
    evidence, odd = faint(share)
    found = found_in(evidence, first="content")
    assert area(found, evidence, odd) > 0.95
    assert found.classes is not None
    assert found.classes[1] > 3 * np.delete(found.classes, 1).max()


def test_of_two_halves_the_one_that_shows_something_else_is_odd() -> None:
    """Where labels say nothing the pattern may as well be taken for what all but its carriers have."""
    evidence, odd = faint(0.6)
    assert area(found_in(evidence, first="content"), evidence, odd) > 0.95


@pytest.mark.parametrize("flipped", [0.0, 0.2])
def test_samples_that_show_something_else_and_share_nothing_are_no_pattern(flipped: float) -> None:
    evidence, _ = planted(flipped=flipped, apart=0.2)
    wrong = np.random.default_rng(1).random(len(evidence)) < 0.2
    found = found_in(with_content(evidence, wrong), first="content")
    assert found.classes is not None
    assert found.classes.max() < 0.12


def test_an_unknown_first_score_is_refused() -> None:
    with pytest.raises(UsageError, match="first=labels or first=content"):
        HiddenPattern(first="colour")
