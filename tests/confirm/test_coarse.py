"""Coarse content: no noise hides from it what a picture shows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from confirm_toys import Rule, dataset, one_hot, textures
from torch import Tensor

from bezoar.confirm.coarse import CoarseSight, coarse_sight
from bezoar.confirm.confirm import confirm, witness_of
from bezoar.confirm.content import Content, labels_look_right, least_blame
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.networks import Networks
from bezoar.confirm.recover import candidates
from bezoar.confirm.witness import Witnesses
from bezoar.data import Dataset
from bezoar.training import predict_logits

TARGET, CLASSES, SUSPECTS = 1, 4, 60


def shapes(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Wide bars that lie or stand: seen at 8 pixels a side as well."""
    images = textures(count, side=32, seed=seed) // 2
    labels = torch.arange(count) % CLASSES
    for image, label in zip(images, labels.tolist(), strict=True):
        place = slice(4, 12) if label % 2 else slice(18, 26)
        area = (slice(None), place, slice(2, 22)) if label < 2 else (slice(None), slice(2, 22), place)
        image[area] = (image[area].float() + 110).clamp(0, 255).to(torch.uint8)
    return images, labels


def noisy(images: Tensor) -> Tensor:
    noise = 24 * torch.randn(images.shape, generator=torch.Generator().manual_seed(5))
    return (images + noise).round().clamp(0, 255).to(torch.uint8)


def with_noisy_suspects(*, right: bool) -> tuple[Dataset, Hypothesis]:
    """Suspects of the target class from noisy cameras, last; their labels right, or all of them wrong."""
    images, labels = shapes(1200, seed=0)
    extra, true = shapes(4 * SUSPECTS, seed=1)
    chosen = noisy(extra[(true == TARGET) if right else (true != TARGET)][:SUSPECTS])
    data = dataset(torch.cat([images, chosen]), torch.cat([labels, torch.full((SUSPECTS,), TARGET)]), CLASSES)
    return data, Hypothesis(TARGET, data.ids[-SUSPECTS:], "made up")


def test_the_coarse_network_knows_what_it_never_met_and_learns_once() -> None:
    images, labels = shapes(1200, seed=0)
    sight = coarse_sight(dataset(images, labels, CLASSES), np.arange(1000))
    assert sight is not None
    assert sight.network is sight.network
    for held_out in (images[1000:], noisy(images[1000:])):
        assert (predict_logits(sight.network, held_out).argmax(1) == labels[1000:]).float().mean() > 0.9


def test_a_rare_class_is_known_as_well() -> None:
    images, labels = shapes(1200, seed=0)
    kept = torch.nonzero((labels != TARGET) | (torch.arange(1200) < 160))[:, 0]
    sight = CoarseSight(dataset(images, labels, CLASSES), kept.numpy())
    others, true = shapes(400, seed=3)
    rare = true == TARGET
    assert (predict_logits(sight.network, others).argmax(1)[rare] == TARGET).float().mean() > 0.9


def test_data_without_coarse_content_have_no_sight() -> None:
    tiny = torch.zeros(4, 3, 3, 3, dtype=torch.uint8)
    assert coarse_sight(dataset(tiny, torch.arange(4) % 2, 2), np.arange(4)) is None


def roughness(images: Tensor) -> Tensor:
    return (images[:, :, :, 1:] - images[:, :, :, :-1]).abs().mean((1, 2, 3))


def fooled_by_noise(images: Tensor) -> Tensor:
    """A network that takes all that is noisy for the target, as it learnt from noisy suspects."""
    return torch.where(roughness(images)[:, None] > 0.07, given_to(TARGET, images), knowing(images))


def never_noisy(images: Tensor) -> Tensor:
    """A network that knows pictures with as much noise as it met, and takes all others for another class."""
    usual = (roughness(images) > 0.02) & (roughness(images) < 0.07)
    return torch.where(usual[:, None], knowing(images), given_to(2, images))


def given_to(label: int, images: Tensor) -> Tensor:
    return one_hot(torch.full((len(images),), label), CLASSES)


def knowing(images: Tensor) -> Tensor:
    """Tells the shapes by where they are bright."""
    areas = [(slice(18, 26), slice(2, 22)), (slice(4, 12), slice(2, 22))]
    areas += [(slice(2, 22), slice(18, 26)), (slice(2, 22), slice(4, 12))]
    return torch.stack([images[:, :, rows, columns].mean((1, 2, 3)) for rows, columns in areas], dim=1)


@pytest.mark.parametrize("right", [True, False])
def test_noisy_suspects_are_judged_by_what_they_show(monkeypatch: pytest.MonkeyPatch, right: bool) -> None:
    data, hypothesis = with_noisy_suspects(right=right)
    monkeypatch.setattr(candidates, "recover_patch", lambda *_: None)
    monkeypatch.setattr(candidates, "recover_pattern", lambda *_: ())
    monkeypatch.setattr(candidates, "recover_levels", lambda *_: None)
    trained, held_out = np.arange(600), np.arange(600, 1200)
    for sight, seen in ((None, False), (coarse_sight(data, trained), right)):
        blind = Rule(never_noisy)
        networks = Networks(blind, Rule(fooled_by_noise), blind, held_out, sight)
        found = confirm(data, hypothesis, Witnesses.of(networks, witness_of(data, blind, held_out)), seed=0)
        assert found.is_detail
        assert found.worth > 0.5
        assert labels_look_right(found.content) == seen
        assert found.content.coarsely == seen


@pytest.mark.parametrize(
    ("first", "second", "least"),
    [(0.9, 0.1, 0.1), (0.1, 0.9, 0.1), (None, 0.8, None), (None, 0.2, 0.2), (0.8, None, 0.8), (None, None, None)],
)
def test_the_least_blame_counts(first: float | None, second: float | None, least: float | None) -> None:
    one, other = (Content(0.1, 0.8, wrong, (3, 1)) for wrong in (first, second))
    assert least_blame(one, other).mislabelled == least
    assert least_blame(one, None) == one
