"""How pictures are fitted and numbers become pixels, against hand-worked values and slow, plain computations."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from bezoar.data.images import fit_pixels
from bezoar.data.readers.arrays import from_arrays


def bicubic(distance: np.ndarray) -> np.ndarray:
    x = np.abs(distance)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def resampled(line: np.ndarray, size: int) -> np.ndarray:
    """One axis by the textbook: bicubic (a = -1/2), its support widened by the factor of reduction."""
    scale = len(line) / size
    width = max(scale, 1.0)
    centres = (np.arange(size) + 0.5) * scale
    weights = bicubic((np.arange(len(line)) + 0.5 - centres[:, None]) / width)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights @ line


@pytest.mark.parametrize(("length", "size"), [(12, 5), (5, 12), (32, 8)])
def test_resize_is_bicubic_with_antialiasing(length, size):
    line = np.random.default_rng(length).integers(60, 190, length)
    square = np.repeat(line[None, :], length, axis=0).astype(np.uint8)[:, :, None]
    found = fit_pixels(square, size, "resize")[:, :, 0]
    expected = np.clip(resampled(line.astype(float), size), 0, 255)
    assert np.abs(found.astype(float) - expected[None, :]).max() <= 1.0


def test_crop_takes_the_centre_without_resampling_when_the_shorter_side_fits():
    pixels = np.arange(4 * 9, dtype=np.uint8).reshape(4, 9, 1)
    np.testing.assert_array_equal(fit_pixels(pixels, 4, "crop"), pixels[:, 2:6])
    np.testing.assert_array_equal(fit_pixels(pixels.transpose(1, 0, 2), 4, "crop"), pixels.transpose(1, 0, 2)[2:6])


def test_crop_is_the_shorter_side_resized_and_then_the_centre():
    pixels = np.random.default_rng(1).integers(0, 256, (8, 24, 3), dtype=np.uint8)
    whole = np.asarray(Image.fromarray(pixels).resize((12, 4), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(fit_pixels(pixels, 4, "crop"), whole[:, 4:8])


def test_pad_centres_on_black():
    fitted = fit_pixels(np.full((4, 8, 1), 90, np.uint8), 8, "pad")[:, :, 0]
    np.testing.assert_array_equal(fitted[:2], 0)
    np.testing.assert_array_equal(fitted[2:6], 90)
    np.testing.assert_array_equal(fitted[6:], 0)


def test_the_right_size_is_untouched():
    pixels = np.random.default_rng(0).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    for fit in ("crop", "resize", "pad"):
        np.testing.assert_array_equal(fit_pixels(pixels, 7, fit), pixels)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0.0, 0.5, 1.0, 0.001]), [0, 128, 255, 0]),  # 127.5 rounds to even
        (np.array([0.0, 1.0, 254.6, 255.0]), [0, 1, 255, 255]),
        (np.array([0, 1, 255, 7]), [0, 1, 255, 7]),
        (np.array([0, 1, 1, 1]), [0, 1, 1, 1]),
        (np.array([False, True, True, False]), [0, 255, 255, 0]),
        (np.array([0.0, 1.0, 0.25, 0.2], np.float16), [0, 255, 64, 51]),
    ],
)
def test_values_become_pixels(values, expected):
    data = from_arrays(values.reshape(1, 2, 2), [0])
    assert data.inputs.flatten().tolist() == expected
