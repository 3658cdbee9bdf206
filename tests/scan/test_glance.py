"""At quick, without a network: what suspects show coarsely tells honest marks from wrong labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scan_toys import Toy, toy

from bezoar.confirm.content import Content, surely_right
from bezoar.data import Dataset
from bezoar.records import ClassSignal, Finding
from bezoar.scan import ScanSettings, scan
from bezoar.scan.finding import Untested
from bezoar.scan.glance import glance, marks_of_many
from bezoar.scan.nominees import Expert, Nominee
from bezoar.scan.strength import Standing, strength_of

FIRED = ClassSignal("shared-pixels", "kind 3", 5.0, 1e-6, 1e-4, True)
QUICK = ScanSettings(budget="quick", device="cpu")


@pytest.fixture(scope="module")
def poisoned() -> Toy:
    return toy(classes=5, each=200, share=0.2)


def nominee(data: Dataset, label: int, suspects: frozenset[str], signal: ClassSignal = FIRED) -> Nominee:
    rows = torch.nonzero(data.labels == label)[:, 0].numpy()
    odds = np.array([0.95 if data.ids[row] in suspects else 0.01 for row in rows])
    return Nominee(label, signal, (Expert(signal, rows, odds, odds),))


def some_of_class(data: Dataset, label: int, count: int, but: frozenset[str]) -> frozenset[str]:
    rows = torch.nonzero(data.labels == label)[:, 0].tolist()
    return frozenset([data.ids[row] for row in rows if data.ids[row] not in but][:count])


def test_wrong_labels_are_seen_without_a_network_and_right_ones_as_well(poisoned: Toy) -> None:
    data = poisoned.data
    honest = nominee(data, 1, some_of_class(data, 1, 40, poisoned.poisons))
    wrong, right = glance(data, [nominee(data, 3, poisoned.poisons), honest], seed=0)
    assert wrong.shown is not None
    assert right.shown is not None
    assert (wrong.shown.mislabelled or 0) > 0.8
    assert surely_right(right.shown)
    assert not surely_right(wrong.shown)


def test_the_expert_with_most_wrong_labels_speaks(poisoned: Toy) -> None:
    data = poisoned.data
    first = nominee(data, 3, some_of_class(data, 3, 40, poisoned.poisons))
    (both,) = glance(data, [replace(first, experts=first.experts + nominee(data, 3, poisoned.poisons).experts)], seed=0)
    assert both.shown is not None
    assert (both.shown.mislabelled or 0) > 0.8


def test_nothing_is_looked_at_where_no_class_stands_out_or_too_little_could_be_learnt(poisoned: Toy) -> None:
    data = poisoned.data
    weak = replace(FIRED, p_adjusted=0.02, fired=False)
    assert [one.shown for one in glance(data, [nominee(data, 3, poisoned.poisons, weak)], seed=0)] == [None]
    few = data.select([row for label in range(5) for row in torch.nonzero(data.labels == label)[:20, 0].tolist()])
    assert [one.shown for one in glance(few, [nominee(few, 3, frozenset(few.ids[:2]))], seed=0)] == [None]


@pytest.mark.parametrize(
    ("agree", "wrong", "marked", "word"),
    [
        (0.9, 0.0, False, None),
        (0.9, 0.0, True, "suspicious"),
        (0.5, 0.45, False, "suspicious"),
        (0.9, None, False, "suspicious"),
    ],
)
def test_suspects_that_are_what_their_labels_say_are_no_finding(
    agree: float, wrong: float | None, marked: bool, word: str | None
) -> None:
    shown = Content(agree, 0.9, wrong, (4, 36), contrast=0.85)
    assert strength_of(FIRED, None, Standing(marked=marked), shown) == word


@pytest.mark.parametrize(
    ("agree", "genuine", "contrast", "count", "sure"),
    [
        (0.8, 0.9, 0.85, 12, True),
        (0.65, 0.9, 0.85, 12, False),
        (0.65, 0.9, 0.85, 120, True),
        (0.3, 0.3, 0.25, 40, True),
        (0.3, 0.3, 0.25, 20, False),  # of twenty, as few as a seventh may be recognised by chance
        (0.3, 0.3, 0.06, 400, False),  # who hardly tells the class from others can't tell who is right
        (0.9, None, None, 100, False),
    ],
)
def test_few_suspects_or_little_contrast_are_rarely_sure_to_be_right(
    agree: float, genuine: float | None, contrast: float | None, count: int, sure: bool
) -> None:
    shown = Content(agree, genuine, None if genuine is None else 0.0, (0, count), contrast=contrast)
    assert surely_right(shown) == sure


@pytest.mark.parametrize(("marked", "several"), [((True, True), True), ((True, False), False)])
def test_marks_of_several_classes_under_right_labels_are_no_clean_label_attack(
    marked: tuple[bool, bool], several: bool
) -> None:
    shown = Untested("none was tried", Content(0.9, 0.9, 0.0, (4, 36), contrast=0.85))
    wrong = Untested("none was tried", Content(0.1, 0.9, 0.9, (36, 4), contrast=0.85))
    expert = Expert(FIRED, np.arange(4), np.ones(4), np.ones(4))
    chosen = [Nominee(place, FIRED, (expert,), Standing(marked=one)) for place, one in enumerate(marked)]
    assert marks_of_many(chosen, [shown, shown]) == several
    assert not marks_of_many(chosen, [shown, wrong])


def test_a_quick_scan_says_what_the_suspects_show(poisoned: Toy) -> None:
    found: Finding = scan(poisoned.data, QUICK).findings[0]
    assert found.target == "kind 3"
    assert "sees no fine detail" in found.content
    assert "quick" in found.reason
