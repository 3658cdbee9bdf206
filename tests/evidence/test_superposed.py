"""Entropies of superposed samples: worked by hand, and against a loop written on its own."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bezoar.errors import DataError, UsageError
from bezoar.evidence.superposed import entropy_bits, half_and_half, other_rows, superposed_entropy


class Linear(nn.Module):
    """Logits from flattened samples by fixed weights."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.weight = nn.Parameter(0.6 * torch.randn(features, classes, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight


def pictures(n: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (n, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def test_entropy_worked_by_hand() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [1 / 3, 1 / 3, 1 / 3], [1.0, 1e-30, 1e-30]]))
    assert entropy_bits(logits).tolist() == pytest.approx([1.5, math.log2(3), 0.0], abs=1e-6)


def test_half_and_half_keeps_levels_and_does_not_overflow() -> None:
    first = torch.tensor([[255, 0, 3, 200]], dtype=torch.uint8)
    second = torch.tensor([[255, 1, 5, 100]], dtype=torch.uint8)
    mixed = half_and_half(first, second)
    assert mixed.dtype == torch.uint8
    assert mixed.tolist() == [[255, 1, 4, 150]]
    assert half_and_half(torch.tensor([0.5]), torch.tensor([1.0])).tolist() == [0.75]


def test_others_are_never_the_row_itself_and_all_equally_likely() -> None:
    generator = np.random.default_rng(0)
    drawn = np.stack([other_rows(4, generator) for _ in range(3000)])
    counts = np.stack([np.bincount(drawn[:, row], minlength=4) for row in range(4)])
    assert (np.diag(counts) == 0).all()
    assert counts[~np.eye(4, dtype=bool)] == pytest.approx(np.full(12, 1000), abs=110)


def test_against_an_independent_loop() -> None:
    model, inputs = Linear(48, 5), pictures(23)
    found = superposed_entropy(model, inputs, overlays=3, seed=7, batch_size=5)
    generator = np.random.default_rng(7)
    expected = np.zeros((23, 3))
    weight = model.weight.detach().double().numpy()
    for column in range(3):
        steps = generator.integers(1, 23, size=23)
        for row in range(23):
            pair = inputs[row].numpy().astype(float), inputs[(row + steps[row]) % 23].numpy().astype(float)
            pixels = np.floor((pair[0] + pair[1] + 1) / 2) / 255
            logits = pixels.ravel() @ weight
            chances = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
            expected[row, column] = -sum(c * math.log2(c) for c in chances if c > 0)
    assert found.dtype == np.float32
    assert found == pytest.approx(expected, abs=1e-4)
    assert expected.std() > 0.1


def test_the_batch_size_changes_nothing_and_the_input_stays() -> None:
    model, inputs = Linear(48, 5), pictures(23)
    before = inputs.clone()
    model.train()
    whole = superposed_entropy(model, inputs, overlays=2, seed=1, batch_size=250)
    assert superposed_entropy(model, inputs, overlays=2, seed=1, batch_size=4) == pytest.approx(whole, abs=1e-5)
    assert np.abs(superposed_entropy(model, inputs, overlays=2, seed=2) - whole).max() > 0.01
    assert torch.equal(before, inputs)
    assert model.training


def test_samples_need_not_be_pictures() -> None:
    rows = torch.rand(12, 7, generator=torch.Generator().manual_seed(0))
    found = superposed_entropy(Linear(7, 3), rows, overlays=2, seed=0)
    assert found.shape == (12, 2)
    assert ((found >= 0) & (found <= math.log2(3) + 1e-5)).all()


def test_a_sample_that_decides_alone_has_no_entropy() -> None:
    """One pixel at its limit, even halved, decides the class for good; the others leave it open."""
    inputs = torch.zeros(20, 1, 2, 2, dtype=torch.uint8)
    inputs[0, 0, 0, 0] = 255
    model = Linear(4, 2)
    model.weight.data = torch.tensor([[60.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    found = superposed_entropy(model, inputs, overlays=4, seed=0).mean(axis=1)
    assert found[0] == pytest.approx(0, abs=1e-6)
    assert found[1:].min() >= 0.5


def test_too_little_is_refused() -> None:
    with pytest.raises(DataError, match="two samples"):
        superposed_entropy(Linear(48, 5), pictures(1), overlays=1, seed=0)
    with pytest.raises(UsageError, match="overlays"):
        superposed_entropy(Linear(48, 5), pictures(3), overlays=0, seed=0)
