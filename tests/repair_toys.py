"""Drawn pictures of four kinds of stripes, a patch in a corner as the trigger, and small networks that learnt both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from bezoar.data.dataset import Dataset
from bezoar.repair import Given
from bezoar.training import Recipe, build_model, predict_logits, train

SIDE, CLASSES, TARGET = 12, 4, 0
NETWORKS = {"fast": "fast:stem=8,widths=16/32", "plain": "plain:widths=8/16,hidden=32"}
RECIPES = {
    "fast": Recipe(epochs=8, batch_size=64, optimizer="muon", learning_rate=0.1, momentum=0.85, shift=1),
    "plain": Recipe(epochs=16, batch_size=64, learning_rate=0.03, shift=1),
}
POISONS, TRAINED, TRUSTED, TESTED = 90, 1200, 200, 400


def stripes(count: int, *, seed: int, name: str) -> Dataset:
    """Stripes of four directions in drawn colours, phases and widths, in noise that makes some of them hard to tell."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    down, right = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    ways = torch.stack([down, right, down + right, down - right]).float()[labels]
    width = torch.rand(count, generator=generator)[:, None, None] * 0.6 + 1.0
    phase = torch.rand(count, generator=generator)[:, None, None] * 6.3
    wave = torch.sin(ways * width + phase)[:, None]
    colour = torch.rand(count, 3, 1, 1, generator=generator) * 50 + 25
    noise = torch.randn(count, 3, SIDE, SIDE, generator=generator) * 90
    images = (128 + wave * colour + noise).clamp(0, 255).to(torch.uint8)
    names = tuple(f"way{label}" for label in range(CLASSES))
    return Dataset(images, labels.to(torch.int64), names, tuple(f"{name}{row}" for row in range(count)), name=name)


def patched(batch: Tensor) -> Tensor:
    """The trigger: a checkered 3x3 patch in the lower right corner, on uint8 or float images."""
    high = 255 if batch.dtype == torch.uint8 else 1.0
    pattern = torch.tensor([[1, 0, 1], [0, 1, 0], [1, 0, 1]]).to(batch.dtype) * high
    changed = batch.clone()
    changed[:, :, -3:, -3:] = pattern
    return changed


@dataclass(frozen=True, eq=False)
class Victim:
    """A network that learnt the backdoor, and all that a defender may have."""

    model: nn.Module
    given: Given


@cache
def poisoned() -> tuple[Dataset, frozenset[str]]:
    """Training data whose first samples of other classes carry the patch and the target's label."""
    data = stripes(TRAINED, seed=1, name="train")
    rows = (data.labels != TARGET).nonzero().flatten()[:POISONS]
    inputs, labels = data.inputs.clone(), data.labels.clone()
    inputs[rows], labels[rows] = patched(inputs[rows]), TARGET
    ids = frozenset(data.ids[row] for row in rows.tolist())
    return Dataset(inputs, labels, data.class_names, data.ids, name="train"), ids


@cache
def victim(kind: str) -> Victim:
    """The network of a kind, trained on the poisoned data."""
    data, suspects = poisoned()
    start = build_model(NETWORKS[kind], classes=CLASSES, sample=data.inputs, seed=0)
    model = train(data, recipe=RECIPES[kind], seed=0, start=start, device="cpu", precision="float32").model
    trusted = stripes(TRUSTED, seed=2, name="trusted")
    return Victim(model, Given(trusted, data, suspects, patched, TARGET))


@cache
def test_samples() -> Dataset:
    """Samples that nobody has seen."""
    return stripes(TESTED, seed=3, name="test")


test_samples.__test__ = False  # type: ignore[attr-defined]


def clean_accuracy(model: nn.Module) -> float:
    """The share of unseen samples that are answered rightly."""
    data = test_samples()
    return float((predict_logits(model, data.inputs).argmax(1) == data.labels).double().mean())


def attack_success(model: nn.Module) -> float:
    """The share of unseen samples of other classes that the patch turns to the target."""
    data = test_samples()
    others = data.select(data.labels != TARGET)
    return float((predict_logits(model, patched(others.inputs)).argmax(1) == TARGET).double().mean())
