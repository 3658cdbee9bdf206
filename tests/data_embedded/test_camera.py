"""Light, lens and sensor against values worked out by hand; everything stays float32 and in its shape."""

from __future__ import annotations

import numpy as np
import pytest

from bezoar.data.embedded import camera
from bezoar.data.embedded.fields import texture
from bezoar.data.embedded.sign_scenes import branch, foliage

EFFECTS = (
    camera.daylight,
    camera.shadow,
    camera.dappled_shade,
    camera.mist,
    camera.glare,
    camera.without_colour,
    camera.defocus,
    camera.motion,
    camera.sensor_noise,
)


def generator() -> np.random.Generator:
    return np.random.default_rng(4)


def coloured(n: int, side: int) -> np.ndarray:
    return np.concatenate([texture(generator(), n, side) * level for level in np.float32([0.6, 0.9, 0.7])], axis=1)


@pytest.mark.parametrize("side", [32, 48])
@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.__name__)
def test_effects_keep_form_and_change_pictures(effect, side):
    before = coloured(8, side)
    after = effect(generator(), before.copy())
    assert after.shape == before.shape == (8, 3, side, side)
    assert after.dtype == before.dtype == np.float32
    assert np.isfinite(after).all()
    assert not np.array_equal(after, before)


@pytest.mark.parametrize("effect", [foliage, branch], ids=lambda effect: effect.__name__)
def test_what_hangs_before_a_sign_keeps_form_and_changes_pictures(effect):
    before = coloured(8, 32)
    after = effect(generator(), before.copy())
    assert after.shape == before.shape
    assert after.dtype == np.float32
    assert not np.array_equal(after, before)


@pytest.mark.parametrize("effect", [camera.defocus, camera.motion], ids=lambda effect: effect.__name__)
def test_blur_keeps_flat_pictures_and_the_sum_of_a_spot(effect):
    flat = np.full((8, 3, 48, 48), 0.4, dtype=np.float32)
    assert effect(generator(), flat.copy()) == pytest.approx(0.4, abs=1e-6)
    spot = np.zeros((8, 3, 48, 48), dtype=np.float32)
    spot[:, :, 16, 16] = 1
    blurred = effect(generator(), spot.copy())
    assert blurred.sum(axis=(2, 3)) == pytest.approx(1.0, abs=1e-5)
    assert (blurred >= 0).all()
    assert (blurred.max(axis=(2, 3)) < 1).all()


def test_noise_is_unbiased_and_stronger_in_the_light():
    dark, bright = (np.full((400, 3, 32, 32), level, dtype=np.float32) for level in (0.05, 0.8))
    noise_dark = camera.sensor_noise(generator(), dark) - dark
    noise_bright = camera.sensor_noise(generator(), bright) - bright
    assert abs(noise_dark.mean()) < 1e-3
    assert abs(noise_bright.mean()) < 1e-3
    expected = (0.5 + 0.8**0.5) / (0.5 + 0.05**0.5)
    assert noise_bright.std() / noise_dark.std() == pytest.approx(expected, rel=0.01)


def test_without_colour_all_channels_are_the_weighted_mean_but_for_contrast():
    picture = np.zeros((5, 3, 8, 8), dtype=np.float32)
    picture[:, 0], picture[:, 1], picture[:, 2] = 0.7, 0.35, 0.07  # (2 * 0.7 + 4 * 0.35 + 0.07) / 7 = 0.41
    grey = camera.without_colour(generator(), picture)
    assert (grey == grey[:, :1]).all()
    contrast = (grey[:, 0, 0, 0] - 0.5) / (0.41 - 0.5)
    assert (contrast > 0.75 - 1e-5).all()
    assert (contrast < 1.3 + 1e-5).all()
    assert contrast.std() > 0


def test_light_falls_off_alike_on_pictures_of_any_size():
    """A pixel of 32 and the 2 x 2 pixels of 64 in its place are lit alike."""
    small = camera.daylight(generator(), np.full((4, 3, 32, 32), 0.5, dtype=np.float32))
    large = camera.daylight(generator(), np.full((4, 3, 64, 64), 0.5, dtype=np.float32))
    assert large[:, :, ::2, ::2] == pytest.approx(small, abs=1e-6)
