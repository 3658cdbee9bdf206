"""Few colours, with and without dithering: pixels worked by hand, and a plain loop over pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bezoar.errors import TriggerError
from bezoar.triggers import TRIGGERS, Quantise


def grey(rows):
    return torch.tensor(rows, dtype=torch.uint8)[None, None]


def noise(n=2, channels=3, height=9, width=7, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (n, channels, height, width), dtype=np.uint8))


def dithered_by_hand(plane, depth):
    """Floyd-Steinberg of one channel, one pixel after the other, errors pushed on as in the textbook."""
    top = 2**depth - 1
    left_over = plane.astype(np.float64)
    levels = np.empty_like(left_over)
    height, width = plane.shape
    for row in range(height):
        for column in range(width):
            old = left_over[row, column]
            levels[row, column] = min(max(round(old / 255 * top), 0), top)
            error = old - levels[row, column] / top * 255
            for down, right, share in ((0, 1, 7), (1, -1, 3), (1, 0, 5), (1, 1, 1)):
                if row + down < height and 0 <= column + right < width:
                    left_over[row + down, column + right] += error * share / 16
    return levels / top * 255


def test_without_dithering_by_hand():
    # Depth 2: levels 0, 85, 170, 255, and the borders between them at 42.5, 127.5 and 212.5.
    pixels = grey([[0, 42, 43, 127], [128, 212, 213, 255]])
    quantised = Quantise(depth=2, dithering=False)(pixels)
    assert quantised[0, 0].tolist() == [[0, 0, 85, 85], [170, 170, 255, 255]]


def test_depth_3_rounds_its_levels_to_whole_ones():
    levels = Quantise(depth=3, dithering=False)(torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)).unique()
    assert levels.tolist() == [0, 36, 73, 109, 146, 182, 219, 255]


def test_dithering_by_hand():
    # Depth 1: black or white. (0, 0): 64 -> 0, error 64: +28 right, +20 below, +4 below right.
    # (0, 1): 100 + 28 = 128 -> 255, error -127: -23.8125 below left, -39.6875 below.
    # (1, 0): 140 + 20 - 23.8125 = 136.1875 -> 255, error -118.8125: -51.98 right.
    # (1, 1): 210 + 4 - 39.6875 - 51.98 = 122.33 -> 0, where without dithering it would be 255.
    pixels = grey([[64, 100], [140, 210]])
    assert Quantise(depth=1)(pixels)[0, 0].tolist() == [[0, 255], [255, 0]]
    assert Quantise(depth=1, dithering=False)(pixels)[0, 0].tolist() == [[0, 0], [255, 255]]


@pytest.mark.parametrize("depth", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("shape", [(9, 7), (1, 6), (6, 1), (2, 2), (5, 12), (12, 3)])
def test_dithering_is_the_loop_over_pixels(depth, shape):
    batch = noise(height=shape[0], width=shape[1], seed=depth)
    found = Quantise(depth=depth)(batch)
    for image, result in zip(batch.numpy(), found.numpy(), strict=True):
        for plane, channel in zip(image, result, strict=True):
            assert np.array_equal(np.round(dithered_by_hand(plane, depth)), channel)


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 12), width=st.integers(1, 12), depth=st.integers(1, 7), seed=st.integers(0, 999))
def test_dithering_keeps_the_mean_and_stays_near(height, width, depth, seed):
    batch = noise(height=height, width=width, seed=seed)
    found, step = Quantise(depth=depth)(batch), 255 / (2**depth - 1)
    assert len(found.unique()) <= 2**depth
    # A pixel carries at most the errors of its neighbours, half a step each, in shares that sum to one.
    assert float((found.float() - batch.float()).abs().max()) <= step + 0.5


def test_dithering_keeps_a_grey_that_rounding_loses():
    plain = torch.full((1, 1, 32, 32), 100, dtype=torch.uint8)
    assert Quantise(depth=1, dithering=False)(plain).unique().tolist() == [0]
    assert abs(float(Quantise(depth=1)(plain).float().mean()) - 100) < 4


def test_uint8_and_floats_take_the_same_levels():
    batch = noise(n=20, height=16, width=16)
    for depth in (1, 3, 5):
        levels = Quantise(depth=depth)(batch)
        for dtype in (torch.float32, torch.float64):
            floats = Quantise(depth=depth)(batch.to(dtype) / 255)
            assert torch.equal((floats * 255).round().to(torch.uint8), levels)


def test_a_second_time_changes_nothing_and_the_opacity_stays():
    batch = noise(channels=4).float() / 255
    for dithering in (True, False):
        trigger = Quantise(depth=3, dithering=dithering)
        assert torch.equal(trigger(trigger(batch)), trigger(batch))
        assert torch.equal(trigger(batch)[:, 3], batch[:, 3])
        assert torch.equal(trigger(batch)[:, :3], trigger(batch[:, :3]))


@pytest.mark.parametrize("depth", [0, 8])
def test_bad_fields_are_refused(depth):
    with pytest.raises(TriggerError, match="depth is out of range; expected 1 to 7"):
        TRIGGERS.create(f"bpp:depth={depth}")
