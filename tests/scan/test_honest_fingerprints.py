"""Fingerprints: alike for changed copies, unlike for others, whatever size, channels and order."""

import numpy as np
import pytest
import torch
from honest_toys import changed, counter_ids, pictures

from bezoar.errors import DataError, EmptyDataError, ShapeError
from bezoar.evidence.samples.fingerprints import BITS, CLIP, LEVELS, LOW, SIDE, Fingerprints, fingerprints, thumbnails
from bezoar.scan.honest.pairs import correlation


def agreement(prints: Fingerprints, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    signs = np.unpackbits(prints.bits, axis=1, count=BITS)
    return (signs[one] == signs[other]).mean(axis=1)


@pytest.mark.parametrize(("channels", "side"), [(1, 32), (3, 32), (4, 20), (3, 57), (3, 12)])
@pytest.mark.parametrize("by", ["patch", "blend", "brighter", "noise"])
def test_copies_are_alike_and_others_are_not(channels, side, by):
    originals = pictures(60, side=side, channels=channels)
    prints = fingerprints(torch.cat([originals, changed(originals, by)]), counter_ids(120))
    rows = np.arange(60)
    same = np.stack([rows, rows + 60], axis=1)
    other = np.stack([rows, np.roll(rows, 1) + 60], axis=1)
    assert np.median(correlation(prints.coefficients, same)) > 0.75
    assert abs(np.median(correlation(prints.coefficients, other))) < 0.15
    assert np.median(agreement(prints, *same.T)) > 0.85
    assert 0.4 < np.median(agreement(prints, *other.T)) < 0.6


def test_thumbnails_are_means_of_cells():
    image = torch.arange(32 * 32 * 2).remainder(251).to(torch.uint8).reshape(1, 2, 32, 32)
    expected = image.double().numpy().mean(axis=(0, 1)).reshape(SIDE, 2, SIDE, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(thumbnails(image)[0], expected, rtol=1e-6)


def test_a_plane_wave_is_one_coefficient():
    """Against the definition of the transform: a cosine over the thumbnail is a single coefficient."""
    rows = np.cos(np.pi * (np.arange(SIDE) + 0.5) * 3 / SIDE) * 100 + 128
    wave = torch.from_numpy(np.broadcast_to(rows[:, None], (SIDE, SIDE)).round().astype(np.uint8).copy())
    # Among many pictures, so that the usual is not the wave itself.
    images = torch.cat([pictures(99, side=SIDE, channels=1), wave[None, None]])
    coefficients = fingerprints(images, counter_ids(100)).coefficients[-1].astype(float) / LEVELS
    at_limit = np.flatnonzero(np.abs(coefficients) >= CLIP - 0.01)
    # In order of diagonals 1 (2 of them) and 2 (3) come first; then (3, 0) beside (0, 3).
    assert len(at_limit) == 1
    assert 2 + 3 <= at_limit[0] < 2 + 3 + 4


def test_the_answer_follows_the_ids():
    images, ids = pictures(50), counter_ids(50)
    turned = np.random.default_rng(0).permutation(50)
    straight = fingerprints(images, ids)
    mixed = fingerprints(images[torch.from_numpy(turned)], [ids[row] for row in turned])
    np.testing.assert_array_equal(mixed.bits, straight.bits[turned])
    np.testing.assert_array_equal(mixed.coefficients, straight.coefficients[turned])


def test_what_all_images_share_says_nothing():
    images = pictures(80)
    images[:, :, :6] = images[:, :, -6:] = 0
    images[:, :, :, :6] = images[:, :, :, -6:] = 255
    rows = np.arange(80)
    prints = fingerprints(images, counter_ids(80))
    assert np.abs(correlation(prints.coefficients, np.stack([rows, np.roll(rows, 7)], axis=1))).mean() < 0.2


def test_an_image_without_features_has_none():
    images = torch.cat([pictures(20), torch.full((2, 3, 32, 32), 90, dtype=torch.uint8)])
    prints = fingerprints(images, counter_ids(22))
    assert not prints.coefficients[-2:].any()
    assert prints.coefficients[:-2].any(axis=1).all()
    assert correlation(prints.coefficients, np.array([[20, 21]]))[0] == 0


def test_the_low_signs_are_those_of_the_coefficients():
    prints = fingerprints(pictures(40), counter_ids(40))
    signs = np.unpackbits(prints.bits, axis=1, count=BITS)[:, :LOW]
    clear = prints.coefficients[:, :LOW] != 0
    assert (signs == (prints.coefficients[:, :LOW] > 0))[clear].all()


def test_errors():
    with pytest.raises(ShapeError, match="uint8"):
        fingerprints(torch.zeros(3, 3, 8, 8), counter_ids(3))
    with pytest.raises(ShapeError):
        fingerprints(torch.zeros(3, 8, dtype=torch.uint8), counter_ids(3))
    with pytest.raises(DataError, match="differ in number"):
        fingerprints(pictures(3), counter_ids(2))
    with pytest.raises(EmptyDataError):
        fingerprints(pictures(1)[:0], ())
    with pytest.raises(DataError, match="bits and ids"):
        Fingerprints(("a",), np.zeros((2, 22), np.uint8), np.zeros((1, 255), np.int8), np.zeros((1, 32), np.int8))
