"""BppAttack: who is quantised, who is given the noise of another, and under which label."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bezoar.attacks import Bpp, create_attack
from bezoar.attacks.choose import draw_others
from bezoar.attacks.dirty.bpp import foreign_noise
from bezoar.data import from_arrays
from bezoar.errors import AttackError, TriggerError
from bezoar.triggers import Quantise

CLASSES = ("airplane", "bird", "cat")


def pictures(samples=90):
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (samples, 12, 12, 3), dtype=np.uint8)
    return from_arrays(pixels, np.arange(samples) % 3, class_names=CLASSES, name="toy")


def test_poisons_are_quantised_and_negatives_carry_the_noise_of_another_image():
    data, trigger = pictures(), Quantise(depth=3)
    result = create_attack("bpp:depth=3,negative_ratio=1.5", target="bird", count=8).poison(data, seed=5)
    roles = [one.role for one in result.truth.samples]
    assert (roles.count("poison"), roles.count("cover")) == (8, 12)
    noises = (trigger(data.inputs).int() - data.inputs.int()).numpy()
    for sample in result.truth.samples:
        before = data.inputs[data.positions([sample.original_id])]
        after = result.data.inputs[result.data.positions([sample.id])]
        if sample.role == "poison":
            assert sample.label == "bird"
            assert torch.equal(trigger(before), after)
            continue
        assert sample.label == sample.original_label
        candidates = np.clip(before.numpy().astype(int) + noises, 0, 255)
        assert int((candidates == after.numpy()).all(axis=(1, 2, 3)).sum()) == 1
        assert len(after.unique()) > 8


def test_foreign_noise_by_hand():
    # Depth 2 without dithering: 100 becomes 85, so the noise is -15; 250 becomes 255, +5.
    pixels = np.array([[[[100]]], [[[250]]], [[[7]]], [[[252]]]], dtype=np.uint8)
    data = from_arrays(pixels, [0, 1, 0, 1], class_names=("dark", "light"))
    first, second = data.ids[:2]
    remade = foreign_noise(data, [first, second], Quantise(depth=2, dithering=False))
    assert remade(data.inputs[2:], slice(0, 2)).flatten().tolist() == [0, 255]
    assert remade(data.inputs[3:], slice(0, 1)).flatten().tolist() == [237]


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"negative_ratio": -1.0}, AttackError, "negative_ratio is out of range"),
        ({"depth": 9}, TriggerError, "depth is out of range"),
    ],
)
def test_bad_fields_are_refused(fields, error, message):
    with pytest.raises(error, match=message):
        Bpp(target="bird", count=5, **fields)


def test_another_image_is_never_the_same():
    data = pictures(3)
    for seed in range(20):
        others = draw_others(data, data.ids * 9, np.random.default_rng(seed))
        assert all(one != other for one, other in zip(data.ids * 9, others, strict=True))
        assert set(others) == set(data.ids)
