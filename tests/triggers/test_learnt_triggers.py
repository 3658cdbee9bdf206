"""Triggers with something learnt, against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from bezoar.errors import TriggerError
from bezoar.triggers import TRIGGERS, InputAware, LowFrequency, SampleSpecific
from bezoar.triggers.input_aware import TriggerNetworks
from bezoar.triggers.low_frequency import smooth_pattern
from bezoar.triggers.networks import blocks
from bezoar.triggers.sample_specific import Encoder

SPECS = ("low-frequency:band=3", "sample-specific:bits=5,width=4", "input-aware:width=4")


def images(n=5, channels=3, height=12, width=10, seed=0):
    array = np.random.default_rng(seed).integers(0, 256, (n, channels, height, width), dtype=np.uint8)
    return torch.from_numpy(array)


def drawn(shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {name: 0.2 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def learnt(spec, seed=0):
    trigger = TRIGGERS.create(spec)
    return trigger.with_tensors(drawn(trigger.expected({}), seed))


def stored(values):
    return (values.clamp(0, 1) * 255).round().to(torch.uint8)


def test_a_band_of_one_is_a_constant():
    amplitudes = torch.tensor([0.1, -0.2, 0.0])[:, None, None]
    trigger = LowFrequency(band=1).with_tensors({"amplitudes": amplitudes})
    batch = torch.full((1, 4, 2, 3), 100, dtype=torch.uint8)
    # 100 + 25.5 is rounded to the even neighbour, 126; 100 - 51 = 49; alpha stays.
    assert trigger(batch)[0, :, 0, 0].tolist() == [126, 49, 100, 100]
    assert trigger(batch + 140)[0, 0, 1, 2] == 255


def test_a_wave_by_hand():
    amplitudes = torch.zeros(1, 2, 2, dtype=torch.float64)
    amplitudes[0, 1, 0] = 0.1
    pattern = smooth_pattern(amplitudes, 2, 3)
    # cos(pi/4) and cos(3 pi/4) down the rows, the same in every column.
    assert torch.allclose(pattern, torch.tensor([[0.1], [-0.1]], dtype=torch.float64).mul(0.5**0.5).expand(1, 2, 3))


@pytest.mark.parametrize("size", [(12, 10), (7, 5), (33, 64)])
def test_the_pattern_has_no_energy_above_its_band(size):
    amplitudes = drawn({"a": (3, 4, 4)})["a"].double()
    found = dctn(smooth_pattern(amplitudes, *size).numpy(), axes=(1, 2), norm="ortho")
    # The scale of an orthonormal DCT: sqrt(side) for the constant, sqrt(side / 2) for waves.
    scales = [np.sqrt(np.where(np.arange(4) == 0, side, side / 2)) for side in size]
    assert np.allclose(found[:, :4, :4], amplitudes.numpy() * scales[0][:, None] * scales[1])
    found[:, :4, :4] = 0
    assert np.abs(found).max() < 1e-10


def test_the_residual_is_what_the_encoder_says():
    trigger = learnt("sample-specific:bits=5,width=4")
    encoder = Encoder(3, 5, 4)
    tensors = dict(trigger.tensors)
    secret = tensors.pop("secret")
    encoder.load_state_dict(tensors)
    batch = images()
    with torch.no_grad():
        wanted = batch / 255 + encoder(batch / 255, secret.expand(5, -1))
    assert (trigger(batch).int() - stored(wanted).int()).abs().max() <= 1
    assert torch.allclose(trigger(batch / 255), wanted.clamp(0, 1), atol=1e-5)


def test_each_image_gets_a_residual_of_its_own_and_each_secret_another():
    trigger = learnt("sample-specific:bits=5,width=4")
    batch = images() // 2 + 64
    residuals = trigger(batch).int() - batch.int()
    assert not torch.equal(residuals[0], residuals[1])
    other = trigger.with_tensors({**trigger.tensors, "secret": 1 - trigger.tensors["secret"]})
    assert not torch.equal(other(batch), trigger(batch))


def test_strokes_are_mask_times_pattern_and_can_be_lent():
    trigger = learnt("input-aware:width=4")
    networks = TriggerNetworks(3, 4)
    networks.load_state_dict(dict(trigger.tensors))
    batch, donors = images(), images(seed=1)
    with torch.no_grad():
        (mask, pattern), (lent_mask, lent_pattern) = (networks(one / 255) for one in (batch, donors))
    assert 0 < float(mask.min()) <= float(mask.max()) < 1
    own = batch / 255 * (1 - mask) + mask * pattern
    lent = batch / 255 * (1 - lent_mask) + lent_mask * lent_pattern
    assert (trigger(batch).int() - stored(own).int()).abs().max() <= 1
    before = batch.clone()
    assert (trigger.lent(batch, donors).int() - stored(lent).int()).abs().max() <= 1
    assert torch.equal(batch, before)
    assert torch.equal(trigger.lent(batch, batch), trigger(batch))


@pytest.mark.parametrize("spec", SPECS)
def test_alpha_is_left_alone(spec):
    batch = images(channels=4)
    made = learnt(spec)(batch)
    assert torch.equal(made[:, 3], batch[:, 3])
    assert torch.equal(made[:, :3], learnt(spec)(batch[:, :3].contiguous()))


@pytest.mark.parametrize("spec", SPECS)
def test_images_of_other_channels_are_refused(spec):
    with pytest.raises(TriggerError, match=r"other channels.*3 colour channels, or RGBA.*1 channels"):
        learnt(spec)(images(channels=1))


@pytest.mark.parametrize("spec", SPECS)
def test_images_that_are_too_small_are_refused(spec):
    with pytest.raises(TriggerError, match="too small"):
        learnt(spec)(images(height=2))


@pytest.mark.parametrize("spec", SPECS)
def test_nothing_is_done_before_anything_was_learnt(spec):
    with pytest.raises(TriggerError, match="has not learnt anything"):
        TRIGGERS.create(spec)(images())


@pytest.mark.parametrize("spec", SPECS)
def test_sizes_come_from_the_fields_and_not_from_the_tensors(spec):
    trigger = TRIGGERS.create(spec)
    tensors = drawn(trigger.expected({}))
    larger = {name: torch.cat([tensor, tensor]) for name, tensor in tensors.items()}
    strange = {name: torch.zeros(()) for name in tensors}
    whole = {name: tensor.long() for name, tensor in tensors.items()}
    for wrong in (larger, strange, whole, {}, {"else": torch.zeros(3)}, {**tensors, "else": torch.zeros(3)}):
        with pytest.raises(TriggerError, match="do not belong to the trigger"):
            trigger.with_tensors(wrong)
    field = "band" if isinstance(trigger, LowFrequency) else "width"
    with pytest.raises(TriggerError, match="do not belong to the trigger"):
        type(trigger)(**{field: 8}).with_tensors(tensors)


@pytest.mark.parametrize("spec", SPECS)
def test_larger_images_work_too(spec):
    batch = images(n=2, height=70, width=41)
    assert not torch.equal(learnt(spec)(batch), batch)


def test_blocks_are_all_of_one_size_and_black_at_the_end():
    batch = images(n=11)
    views, made = zip(*blocks(batch, 2), strict=True)
    assert [tuple(view.shape) for view in views] == [(8, 2, 12, 10), (3, 2, 12, 10)]
    assert [tuple(block.shape) for block in made] == [(8, 2, 12, 10)] * 2
    assert torch.equal(made[1][:3], batch[8:, :2] / 255)
    assert not made[1][3:].any()
    assert next(blocks(images(n=3, height=64, width=64), 3))[1].shape[0] == 2


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (LowFrequency, {"band": 0}, "band is out of range"),
        (LowFrequency, {"band": 1000}, "band is out of range"),
        (SampleSpecific, {"bits": 0}, "bits is out of range"),
        (SampleSpecific, {"width": 0}, "width is out of range"),
        (InputAware, {"width": 100_000}, "width is out of range"),
    ],
)
def test_bad_fields_are_refused(kind, fields, message):
    with pytest.raises(TriggerError, match=message):
        kind(**fields)


def test_strokes_are_lent_only_by_networks_and_to_images_that_fit():
    with pytest.raises(TriggerError, match="has not learnt anything yet"):
        TRIGGERS.create("input-aware").lent(images(), images())
    trigger = learnt("input-aware:width=4")
    for wrong in (images().to(torch.int16), images().float()):
        with pytest.raises(TriggerError, match="pixels must"):
            trigger.lent(wrong, images())
        with pytest.raises(TriggerError, match="pixels must"):
            trigger.lent(images(), wrong)
