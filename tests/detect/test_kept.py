"""Answers about evidence are worked out once, and only the last ones are kept."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from bezoar.detect.samples.kept import Kept, halves_of
from bezoar.evidence import Evidence


def evidence(name: str = "a") -> Evidence:
    return Evidence(tuple(f"{name}{row}" for row in range(40)), np.zeros(40, np.int64), ("only",))


def test_the_last_answers_are_kept_for_each_evidence_apart() -> None:
    asked: list[str] = []
    kept: Kept[int] = Kept(2)
    first, second = evidence(), evidence()

    def answer(about: Evidence, question: str) -> int:
        def work_out() -> int:
            asked.append(question)
            return len(asked)

        return kept.get(about, question, work_out)

    assert [answer(first, one) for one in "xxyx"] == [1, 1, 2, 1]
    assert answer(second, "x") == 3
    assert [answer(first, one) for one in "zyx"] == [4, 2, 5]  # x was the oldest of two when z came
    assert asked == ["x", "y", "x", "z", "x"]


def test_nothing_outlives_its_evidence() -> None:
    kept: Kept[int] = Kept(2)
    about = evidence()
    kept.get(about, "x", lambda: 1)
    del about
    gc.collect()
    assert not kept.answers


def test_a_failure_leaves_nothing_behind() -> None:
    kept: Kept[int] = Kept(1)
    about = evidence()
    with pytest.raises(ZeroDivisionError):
        kept.get(about, "x", lambda: 1 // 0)
    assert kept.get(about, "x", lambda: 7) == 7


def test_halves_are_told_by_ids_and_the_seed() -> None:
    halves = halves_of(evidence(), seed=0)
    assert set(halves.tolist()) == {0, 1}
    np.testing.assert_array_equal(halves, halves_of(evidence(), seed=0))
    assert not np.array_equal(halves, halves_of(evidence(), seed=1))
