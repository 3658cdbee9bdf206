"""What is odd in a class that is no finding is told and shown; findings and covers are not told twice."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bezoar.confirm.content import Content
from bezoar.data import Dataset
from bezoar.evidence import Evidence
from bezoar.records import ClassSignal, Finding, Skipped
from bezoar.scan.finding import Covering, Untested
from bezoar.scan.nominees import Expert, Nominee
from bezoar.scan.odd_parts import by_reason, odd_parts
from bezoar.scan.shown import shown_in_words
from bezoar.scan.verdict import NATURAL, UNNAMED

CLASSES, EACH = ("ant", "bee", "cat"), 20


@pytest.fixture
def data() -> Dataset:
    generator = torch.Generator().manual_seed(0)
    return Dataset(
        inputs=torch.randint(0, 256, (60, 3, 8, 8), generator=generator).to(torch.uint8),
        labels=torch.arange(60) // EACH,
        class_names=CLASSES,
        ids=tuple(f"s{row}" for row in range(60)),
        name="insects",
    )


def nominee(label: int, odd: int) -> Nominee:
    rows = np.arange(EACH) + EACH * label
    odds = np.where(np.arange(EACH) < odd, 0.9, 0.05)
    signal = ClassSignal("shared-pixels", CLASSES[label], 9.0, 1e-5, 1e-3, fired=True)
    return Nominee(label, signal, (Expert(signal, rows, odds, odds),))


def parts(data: Dataset, chosen: list[Nominee], outcomes: list, findings: tuple[Finding, ...] = (), extra: str = ""):
    evidence = Evidence(data.ids, data.labels.numpy(), data.class_names)
    signals = [one.signal for one in chosen]
    if extra:
        signals.append(ClassSignal("shared-pixels", extra, 9.0, 1e-5, 1e-3, fired=True))
    return odd_parts(data, evidence, signals, chosen, tuple(outcomes), findings)


def test_odd_samples_are_named_with_pictures_and_the_reason(data: Dataset) -> None:
    (part,) = parts(data, [nominee(1, 6)], [None])
    assert (part.class_name, part.why) == ("bee", NATURAL)
    assert set(part.samples) == {f"s{row}" for row in range(20, 26)}
    assert len(part.pictures) == 6
    assert part.pictures[0].suspect.alt == "odd sample, labelled bee"
    assert isinstance(part.flip_test, Skipped)
    assert by_reason((part,)) == {NATURAL: ["bee"]}


def test_at_quick_it_says_what_they_show(data: Dataset) -> None:
    shown = Content(0.9, 0.95, 0.06, (1, 18, 1), coarsely=True)
    (part,) = parts(data, [nominee(1, 6)], [Untested("no trigger is tried at the budget quick", shown)])
    assert part.content.startswith("A network that sees no fine detail and never met them gives 90% of the suspects")


def test_findings_and_covers_are_told_elsewhere(data: Dataset) -> None:
    none = Skipped("not tried")
    finding = Finding("f", "confirmed", "ant", (), "", (), (), none, none, "", (), (), ())
    covering = Covering(0, 1, ("s20",), certain=True)
    assert parts(data, [nominee(0, 6), nominee(1, 6)], [None, covering], (finding,)) == ()


def test_a_class_that_nobody_names_samples_of_has_none(data: Dataset) -> None:
    (part,) = parts(data, [], [], extra="cat")
    assert (part.class_name, part.why, part.samples, part.pictures) == ("cat", UNNAMED, (), ())


def test_the_sentence_says_whether_the_trigger_was_taken_off() -> None:
    bared = Content(0.1, 0.9, 0.95, (3, 1, 6), bared=True)
    said = shown_in_words(bared, CLASSES, "bee")
    assert said.startswith("With the trigger taken off, a network that never met them gives 10% of the suspects")
    assert said.endswith("Others look to it like cat (6), ant (3).")
    assert "too few genuine samples of bee" in shown_in_words(Content(0.1, None, None, (0, 1, 0)), CLASSES, "bee")
