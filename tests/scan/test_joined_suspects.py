"""Suspects that several experts see in parts: those that bear the proved trigger belong to the finding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bezoar.confirm.confirm import Confirmation
from bezoar.confirm.content import Content
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.recover.recovered import Recovered
from bezoar.data.dataset import Dataset
from bezoar.metrics import wilson
from bezoar.records import ClassSignal, FlipTest, Skipped
from bezoar.scan import finding
from bezoar.scan.nominees import Expert, Nominee

SIGNAL = ClassSignal("loud", "bee", 5.0, 1e-6, 1e-4, True)
ROWS = np.arange(100, 300)
POISON = np.arange(100, 140)
WORKS = FlipTest(wilson(180, 200), wilson(10, 200), "a control", 3, 1e-20, (), "a model")


def patched(images: torch.Tensor) -> torch.Tensor:
    changed = images.clone()
    changed[:, :, -4:, -4:] = 255.0
    return changed


def data() -> Dataset:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(40, 200, (300, 3, 16, 16), generator=generator).float()
    images[POISON] = patched(images[POISON])
    labels = torch.tensor([0] * 100 + [1] * 200)
    return Dataset(images.to(torch.uint8), labels, ("ant", "bee"), tuple(f"id {row:03d}" for row in range(300)))


def expert(rows: range) -> Expert:
    odds = np.where(np.isin(ROWS, rows), 0.95, 0.01)
    return Expert(SIGNAL, ROWS, odds, odds)


def outcome(first: Expert, wrong: float) -> finding.Tested:
    logits = np.zeros((200, 2), np.float32)
    logits[:, 1] = np.where(np.isin(ROWS, POISON), -3.0, 3.0)
    trigger = Recovered("patch", "a white corner", patched, torch.zeros(3, 16, 16, dtype=torch.uint8))
    content = Content(0.1, 0.9, wrong, (36, 4), 0.5)
    confirmation = Confirmation(Hypothesis(1, ("id 100",), "loud"), trigger, WORKS, content, ())
    return finding.Tested(confirmation, first, logits, np.arange(10))


def named(odds: np.ndarray) -> list[int]:
    return ROWS[odds > 0.5].tolist()


def test_other_experts_suspects_join_if_they_bear_the_trigger() -> None:
    first, second, mistaken = expert(range(100, 120)), expert(range(120, 140)), expert(range(200, 230))
    nominee = Nominee(1, SIGNAL, (first, second, mistaken))
    assert named(finding._odds(data(), nominee, outcome(first, 0.95))) == POISON.tolist()


def test_experts_who_add_nobody_that_bears_the_trigger_join_nobody() -> None:
    first, mistaken = expert(range(100, 140)), expert(range(102, 190))
    nominee = Nominee(1, SIGNAL, (first, mistaken))
    assert named(finding._odds(data(), nominee, outcome(first, 0.95))) == POISON.tolist()


@pytest.mark.parametrize("case", ["labels look right", "no trigger was recovered", "it turns nothing", "all detail"])
def test_nobody_joins_where_no_trigger_is_proved_to_be_theirs(case: str) -> None:
    first, second = expert(range(100, 120)), expert(range(120, 140))
    nominee = Nominee(1, SIGNAL, (first, second))
    found = outcome(first, 0.1 if case == "labels look right" else 0.95)
    trigger = found.confirmation.trigger
    assert isinstance(trigger, Recovered)
    changed = {
        "labels look right": {},
        "no trigger was recovered": {"trigger": Skipped("nothing was recovered")},
        "it turns nothing": {"flip_test": replace(WORKS, control=WORKS.flips)},
        "all detail": {"trigger": replace(trigger, kind="residual")},
    }[case]
    found = replace(found, confirmation=replace(found.confirmation, **changed))
    assert named(finding._odds(data(), nominee, found)) == list(range(100, 120))
