"""Known answers of the sinusoid."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from bezoar.errors import SpecError, TriggerError
from bezoar.triggers import TRIGGERS, Sinusoid


def plain(level, n=1, c=3, h=4, w=8):
    return torch.full((n, c, h, w), level, dtype=torch.uint8)


def test_eight_columns_by_hand():
    # 100 * sin of 0, 45, 90, ... degrees: 0, 70.7, 100, 70.7, 0, -70.7, -100, -70.7.
    waved = Sinusoid(delta=100, frequency=1)(plain(128))
    assert waved[0, 0, 0].tolist() == [128, 199, 228, 199, 128, 57, 28, 57]
    assert (waved == waved[0, 0, 0]).all()
    assert Sinusoid(delta=100, frequency=1)(plain(10))[0, 0, 0].tolist() == [10, 81, 110, 81, 10, 0, 0, 0]
    assert Sinusoid(delta=100, frequency=1)(plain(250))[0, 0, 0].tolist() == [250, 255, 255, 255, 250, 179, 150, 179]


def test_default_is_that_of_the_paper():
    images = np.random.default_rng(1).integers(0, 256, (5, 3, 32, 32), dtype=np.uint8)
    waves = [20 * math.sin(2 * math.pi * column * 6 / 32) for column in range(32)]
    expected = np.clip(images + np.array(waves), 0, 255)
    assert np.array_equal(Sinusoid()(torch.from_numpy(images)).numpy(), np.rint(expected))
    as_float = Sinusoid()(torch.from_numpy(images / 255)).numpy()
    assert np.allclose(as_float, expected / 255, atol=1e-12)


def test_all_energy_lies_at_the_frequency():
    change = Sinusoid(delta=30, frequency=5)(torch.full((1, 1, 8, 40), 0.5, dtype=torch.float64))[0, 0, 3] - 0.5
    spectrum = np.abs(np.fft.rfft(change.numpy())) / 20
    assert spectrum.argmax() == 5
    assert spectrum[5] == pytest.approx(30 / 255)
    assert np.delete(spectrum, 5).max() < 1e-12


def test_alpha_stays():
    waved = Sinusoid()(plain(77, c=4, w=32))
    assert (waved[:, 3] == 77).all()
    assert (waved[:, :3] != 77).any()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("sinusoid:delta=0", "delta is out of range"),
        ("sinusoid:delta=256", "delta is out of range"),
        ("sinusoid:delta=nan", "delta is out of range"),
        ("sinusoid:frequency=0", "frequency is out of range"),
        ("sinusoid:frequency=-1", "frequency is out of range"),
        ("sinusoid:frequency=inf", "frequency is out of range"),
        ("sinusoid:waves=2", "no field"),
    ],
)
def test_bad_fields(spec, message):
    with pytest.raises((TriggerError, SpecError), match=message):
        TRIGGERS.create(spec)


def test_waves_that_vanish_on_the_columns_are_refused():
    with pytest.raises(TriggerError, match=r"nothing is left of the waves.*below 6 for 12 columns"):
        Sinusoid(frequency=6)(plain(0, w=12))
