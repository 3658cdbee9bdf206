"""WaNet: who is warped how, and under which label."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from bezoar.attacks import WaNet, create_attack
from bezoar.data import from_arrays
from bezoar.errors import AttackError, TriggerError
from bezoar.triggers import Warp

CLASSES = ("airplane", "bird", "cat")


def pictures(samples=90):
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (samples, 12, 12, 3), dtype=np.uint8)
    return from_arrays(pixels, np.arange(samples) % 3, class_names=CLASSES, name="toy")


def by_role(result, role):
    return [one for one in result.truth.samples if one.role == role]


def original_and_result(data, result, sample):
    before = data.inputs[data.positions([sample.original_id])]
    return before, result.data.inputs[result.data.positions([sample.id])]


def test_poisons_are_warped_and_covers_warped_with_noise():
    data = pictures()
    result = WaNet(target="bird", count=8).poison(data, seed=5)
    poisons, covers = by_role(result, "poison"), by_role(result, "cover")
    assert (len(poisons), len(covers)) == (8, 16)
    assert {one.label for one in poisons} == {"bird"}
    assert {one.original_label for one in poisons} == {"airplane", "cat"}
    assert {one.original_label for one in covers} == set(CLASSES)
    for warp, samples in ((Warp(seed=5), poisons), (Warp(seed=5, noise=1), covers)):
        for sample in samples:
            before, after = original_and_result(data, result, sample)
            assert torch.equal(warp(before), after)


def test_each_drill_has_a_warp_of_its_own_and_the_truth_keeps_it():
    attack = create_attack("wanet:grid=3,strength=1", target="bird", count=5)
    first, second = (attack.poison(pictures(), seed=seed) for seed in (1, 2))
    assert first.truth.backdoors[0].trigger == "wanet:grid=3,strength=1.0,seed=1"
    assert second.backdoors[0].trigger == Warp(grid=3, strength=1, seed=2)


def test_covers_may_be_left_out_or_be_too_many():
    assert not by_role(WaNet(target="bird", count=5, noise_ratio=0).poison(pictures(), seed=1), "cover")
    with pytest.raises(AttackError, match="too few samples"):
        WaNet(target="bird", count=40, noise_ratio=2).poison(pictures(), seed=1)


def test_no_warning_of_a_saturation_that_a_warp_cannot_have():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = WaNet(target="bird", count=8).poison(pictures(), seed=1)
    assert "no pattern" in result.saturation.reason


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"noise_ratio": -1.0}, AttackError, "noise_ratio is out of range"),
        ({"noise_ratio": float("nan")}, AttackError, "noise_ratio is out of range"),
        ({"grid": 1}, TriggerError, "grid is too small"),
        ({"strength": 0.0}, TriggerError, "moves no pixel"),
    ],
)
def test_bad_fields_are_refused(fields, error, message):
    with pytest.raises(error, match=message):
        WaNet(target="bird", count=5, **fields)
