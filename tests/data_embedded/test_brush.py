"""Soft shapes against areas worked out by hand: a mask's sum is the shape's area in pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bezoar.data.embedded.brush import Brush, frame, joined, ring

SIDE = 96


def column(*values: float) -> np.ndarray:
    return np.float32(values).reshape(-1, 1, 1, 1)


@pytest.fixture(scope="module")
def brush() -> Brush:
    """Two pictures; a unit is 40 pixels in the first, 20 in the second."""
    return frame(SIDE, (47.5, 47.5), column(40, 20))


def area(mask: np.ndarray) -> list[float]:
    assert mask.dtype == np.float32
    assert mask.min() >= 0
    assert mask.max() <= 1
    return (mask.sum(axis=(1, 2, 3)) / np.float32([1600, 400])).tolist()


def middle(mask: np.ndarray) -> tuple[float, float]:
    """Where the mask of the first picture lies, in pixels."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    weight = mask[0, 0] / mask[0, 0].sum()
    return float((columns * weight).sum()), float((rows * weight).sum())


def both(value: float) -> list[float]:
    return [pytest.approx(value, rel=0.02)] * 2


def test_ellipse(brush):
    mask = brush.ellipse((0.1, -0.2), (0.7, 0.4))
    assert area(mask) == both(math.pi * 0.28)
    assert middle(mask) == pytest.approx((47.5 + 4, 47.5 - 8), abs=0.05)


def test_every_picture_has_its_own_numbers(brush):
    mask = brush.ellipse((0.0, column(0.0, 0.3)), (column(0.3, 0.6), 0.5))
    assert area(mask) == [pytest.approx(math.pi * 0.15, rel=0.02), pytest.approx(math.pi * 0.3, rel=0.02)]


def test_box_and_its_round_corners(brush):
    assert area(brush.box((0.2, 0.0), (0.5, 0.3))) == both(0.6)
    assert area(brush.box((0.0, 0.0), (0.5, 0.3), 0.2)) == both(0.6 - (4 - math.pi) * 0.04)


def test_line_has_round_ends_and_may_taper(brush):
    assert area(brush.line((-0.4, 0.1), (0.4, 0.1), 0.2)) == both(0.16 + math.pi * 0.01)
    tapered = brush.line((0.0, -0.5), (0.0, 0.5), 0.4, 0.2)
    assert area(tapered) == both(0.3 + math.pi / 2 * (0.04 + 0.01))


def test_polygon(brush):
    assert area(brush.polygon([(-0.6, -0.3), (0.6, -0.3), (0.0, 0.7)])) == both(0.6)
    assert area(brush.polygon([(-0.5, -0.4), (0.5, -0.4), (0.5, 0.4), (-0.5, 0.4)])) == both(0.8)


def test_half_plane(brush):
    right = brush.beyond((0.2, 0.0), (1.0, 0.0))
    assert right[0, 0, 48, 47 + 7] == 0
    assert right[0, 0, 48, 47 + 10] == 1
    assert (right + brush.beyond((0.2, 0.0), (-1.0, 0.0))) == pytest.approx(1.0)


def test_an_edge_is_half_covered():
    square = frame(9, (4.0, 4.0), column(1.0)).box((0.0, 0.0), (2.0, 2.0))
    assert square[0, 0, 4].tolist() == [0, 0, 0.5, 1, 1, 1, 0.5, 0, 0]


def test_mirrored_draws_on_both_sides(brush):
    assert area(brush.mirrored.ellipse((0.5, 0.0), (0.2, 0.2))) == both(2 * math.pi * 0.04)


def test_turned_clockwise_by_a_quarter(brush):
    arm = brush.turned(1.0).line((0.0, 0.0), (0.0, -0.6), 0.2)  # up, turned clockwise, is right
    x, y = middle(arm)
    assert x == pytest.approx(47.5 + 12, abs=0.2)
    assert y == pytest.approx(47.5, abs=0.2)


@pytest.mark.parametrize("half", [-0.7, 0.2, 1.0])
def test_turning_keeps_lengths_and_takes_the_tangent_of_half_the_angle(brush, half):
    turned = brush.turned(half)
    assert turned.x**2 + turned.y**2 == pytest.approx(brush.x**2 + brush.y**2, rel=1e-4, abs=1e-4)
    angle = 2 * math.atan(half)
    assert turned.x == pytest.approx(brush.x * math.cos(angle) + brush.y * math.sin(angle), abs=1e-5)


def test_moved_rows_and_strip(brush):
    assert middle(brush.moved(0.25, -0.5).ellipse((0.0, 0.0), (0.2, 0.2))) == pytest.approx((57.5, 27.5), abs=0.05)
    whole = brush.ellipse((0.0, 0.0), (0.6, 0.4))
    assert np.array_equal(brush.rows(np.array([1])).ellipse((0.0, 0.0), (0.6, 0.4)), whole[1:])
    assert np.array_equal(brush.strip(slice(40, 60)).ellipse((0.0, 0.0), (0.6, 0.4)), whole[:, :, 40:60])


def test_ring_and_joined(brush):
    outer, inner = (brush.ellipse((0.0, 0.0), (radius, radius)) for radius in (0.6, 0.3))
    assert area(ring(outer, inner)) == both(math.pi * 0.27)
    assert np.array_equal(joined(inner, outer, inner), outer)
