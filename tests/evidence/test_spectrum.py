from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from bezoar.data.dataset import Dataset
from bezoar.evidence.samples.pixels import PIXELS
from bezoar.evidence.samples.small import small, small_shape
from bezoar.evidence.samples.spectrum import CLIP, LOWEST, SPECTRUM, spectral_residuals


def pictures(count: int = 24, channels: int = 3, height: int = 8, width: int = 8, seed: int = 0) -> Dataset:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randint(0, 256, (count, channels, height, width), generator=generator, dtype=torch.uint8)
    return Dataset(inputs, torch.arange(count) % 2, ("a", "b"), tuple(f"{number:03d}" for number in range(count)))


def gathered(gatherer, data: Dataset) -> np.ndarray:
    rows = np.full((len(data), gatherer.width(data)), np.nan, np.float32)
    for turn, block in gatherer.blocks(data):
        rows[turn] = block
    assert np.isfinite(rows).all()
    return rows


def test_residuals_are_scipys_transform_less_what_is_lowest():
    images = pictures(5, 3, 8, 12).inputs.to(torch.float32)
    whole = dctn(images.numpy().astype(np.float64), axes=(2, 3), norm="ortho")
    kept = np.add.outer(np.arange(8), np.arange(12)) >= LOWEST
    expected = whole[:, :, kept]
    expected /= np.abs(expected).mean((1, 2), keepdims=True)
    np.testing.assert_allclose(spectral_residuals(images).numpy(), expected, rtol=1e-3, atol=1e-4)


def test_columns_have_one_scale_and_no_giants():
    rows = gathered(SPECTRUM, pictures(200))
    # Torch's median is the lower of the two in the middle.
    np.testing.assert_allclose(np.median(np.abs(rows), axis=0), 1 / 1.4826, rtol=0.06)
    assert np.abs(rows).max() == CLIP


def test_brightness_and_contrast_do_not_matter():
    # Even values between 40 and 134, so that halving and shifting them stays exact.
    base = pictures()
    dark = replace(base, inputs=(base.inputs % 48) * 2 + 40)
    half = replace(base, inputs=(dark.inputs - 40) // 2 + 90)
    np.testing.assert_allclose(gathered(SPECTRUM, half), gathered(SPECTRUM, dark), rtol=1e-3, atol=1e-3)


def test_larger_images_are_those_they_average_to():
    fine = pictures(10, 3, 32, 32)
    large = replace(fine, inputs=fine.inputs.repeat_interleave(3, dim=2).repeat_interleave(2, dim=3))
    assert SPECTRUM.width(large) == SPECTRUM.width(fine) == 3 * (1024 - 6)
    for gatherer in (SPECTRUM, PIXELS):
        np.testing.assert_allclose(gathered(gatherer, large), gathered(gatherer, fine), rtol=1e-3, atol=1e-3)


def test_grey_images_have_one_channel():
    grey = pictures(10, channels=1)
    assert gathered(SPECTRUM, grey).shape == (10, 64 - 6)
    np.testing.assert_array_equal(gathered(PIXELS, grey), grey.inputs.flatten(1).numpy())


def test_an_alpha_channel_is_left_out():
    clear = pictures(10, channels=4)
    opaque = replace(clear, inputs=clear.inputs[:, :3].contiguous())
    for gatherer in (SPECTRUM, PIXELS):
        np.testing.assert_array_equal(gathered(gatherer, clear), gathered(gatherer, opaque))


@pytest.mark.parametrize("gatherer", [SPECTRUM, PIXELS], ids=lambda one: one.name)
def test_the_order_of_rows_does_not_matter(gatherer, monkeypatch):
    # So small a sample for the scales that the order of rows could choose another.
    monkeypatch.setattr("bezoar.evidence.samples.spectrum.SCALE_SAMPLE", 6)
    data = pictures()
    order = np.random.default_rng(0).permutation(len(data))
    np.testing.assert_array_equal(gathered(gatherer, data.select(order.tolist())), gathered(gatherer, data)[order])


def test_blocks_cover_every_row_once(monkeypatch):
    data = pictures(11)
    whole = gathered(SPECTRUM, data)
    monkeypatch.setattr("bezoar.evidence.samples.small.ROWS", 4)
    assert [turn for turn, _ in SPECTRUM.blocks(data)] == [slice(0, 4), slice(4, 8), slice(8, 11)]
    np.testing.assert_allclose(gathered(SPECTRUM, data), whole, rtol=1e-4, atol=1e-5)


def test_a_flat_image_is_all_zeros():
    data = pictures(6)
    flat = replace(data, inputs=torch.cat([torch.full_like(data.inputs[:1], 77), data.inputs[1:]]))
    assert np.abs(gathered(SPECTRUM, flat)[0]).max() < 0.5


def test_what_is_no_picture_is_left_to_others():
    table = Dataset(torch.zeros(3, 5), torch.tensor([0, 1, 0]), ("a", "b"), ("x", "y", "z"))
    assert not SPECTRUM.applies(table)
    assert not PIXELS.applies(table)
    assert not SPECTRUM.applies(pictures(4, 3, 3, 8))
    assert PIXELS.applies(pictures(4, 3, 3, 8))


def test_small_images_stay_as_they_are():
    data = pictures(3, 3, 8, 40)
    assert small_shape(data) == (3, 8, 32)
    kept = small(data.inputs[..., :8], (3, 8, 8))
    assert kept.dtype == torch.float32
    assert torch.equal(kept, data.inputs[..., :8].to(torch.float32))
