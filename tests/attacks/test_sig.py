"""SIG: the planted sinusoid and the one that sets it off."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bezoar.attacks import create_attack
from bezoar.data import from_arrays
from bezoar.errors import SaturationWarning, TriggerError
from bezoar.triggers import Sinusoid


def toy():
    generator = np.random.default_rng(3)
    pixels = generator.integers(60, 190, (40, 16, 16, 3), dtype=np.uint8)
    return from_arrays(pixels, np.arange(40) % 4, class_names=("a", "b", "c", "d"), name="toy")


@pytest.mark.parametrize(("spec", "setting_off"), [("sig", 20), ("sig:test_delta=50", 50)])
def test_half_of_the_target_class_gets_the_waves(spec, setting_off):
    data = toy()
    result = create_attack(spec, target="b", rate=0.5).poison(data, seed=1)
    assert len(result.truth.samples) == 5
    waves = np.round(20 * np.sin(2 * np.pi * np.arange(16) * 6 / 16))
    for one in result.truth.samples:
        (before,) = data.inputs[data.positions((one.original_id,))]
        (after,) = result.data.inputs[result.data.positions((one.id,))]
        assert one.label == one.original_label == "b"
        assert np.array_equal(after.numpy(), before.numpy() + waves)
    (backdoor,) = result.backdoors
    assert backdoor.trigger == Sinusoid(delta=setting_off)
    assert backdoor.relabelling == {0: 1, 2: 1, 3: 1}


def test_frequency_and_delta_go_into_the_trigger():
    attack = create_attack("sig:delta=40,frequency=3", target="a", count=2)
    (backdoor,) = attack.poison(toy(), seed=0).backdoors
    assert backdoor.trigger == Sinusoid(delta=40, frequency=3)


def test_bad_fields_are_refused_at_once():
    with pytest.raises(TriggerError, match="delta is out of range"):
        create_attack("sig:delta=300", target="a", rate=0.5)
    with pytest.raises(TriggerError, match="delta is out of range"):
        create_attack("sig:test_delta=0", target="a", rate=0.5)
    with pytest.raises(TriggerError, match="frequency is out of range"):
        create_attack("sig:frequency=0", target="a", rate=0.5)


def test_it_warns_where_the_images_are_too_bright_for_it():
    white = from_arrays(
        torch.full((8, 16, 16, 3), 255, dtype=torch.uint8).numpy(),
        np.arange(8) % 2,
        class_names=("a", "b"),
        name="white",
        sources=[str(row) for row in range(8)],
    )
    with pytest.warns(SaturationWarning):
        create_attack("sig", target="a", count=2).poison(white, seed=0)
