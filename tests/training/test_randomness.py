"""Networks drawn from a seed leave torch's own generators as they were."""

from __future__ import annotations

import pytest
import torch

from bezoar.attacks.learning.drawing import Wanted, learn_drawing
from bezoar.data import from_arrays
from bezoar.training import build_model
from bezoar.training.randomness import seeded

SAMPLE = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)


def test_draws_within_are_those_of_the_seed_and_draws_after_those_of_before():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with seeded(1):
        first = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with seeded(1):
        assert torch.equal(torch.rand(3), first)


def test_a_failure_within_puts_them_back_too():
    torch.manual_seed(5)
    with pytest.raises(ZeroDivisionError), seeded(1):
        torch.rand(1 // 0)
    after = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(3))


def test_a_gpu_that_nobody_uses_is_left_alone(monkeypatch):
    touched: list[str] = []
    for name in ("manual_seed", "manual_seed_all"):
        monkeypatch.setattr(torch.cuda, name, lambda *_, name=name: touched.append(name))
    build_model("fast:stem=4,widths=4", classes=2, sample=SAMPLE, seed=0)
    data = from_arrays(SAMPLE.permute(0, 2, 3, 1).numpy(), [0, 1, 0, 1], class_names=("a", "b"))
    learn_drawing(data, {0: 1}, Wanted(4, 0.1, 1, 1), surrogate="fast:stem=4,widths=4", seed=0, device="cpu")
    assert touched == []
    torch.manual_seed(0)
    assert touched, "the test would not notice"
