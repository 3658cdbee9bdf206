"""Which samples bear a trigger that is known from elsewhere; made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from confirm_toys import brightness_classes, dataset

from bezoar.confirm.covers import bearers, bears
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.recover.recovered import Recovered
from bezoar.confirm.recover.residual import recover_residual

CLASS = 2


def patched(images):
    changed = images.clone()
    changed[:, :, -4:, -4:] = 255.0
    return changed


def striped(images):
    return images + 20.0 * (torch.arange(images.shape[3]) % 2 - 0.5)


def recovered(change):
    return Recovered("patch", "made up", change, torch.zeros(3, 16, 16, dtype=torch.uint8))


def case(bearing, change, *, chosen=60):
    """The data, and suspects of which the first `bearing` were changed."""
    images, labels = brightness_classes(800)
    rows = np.flatnonzero(labels.numpy() == CLASS)[:chosen]
    marked = torch.from_numpy(rows[:bearing])
    if bearing:
        images[marked] = change(images[marked].float()).round().clamp(0, 255).to(torch.uint8)
    data = dataset(images, labels, 4)
    return data, Hypothesis(CLASS, tuple(data.ids[row] for row in rows), "made up")


@pytest.mark.parametrize("change", [patched, striped])
@pytest.mark.parametrize("bearing", [60, 25])
def test_those_that_carry_it_bear_it(change, bearing) -> None:
    assert bears(*case(bearing, change), recovered(change))


@pytest.mark.parametrize("change", [patched, striped])
def test_others_do_not(change) -> None:
    assert not bears(*case(0, change), recovered(change))
    other = striped if change is patched else patched
    assert not bears(*case(60, other), recovered(change))
    assert not bears(*case(5, change), recovered(change))


def test_a_natural_part_of_a_class_bears_nothing() -> None:
    data, suspected = case(0, patched)
    rows = np.flatnonzero(data.labels.numpy() == CLASS)
    brightest = rows[data.inputs[rows].float().mean((1, 2, 3)).argsort(descending=True).numpy()[:60]]
    natural = replace(suspected, suspects=tuple(data.ids[row] for row in brightest))
    assert not bears(data, natural, recovered(patched))
    assert not bears(data, natural, recovered(striped))


@pytest.mark.parametrize("covers", [False, True])
def test_fine_detail_is_borne_by_covers_and_not_by_a_part_without_the_detail_of_its_class(covers) -> None:
    images, labels = brightness_classes(800)
    of_class = torch.from_numpy(np.flatnonzero(labels.numpy() == CLASS))
    grain = 12.0 * torch.randn(images.shape[1:], generator=torch.Generator().manual_seed(1))
    grainy = of_class if covers else of_class[60:]
    images[grainy] = (images[grainy].float() + grain).round().clamp(0, 255).to(torch.uint8)
    if covers:
        images[of_class[:60]] = striped(images[of_class[:60]].float()).round().clamp(0, 255).to(torch.uint8)
    poisons = striped(images[labels == 0][:60].float()).round().clamp(0, 255).to(torch.uint8)
    data = dataset(images, labels, 4)
    suspected = Hypothesis(CLASS, tuple(data.ids[row] for row in of_class[:60].tolist()), "made up")
    assert bears(data, suspected, recover_residual(poisons)) == covers


def test_of_few_samples_and_of_other_data_nothing_is_said() -> None:
    data, suspected = case(60, patched)
    assert not bears(data, replace(suspected, suspects=suspected.suspects[:11]), recovered(patched))
    assert not bears(replace(data, inputs=torch.zeros(len(data), 4)), suspected, recovered(patched))
    whole = Hypothesis(CLASS, tuple(data.ids[row] for row in np.flatnonzero(data.labels.numpy() == CLASS)), "made up")
    assert not bears(data, whole, recovered(patched))
    nothing = recovered(lambda images: images)
    assert not bears(data, suspected, nothing)


def test_the_order_of_rows_changes_nothing() -> None:
    data, suspected = case(15, patched)
    turned = data.select(np.random.default_rng(1).permutation(len(data)).tolist())
    assert bears(data, suspected, recovered(patched)) == bears(turned, suspected, recovered(patched))


@pytest.mark.parametrize(("change", "missed"), [(patched, 0), (patched, 6), (striped, 0)])
def test_of_mixed_suspects_those_that_carry_it_are_told_one_by_one(change, missed) -> None:
    data, suspected = case(25, change)
    named = replace(suspected, suspects=suspected.suspects[missed:])
    found = set(bearers(data, named, recovered(change)))
    carriers = set(suspected.suspects[missed:25])
    assert carriers <= found
    assert len(found - carriers) <= 2


def test_who_bears_a_trigger_too_faint_for_one_sample_is_told_together() -> None:
    def faint(images):
        return images + 1.0 * (torch.arange(images.shape[3]) % 2 - 0.5)

    assert bearers(*case(0, faint), recovered(faint)) == ()
    assert bearers(*case(60, striped), recovered(faint)) == case(60, striped)[1].suspects


def test_without_others_nobody_bears_anything() -> None:
    data, suspected = case(60, patched, chosen=200)
    assert bearers(data, suspected, recovered(patched)) == ()
    assert bearers(*case(60, patched), recovered(lambda images: images)) == ()
