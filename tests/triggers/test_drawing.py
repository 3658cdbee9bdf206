"""Shapes against their areas in closed form."""

from __future__ import annotations

import math

import pytest
import torch

from bezoar.triggers.drawing import Canvas, star
from bezoar.triggers.scenes import SCENES


def shoelace(points):
    pairs = zip(points, [*points[1:], points[0]], strict=True)
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs)) / 2


TRIANGLE = [(0.0, -0.8), (0.7, 0.5), (-0.6, 0.6)]
SHAPES = {
    "disc": (lambda canvas: canvas.disc((0.1, -0.2), 0.6), math.pi * 0.36),
    "box": (lambda canvas: canvas.box((0.0, 0.1), 0.5, 0.25), 0.5),
    "stroke": (lambda canvas: canvas.stroke([(-0.4, 0.3), (0.4, -0.3)], 0.2), 0.2 + math.pi * 0.01),
    "triangle": (lambda canvas: canvas.polygon(TRIANGLE), shoelace(TRIANGLE)),
    "star": (lambda canvas: canvas.polygon(star(5, 0.45)), shoelace(star(5, 0.45))),
}


@pytest.mark.parametrize("size", [16, 64, 101])
@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_covers_its_area(name, size):
    shape, area = SHAPES[name]
    canvas = Canvas(size)
    assert float(canvas.coverage(shape(canvas)).sum()) * (2 / size) ** 2 == pytest.approx(area, rel=0.03)


def test_an_edge_through_the_middle_of_a_pixel_covers_half_of_it():
    canvas = Canvas(4)  # pixel centres at -0.75, -0.25, 0.25, 0.75; pixels 0.5 wide
    covered = canvas.coverage(canvas.box((0, 0), 0.75, 5))
    assert covered[0].tolist() == [0.5, 1, 1, 0.5]


def test_a_polygon_knows_inside_from_outside():
    canvas = Canvas(20)
    ring = [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8), (-0.8, -0.4), (0.4, -0.4), (0.4, 0.4), (-0.8, 0.4)]
    distance = canvas.polygon(ring)
    assert distance[10, 5] > 0  # in the bay
    assert distance[2, 10] < 0
    assert distance[10, 16] < 0
    assert distance[0, 0] == pytest.approx(math.hypot(0.15, 0.15))


@pytest.mark.parametrize("scene", SCENES)
def test_scenes_are_the_same_at_every_size_and_use_the_range(scene):
    fine, coarse = scene(64), scene(32)
    assert fine.shape == (3, 64, 64)
    assert 0 <= float(fine.min()) < 70
    assert 200 < float(fine.max()) <= 255
    halved = torch.nn.functional.avg_pool2d(fine, 2)
    assert float((halved - coarse).abs().mean()) < 4
