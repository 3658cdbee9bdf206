"""Random numbers, mixtures and smooth texture against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bezoar.data.embedded.fields import axes, brightness, clouds, colours, lay, mix, rgb, sometimes, texture, uniform


def generator() -> np.random.Generator:
    return np.random.default_rng(4)


def test_axes_count_thirty_seconds():
    columns, rows = axes(48)
    assert columns.shape == (1, 1, 1, 48)
    assert rows.shape == (1, 1, 48, 1)
    assert columns[0, 0, 0, 3] == rows[0, 0, 3, 0] == 2
    assert axes(32)[0].flatten().tolist() == list(range(32))


def test_mix():
    below, above = np.float32([[0.0, 1.0]]), np.float32([[1.0, 0.0]])
    assert mix(below, above, np.float32([[0.25, 0.25]])).tolist() == [[0.25, 0.75]]
    assert below.tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("kind", ["number", "colour", "picture"])
def test_lay_does_what_mix_does_in_place(kind):
    rng = generator()
    picture = rng.random((5, 3, 20, 20), dtype=np.float32)
    share = np.zeros((5, 1, 20, 20), dtype=np.float32)
    share[1:4, :, 3:9, 12:17] = rng.random((3, 1, 6, 5), dtype=np.float32)
    above = {"number": 0.3, "colour": rgb(0.2, 0.5, 0.9), "picture": rng.random((5, 3, 20, 20), dtype=np.float32)}[kind]
    expected = mix(picture, above, share)
    lay(picture, above, share)
    assert np.array_equal(picture, expected)


def test_lay_of_nothing_changes_nothing():
    picture = generator().random((2, 3, 8, 8), dtype=np.float32)
    before = picture.copy()
    lay(picture, 1.0, np.zeros((2, 1, 8, 8), dtype=np.float32))
    assert np.array_equal(picture, before)


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


def test_colours_come_from_the_palette_slightly_varied():
    drawn = colours(generator(), 500, ((255, 0, 0), (0, 0, 255)))[:, :, 0, 0]
    red = drawn[:, 0] > 0.5
    assert 0.3 < red.mean() < 0.7
    assert (drawn[red, 0] >= 0.85 - 0.03).all()
    assert (drawn[red, 0] <= 1.12 + 0.03).all()
    assert (abs(drawn[red, 1]) <= 0.03).all()
    assert (drawn[~red, 2] > 0.8).all()


def test_brightness_weighs_green_most():
    picture = np.zeros((3, 3, 1, 1), dtype=np.float32)
    picture[[0, 1, 2], [0, 1, 2]] = 0.7
    assert brightness(picture).flatten() == pytest.approx([0.2, 0.4, 0.1])


@pytest.mark.parametrize("side", [32, 48])
@pytest.mark.parametrize("cells", [1, 3, 18])
def test_clouds_are_smooth_and_between_zero_and_one(cells, side):
    field = clouds(generator(), 50, cells, side)
    assert field.shape == (50, 1, side, side)
    assert field.min() >= 0
    assert field.max() <= 1
    # The steepest step of the smooth curve 3s^2 - 2s^3 is 1.5 a cell, and a pixel is cells / side of one.
    assert np.abs(np.diff(field, axis=3)).max() <= 1.5 * cells / side + 1e-6
    assert texture(generator(), 3, side).shape == (3, 1, side, side)
