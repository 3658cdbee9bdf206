"""The shapes that sign faces are made of, against areas and colours worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bezoar.data.embedded.sign_faces import BLACK, BLUE, FACES, RED, WHITE, YELLOW, Canvas, face_texture, spline

CANVAS = Canvas(60)
SQUARE_AREA = 4.0


def area(mask: np.ndarray) -> float:
    return float(mask.mean()) * SQUARE_AREA


def colour_at(name: str, x: float, y: float) -> tuple[int, ...]:
    texture = face_texture(name, 60)
    column, row = int((x + 1) * 30), int((y + 1) * 30)
    return tuple(round(float(level) * 255) for level in texture[:3, row, column])


@pytest.mark.parametrize("radius", [0.2, 0.5, 0.9])
def test_disc_area(radius):
    assert area(CANVAS.disc(radius)) == pytest.approx(math.pi * radius**2, rel=0.01)


def test_disc_stands_at_its_centre():
    mask = CANVAS.disc(0.2, (0.5, -0.5))
    assert CANVAS.x[mask].mean() == pytest.approx(0.5, abs=1e-6)
    assert CANVAS.y[mask].mean() == pytest.approx(-0.5, abs=1e-6)


def test_polygon_area_of_a_concave_outline():
    arrow = [(-0.8, -0.8), (0.8, -0.8), (0.0, 0.0), (0.8, 0.8), (-0.8, 0.8)]
    assert area(CANVAS.polygon(arrow)) == pytest.approx(1.6 * 1.6 * 0.75, rel=0.01)


def test_stroke_is_a_bar_with_round_ends():
    assert area(CANVAS.stroke([(-0.5, 0.0), (0.5, 0.0)], 0.2)) == pytest.approx(0.2 + math.pi * 0.01, rel=0.02)


def test_rounded_polygon_grows_by_its_outline():
    square = [(-0.4, -0.4), (0.4, -0.4), (0.4, 0.4), (-0.4, 0.4)]
    expected = 0.64 + 4 * 0.8 * 0.1 + math.pi * 0.01
    assert area(CANVAS.rounded(square, 0.1)) == pytest.approx(expected, rel=0.01)


def test_open_spline_runs_from_end_to_end_and_a_parabola_between():
    path = spline(((0.0, 0.0), (0.5, 1.0), (1.0, 0.0)), closed=False, steps=2)
    assert path == [(0.0, 0.0), (0.5, 0.5), (1.0, 0.0)]


def test_closed_spline_closes():
    path = spline(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)), closed=True)
    assert path[0] == path[-1] == (0.5, 0.0)


def test_later_paint_covers_earlier_and_nothing_is_transparent():
    canvas = Canvas(4)
    canvas.paint(canvas.disc(9.0), RED)
    canvas.paint(canvas.x < 0, BLUE)
    texture = canvas.texture()
    assert texture.shape == (4, 4, 4)
    assert texture[:3, 0, 0] * 255 == pytest.approx(BLUE)
    assert texture[:3, 0, 3] * 255 == pytest.approx(RED)
    assert (Canvas(3).texture() == 0).all()


@pytest.mark.parametrize(
    ("name", "x", "y", "colour"),
    [
        ("stop", 0.0, 0.6, RED),
        ("stop", 0.0, 0.93, WHITE),
        ("yield", 0.0, -0.3, WHITE),
        ("yield", 0.0, 0.55, RED),
        ("no entry", 0.0, 0.0, WHITE),
        ("no entry", 0.0, 0.5, RED),
        ("speed limit 30", 0.0, 0.6, WHITE),
        ("speed limit 80", 0.8, 0.0, RED),
        ("keep right", 0.0, 0.0, WHITE),
        ("keep right", 0.5, -0.5, BLUE),
        ("priority road", 0.0, 0.0, YELLOW),
        ("pedestrian crossing", 0.0, -0.05, BLACK),
        ("pedestrian crossing", 0.6, -0.6, BLUE),
        ("roundabout", 0.0, 0.0, BLUE),
    ],
)
def test_faces_have_their_colours(name, x, y, colour):
    assert colour_at(name, x, y) == colour


@pytest.mark.parametrize("name", FACES)
def test_faces_fill_their_place_and_no_more(name):
    texture = face_texture(name, 40)
    assert texture.min() >= 0
    assert texture.max() <= 1
    assert (texture[:3] <= texture[3] + 1e-6).all(), "colours are premultiplied by coverage"
    assert 0.4 < texture[3].mean() < 0.95
    assert texture[3, 0, 0] < 1


def test_speed_limits_differ_in_their_first_digit_only():
    thirty, fifty = face_texture("speed limit 30", 40), face_texture("speed limit 50", 40)
    different = np.abs(thirty - fifty).max(axis=0) > 0.1
    assert different.sum() > 10
    assert not different[:, 20:].any()
