"""Trainings against a trusted set on tiny pictures: they tell planted poison, and tell nothing where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from bezoar.data import Dataset
from bezoar.errors import DataError, UsageError
from bezoar.evidence import Evidence
from bezoar.evidence.against_trusted import unlearning_loss
from bezoar.evidence.asset_rounds import Offset, offset_losses
from bezoar.evidence.confused import Confusion, confused_answers, wrong_labels
from bezoar.metrics.detection import auroc

MODEL = "fast:stem=8,widths=12/16"
CONFUSION = Confusion(keep=(0.5, 0.3), steps=25, batch_size=32, epochs=6)
OFFSET = Offset(rounds=2, steps=20, batch_size=32, epochs=6)


def pictures(n: int, seed: int, *, poisons: int = 0) -> tuple[Dataset, np.ndarray]:
    """Noisy pictures of 8x8, their class a bright row; poisons carry a bright corner and the label 0."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    inputs = torch.randint(0, 130, (n, 3, 8, 8), dtype=torch.uint8, generator=generator)
    inputs[torch.arange(n), :, 1 + 2 * labels, :] += 80
    poison = torch.zeros(n, dtype=torch.bool)
    poison[torch.flatten((labels != 0).nonzero())[:poisons]] = True
    inputs[poison, :, 6:, 6:] = torch.tensor([255, 0, 255], dtype=torch.uint8)[:, None, None]
    given = torch.where(poison, torch.zeros_like(labels), labels)
    ids = tuple(f"{seed}-{row * 7919 % 10007:05d}" for row in range(n))
    return Dataset(inputs, given, ("a", "b", "c"), ids), poison.numpy()


def shuffled(data: Dataset) -> tuple[Dataset, Tensor]:
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(5))
    return data.select(order), order


@pytest.fixture(scope="module")
def planted() -> tuple[Dataset, np.ndarray, Dataset]:
    data, poison = pictures(300, 1, poisons=24)
    return data, poison, pictures(90, 2)[0]


@pytest.fixture(scope="module")
def confused(planted: tuple[Dataset, np.ndarray, Dataset]) -> dict[str, np.ndarray]:
    return confused_answers(planted[0], planted[2], model=MODEL, options=CONFUSION, seed=0)


@pytest.fixture(scope="module")
def offset(planted: tuple[Dataset, np.ndarray, Dataset]) -> dict[str, np.ndarray]:
    return offset_losses(planted[0], planted[2], model=MODEL, options=OFFSET, seed=0)


def in_class(values: np.ndarray, data: Dataset, poison: np.ndarray) -> float:
    own = data.labels.numpy() == 0
    found = auroc(values[own], poison[own])
    assert isinstance(found, float)
    return found


def test_a_confused_network_still_knows_the_poison(planted, confused) -> None:
    data, poison, _ = planted
    agreement, loss = confused["confused-agreement"], confused["confused-loss"]
    assert agreement.shape == loss.shape == (300, 2)
    assert set(np.unique(agreement)) <= {0.0, 1.0}
    assert in_class(-loss[:, -1], data, poison) > 0.97
    assert agreement[poison, -1].mean() > 0.9
    assert agreement[~poison, -1].mean() < 0.5


def test_what_is_forgotten_is_the_poison(planted, offset) -> None:
    data, poison, _ = planted
    assert offset["asset-loss"].shape == (300, 2)
    assert in_class(offset["asset-loss"].mean(axis=1), data, poison) > 0.97


def test_where_nothing_is_planted_nothing_parts() -> None:
    """Random rows of the class are called poison, as many as were planted above."""
    data, _ = pictures(300, 1)
    fake = np.zeros(300, dtype=bool)
    fake[np.random.default_rng(0).permutation(np.flatnonzero(data.labels.numpy() == 0))[:24]] = True
    trusted = pictures(90, 2)[0]
    confused = confused_answers(data, trusted, model=MODEL, options=CONFUSION, seed=0)
    assert 0.3 < in_class(-confused["confused-loss"][:, -1], data, fake) < 0.7
    offset = offset_losses(data, trusted, model=MODEL, options=OFFSET, seed=0)
    assert 0.3 < in_class(offset["asset-loss"].mean(axis=1), data, fake) < 0.7


def test_answers_follow_ids_not_rows(planted, confused, offset) -> None:
    data, order = shuffled(planted[0])
    trusted, _ = shuffled(planted[2])
    again = confused_answers(data, trusted, model=MODEL, options=CONFUSION, seed=0)
    for name, matrix in confused.items():
        assert np.array_equal(again[name], matrix[order.numpy()])
    assert np.array_equal(
        offset_losses(data, trusted, model=MODEL, options=OFFSET, seed=0)["asset-loss"],
        offset["asset-loss"][order.numpy()],
    )


def test_they_make_evidence(planted, confused, offset) -> None:
    data = planted[0]
    extra = {**confused, **offset}
    evidence = Evidence(data.ids, data.labels.numpy(), data.class_names, extra=extra)
    assert set(evidence.extra) == {"confused-agreement", "confused-loss", "asset-loss"}


def test_wrong_labels_are_wrong_and_spread_evenly() -> None:
    labels = torch.arange(3).repeat(1000)
    wrong = wrong_labels(labels, 3, torch.Generator().manual_seed(0))
    assert (wrong != labels).all()
    assert torch.bincount(wrong, minlength=3).tolist() == pytest.approx([1000] * 3, abs=100)
    assert (wrong_labels(torch.tensor([0, 1]), 2, torch.Generator()) == torch.tensor([1, 0])).all()


def test_unlearning_by_hand_and_at_its_bound() -> None:
    logits = torch.log(torch.tensor([[0.75, 0.25], [0.5, 0.5]]))
    expected = -(np.log(0.25) + np.log(0.5)) / 2
    assert float(unlearning_loss(logits, torch.tensor([0, 1]))) == pytest.approx(expected, rel=1e-5)
    assert torch.isfinite(unlearning_loss(torch.tensor([[1000.0, 0.0]]), torch.tensor([0])))


def test_a_trusted_set_of_another_kind_is_refused(planted) -> None:
    data, _, trusted = planted
    other = Dataset(trusted.inputs, trusted.labels, ("a", "c", "b"), trusted.ids)
    for gather in (confused_answers, offset_losses):
        with pytest.raises(DataError, match="another kind"):
            gather(data, other, model=MODEL, seed=0)


@pytest.mark.parametrize("fields", [{"keep": ()}, {"keep": (0.0,)}, {"factor": 1.0}, {"steps": 0}])
def test_impossible_confusion_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Confusion(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("fields", [{"concentrate": 0.0}, {"concentrate": 1.5}, {"rounds": 0}])
def test_impossible_offset_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Offset(**fields)  # type: ignore[arg-type]
