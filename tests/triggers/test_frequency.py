"""The frequency trigger against the whole way there and back: YUV, blocks, scipy's DCT, and RGB again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.fft import dctn, idctn

from bezoar.errors import TriggerError
from bezoar.triggers import TRIGGERS, Frequency
from bezoar.triggers.frequency import YUV, dct_matrix, inverse_dct

TO_YUV = np.array(YUV)


def middling(n=2, channels=3, height=32, width=32):
    """Images away from black and white, so that nothing is clipped."""
    values = np.random.default_rng(1).uniform(0.3, 0.7, (n, channels, height, width))
    return torch.from_numpy(values)


def by_the_whole_way(batch, *, magnitude, block, pairs):
    result = np.empty(batch.shape)
    for number, image in enumerate(batch.numpy() * 255):
        yuv = np.einsum("ij,jhw->ihw", TO_YUV, image)
        for channel in (1, 2):
            for top in range(0, image.shape[1] - block + 1, block):
                for left in range(0, image.shape[2] - block + 1, block):
                    tile = (channel, slice(top, top + block), slice(left, left + block))
                    frequencies = dctn(yuv[tile], norm="ortho")
                    for pair in pairs:
                        frequencies[pair] += magnitude
                    yuv[tile] = idctn(frequencies, norm="ortho")
        result[number] = np.einsum("ij,jhw->ihw", np.linalg.inv(TO_YUV), yuv)
    return torch.from_numpy(result) / 255


@pytest.mark.parametrize(
    ("spec", "block", "pairs"),
    [
        ("ftrojan", 32, [(15, 15), (31, 31)]),
        ("ftrojan:block=16", 16, [(7, 7), (15, 15)]),
        ("ftrojan:block=8,frequencies=0x1/7x2/3x3", 8, [(0, 1), (7, 2), (3, 3)]),
    ],
)
@pytest.mark.parametrize("size", [(32, 32), (40, 70)])
def test_the_pattern_is_the_whole_way_there_and_back(spec, block, pairs, size):
    batch = middling(height=size[0], width=size[1])
    expected = by_the_whole_way(batch, magnitude=30, block=block, pairs=pairs)
    assert torch.allclose(TRIGGERS.create(spec)(batch), expected, rtol=0, atol=1e-12)


def test_exactly_those_frequencies_are_raised():
    batch = middling(n=1)
    change = (Frequency(magnitude=20)(batch) - batch)[0].numpy() * 255
    yuv = np.einsum("ij,jhw->ihw", TO_YUV, change)
    expected = np.zeros((3, 32, 32))
    expected[1:, [15, 31], [15, 31]] = 20
    frequencies = np.stack([dctn(plane, norm="ortho") for plane in yuv])
    assert np.allclose(frequencies, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("size", [2, 3, 8, 32])
def test_the_transform_is_scipys_and_comes_back(size):
    block = torch.from_numpy(np.random.default_rng(size).normal(size=(size, size)))
    matrix = dct_matrix(size)
    frequencies = matrix @ block @ matrix.T
    assert np.allclose(frequencies.numpy(), dctn(block.numpy(), norm="ortho"), rtol=0, atol=1e-12)
    assert torch.allclose(inverse_dct(frequencies), block, atol=1e-12)
    assert torch.allclose(matrix @ matrix.T, torch.eye(size, dtype=torch.float64), atol=1e-12)


def test_by_hand_in_a_block_of_two():
    # The highest of the four frequencies of a 2x2 block is a checkerboard of half the magnitude.
    batch = torch.full((1, 1, 2, 3), 100, dtype=torch.uint8)
    found = Frequency(magnitude=20, block=2, frequencies=(1, 1))(batch)
    assert found[0, 0].tolist() == [[110, 90, 100], [90, 110, 100]]


def test_the_luminance_of_a_colour_image_stays():
    batch = middling(n=1)
    change = (Frequency(magnitude=40)(batch) - batch)[0]
    assert float(torch.einsum("c,chw->hw", torch.tensor([0.299, 0.587, 0.114]).double(), change).abs().max()) < 1e-5


def test_small_images_have_blocks_of_their_own_size():
    small = middling(height=12, width=20)
    assert torch.equal(Frequency()(small), Frequency(block=12)(small))
    assert torch.equal(Frequency()(small)[..., 12:], small[..., 12:])


def test_what_would_leave_the_range_is_clipped_and_the_opacity_stays():
    white = torch.full((1, 4, 32, 32), 255, dtype=torch.uint8)
    found = Frequency(magnitude=300)(white)
    assert torch.equal(found[:, 3], white[:, 3])
    assert bool((found[:, :3] == 255).any())
    assert bool((found[:, :3] < 255).any())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("block=1", "block is too small"),
        ("magnitude=nan", "magnitude is out of range"),
        ("frequencies=3", "come in pairs"),
        ("frequencies=-1x2", "come in pairs"),
        ("block=8,frequencies=3x8", "a frequency lies outside the block; expected numbers 0 to 7 in blocks of 8x8"),
    ],
)
def test_bad_fields_are_refused(fields, message):
    with pytest.raises(TriggerError, match=message):
        TRIGGERS.create(f"ftrojan:{fields}")


def test_images_that_do_not_fit_are_refused():
    with pytest.raises(TriggerError, match=r"a frequency lies outside the block.*let them follow the block"):
        Frequency(frequencies=(15, 15))(middling(height=12, width=12))
    with pytest.raises(TriggerError, match="1, 3 or 4 channels; found 2"):
        Frequency()(middling(channels=2))
