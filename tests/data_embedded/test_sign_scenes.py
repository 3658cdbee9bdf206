"""Blur, mixing and sampling against values worked out by hand; everything stays float32 and in its shape."""

from __future__ import annotations

import numpy as np
import pytest

from bezoar.data.embedded import signs
from bezoar.data.embedded.sign_faces import FACES, face_texture
from bezoar.data.embedded.sign_scenes import COLUMNS, ROWS, SIDE, clouds, mix, scenery, sometimes, uniform
from bezoar.data.embedded.signs import _WEATHER_AND_CAMERA

EFFECTS = {effect.__name__: effect for _, effect in _WEATHER_AND_CAMERA}


def generator() -> np.random.Generator:
    return np.random.default_rng(4)


@pytest.mark.parametrize("name", EFFECTS)
def test_effects_keep_form_and_change_pictures(name):
    before = scenery(generator(), 6)
    after = EFFECTS[name](generator(), before.copy())
    assert after.shape == before.shape == (6, 3, SIDE, SIDE)
    assert after.dtype == before.dtype == np.float32
    assert np.isfinite(after).all()
    assert not np.array_equal(after, before)


@pytest.mark.parametrize("name", ["defocus", "motion"])
def test_blur_keeps_flat_pictures_and_the_sum_of_a_spot(name):
    flat = np.full((8, 3, SIDE, SIDE), 0.4, dtype=np.float32)
    assert EFFECTS[name](generator(), flat.copy()) == pytest.approx(0.4, abs=1e-6)
    spot = np.zeros((8, 3, SIDE, SIDE), dtype=np.float32)
    spot[:, :, 16, 16] = 1
    blurred = EFFECTS[name](generator(), spot.copy())
    assert blurred.sum(axis=(2, 3)) == pytest.approx(1.0, abs=1e-5)
    assert (blurred >= 0).all()
    assert (blurred.max(axis=(2, 3)) < 1).all()


def test_noise_is_unbiased_and_stronger_in_the_light():
    dark, bright = (np.full((400, 3, SIDE, SIDE), level, dtype=np.float32) for level in (0.05, 0.8))
    noise_dark = EFFECTS["sensor_noise"](generator(), dark) - dark
    noise_bright = EFFECTS["sensor_noise"](generator(), bright) - bright
    assert abs(noise_dark.mean()) < 1e-3
    assert abs(noise_bright.mean()) < 1e-3
    expected = (0.5 + 0.8**0.5) / (0.5 + 0.05**0.5)
    assert noise_bright.std() / noise_dark.std() == pytest.approx(expected, rel=0.01)


def test_mix():
    below, above = np.float32([[0.0, 1.0]]), np.float32([[1.0, 0.0]])
    assert mix(below, above, np.float32([[0.25, 0.25]])).tolist() == [[0.25, 0.75]]
    assert below.tolist() == [[0.0, 1.0]]


def test_sometimes_touches_the_stated_share():
    picture = np.zeros((4000, 1, 1, 1), dtype=np.float32)
    touched = sometimes(0.3, lambda rng, some: some + 1, generator(), picture)
    assert set(touched.flatten().tolist()) == {0.0, 1.0}
    assert touched.mean() == pytest.approx(0.3, abs=0.03)


def test_uniform_stays_between_its_ends():
    drawn = uniform(generator(), 5000, -2, 3)
    assert drawn.min() >= -2
    assert drawn.max() < 3
    assert drawn.mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("cells", [1, 3, 18])
def test_clouds_are_smooth_and_between_zero_and_one(cells):
    field = clouds(generator(), 50, cells)
    assert field.shape == (50, 1, SIDE, SIDE)
    assert field.min() >= 0
    assert field.max() <= 1
    # The steepest step of the smooth curve 3s^2 - 2s^3 is 1.5 a cell, and a pixel is cells / 32 of one.
    assert np.abs(np.diff(field, axis=3)).max() <= 1.5 * cells / SIDE + 1e-6


def test_scenes_of_one_kind_only_are_possible():
    assert scenery(generator(), 1).shape == (1, 3, SIDE, SIDE)


@pytest.mark.parametrize("label", range(len(FACES)))
def test_sampling_at_the_texels_gives_the_face_back(label):
    across, down = ((axis + np.float32(0.5)) / 16 - 1 for axis in (COLUMNS, ROWS))
    across, down = np.broadcast_to(across, (1, 1, SIDE, SIDE)), np.broadcast_to(down, (1, 1, SIDE, SIDE))
    radius = np.full((1, 1, 1, 1), 16, dtype=np.float32)
    sampled = signs._sample(np.array([label]), across, down, radius)
    assert np.array_equal(sampled[0], face_texture(list(FACES)[label], 32))


def test_outside_the_face_there_is_nothing():
    far = np.full((1, 1, SIDE, SIDE), 40, dtype=np.float32)
    radius = np.full((1, 1, 1, 1), 12, dtype=np.float32)
    for sign in (1, -1):
        assert not signs._sample(np.array([3]), sign * far, far, radius).any()
