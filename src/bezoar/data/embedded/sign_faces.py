"""The faces of the road signs, drawn as shapes: no pictures and no fonts are shipped.

A face lives in the square -1..1, x to the right and y down. A shape is a boolean mask over sample
points; a texel is the mean of the points inside it. Masks need only additions, products and
comparisons, so a face comes out the same to the last bit on every processor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Points = Sequence[tuple[float, float]]
Mask = NDArray[np.bool_]
Colour = tuple[int, int, int]

RED: Colour = (200, 22, 34)
BLUE: Colour = (8, 84, 170)
YELLOW: Colour = (250, 192, 8)
WHITE: Colour = (244, 244, 242)
BLACK: Colour = (24, 24, 28)

POINTS_PER_TEXEL = 5

# Letters and digits in a box 0..1 wide and 0..1 high. A curve is the quadratic B-spline of its points.
GLYPHS: dict[str, tuple[tuple[str, Points], ...]] = {
    "S": (
        (
            "curve",
            ((0.98, 0.16), (0.8, -0.03), (0.0, -0.08), (0.0, 0.48), (1.0, 0.5), (1.02, 1.08), (0.2, 1.03), (0.0, 0.82)),
        ),
    ),
    "T": (("line", ((0.0, 0.0), (1.0, 0.0))), ("line", ((0.5, 0.0), (0.5, 1.0)))),
    "O": (("loop", ((0.0, -0.08), (1.0, -0.08), (1.0, 0.5), (1.0, 1.08), (0.0, 1.08), (0.0, 0.5))),),
    "P": (
        ("line", ((0.0, 1.0), (0.0, 0.0))),
        ("curve", ((0.0, 0.0), (0.6, 0.0), (1.08, 0.0), (1.08, 0.56), (0.6, 0.56), (0.0, 0.56))),
    ),
    "0": (("loop", ((0.0, -0.1), (1.0, -0.1), (1.0, 0.5), (1.0, 1.1), (0.0, 1.1), (0.0, 0.5))),),
    "3": (
        ("curve", ((0.02, 0.16), (0.2, -0.04), (1.02, -0.08), (1.0, 0.46), (0.36, 0.46))),
        ("curve", ((0.36, 0.46), (1.12, 0.46), (1.1, 1.08), (0.2, 1.05), (0.0, 0.84))),
    ),
    "5": (
        ("line", ((0.92, 0.0), (0.16, 0.0), (0.08, 0.47))),
        ("curve", ((0.08, 0.47), (0.34, 0.34), (1.1, 0.32), (1.12, 1.08), (0.2, 1.05), (0.0, 0.84))),
    ),
    "8": (
        ("loop", ((0.08, -0.06), (0.92, -0.06), (0.92, 0.23), (0.92, 0.47), (0.08, 0.47), (0.08, 0.23))),
        ("loop", ((0.0, 0.47), (1.0, 0.47), (1.0, 0.74), (1.0, 1.06), (0.0, 1.06), (0.0, 0.74))),
    ),
}


class Canvas:
    """A face being painted, `size` texels wide; later paint covers earlier paint."""

    def __init__(self, size: int) -> None:
        points = size * POINTS_PER_TEXEL
        axis = (2.0 * np.arange(points) + 1.0) / points - 1.0
        self.size = size
        self.x, self.y = np.meshgrid(axis, axis)
        self._paint = np.zeros((4, points, points), dtype=np.int64)

    def paint(self, mask: Mask, colour: Colour) -> None:
        """Cover `mask` with an opaque colour."""
        for channel, level in zip(self._paint, (*colour, 255), strict=True):
            channel[mask] = level

    def texture(self) -> NDArray[np.float32]:
        """Red, green, blue (premultiplied) and coverage as (4, size, size) in 0..1."""
        blocks = self._paint.reshape(4, self.size, POINTS_PER_TEXEL, self.size, POINTS_PER_TEXEL).sum(axis=(2, 4))
        return np.asarray(blocks / (255.0 * POINTS_PER_TEXEL**2), dtype=np.float32)

    def disc(self, radius: float, centre: tuple[float, float] = (0.0, 0.0)) -> Mask:
        """A filled circle."""
        across, down = self.x - centre[0], self.y - centre[1]
        return np.asarray(across * across + down * down <= radius * radius)

    def polygon(self, points: Points) -> Mask:
        """A filled polygon, by the even-odd rule."""
        inside = np.zeros(self.x.shape, dtype=bool)
        for (x0, y0), (x1, y1) in zip(points, (*points[1:], points[0]), strict=True):
            if y0 != y1:
                crossing = x0 + (self.y - y0) * ((x1 - x0) / (y1 - y0))
                inside ^= ((y0 > self.y) != (y1 > self.y)) & (self.x < crossing)
        return inside

    def stroke(self, points: Points, width: float) -> Mask:
        """A line through `points` with round ends and joints."""
        covered = np.zeros(self.x.shape, dtype=bool)
        for (x0, y0), (x1, y1) in pairwise(points):
            dx, dy = x1 - x0, y1 - y0
            along = ((self.x - x0) * dx + (self.y - y0) * dy) / max(dx * dx + dy * dy, 1e-12)
            along = along.clip(0.0, 1.0)
            across, down = self.x - x0 - along * dx, self.y - y0 - along * dy
            covered |= across * across + down * down <= width * width / 4
        return covered

    def rounded(self, points: Points, radius: float) -> Mask:
        """A polygon with its outline thickened by `radius`, which rounds the corners."""
        return self.polygon(points) | self.stroke((*points, points[0]), 2 * radius)

    def text(
        self,
        text: str,
        *,
        glyph: tuple[float, float],
        gap: float,
        width: float,
    ) -> Mask:
        """Letters of size `glyph` (width, height) in a centred row, `gap` apart, in strokes of `width`."""
        left = -(len(text) * glyph[0] + (len(text) - 1) * gap) / 2
        covered = np.zeros(self.x.shape, dtype=bool)
        for position, letter in enumerate(text):
            x0 = left + position * (glyph[0] + gap)
            for kind, points in GLYPHS[letter]:
                path = points if kind == "line" else spline(points, closed=kind == "loop")
                covered |= self.stroke([(x0 + x * glyph[0], (y - 0.5) * glyph[1]) for x, y in path], width)
        return covered


def spline(points: Points, *, closed: bool, steps: int = 6) -> list[tuple[float, float]]:
    """Points along the quadratic B-spline of `points`; an open one starts and ends at its outer points."""
    if closed:
        points = (*points, *points[:2])
    middles = [((ax + bx) / 2, (ay + by) / 2) for (ax, ay), (bx, by) in pairwise(points)]
    if not closed:
        middles[0], middles[-1] = points[0], points[-1]
    path = [middles[0]]
    for start, bend, end in zip(middles[:-1], points[1:-1], middles[1:], strict=True):
        for step in range(1, steps + 1):
            t = step / steps
            a, b, c = (1 - t) * (1 - t), 2 * t * (1 - t), t * t
            path.append((a * start[0] + b * bend[0] + c * end[0], a * start[1] + b * bend[1] + c * end[1]))
    return path


def _stop(canvas: Canvas) -> None:
    for half, colour in ((0.97, WHITE), (0.89, RED)):
        short = half * 0.41421356
        right = [(half, -short), (half, short), (short, half), (-short, half)]
        canvas.paint(canvas.polygon([*right, *((-x, -y) for x, y in right)]), colour)
    canvas.paint(canvas.text("STOP", glyph=(0.25, 0.54), gap=0.165, width=0.11), WHITE)


def _yield(canvas: Canvas) -> None:
    canvas.paint(canvas.rounded([(-0.86, -0.74), (0.86, -0.74), (0.0, 0.74)], 0.12), WHITE)
    canvas.paint(canvas.rounded([(-0.84, -0.73), (0.84, -0.73), (0.0, 0.72)], 0.07), RED)
    canvas.paint(canvas.rounded([(-0.47, -0.5), (0.47, -0.5), (0.0, 0.32)], 0.03), WHITE)


def _no_entry(canvas: Canvas) -> None:
    canvas.paint(canvas.disc(0.97), WHITE)
    canvas.paint(canvas.disc(0.91), RED)
    canvas.paint(canvas.rounded([(-0.62, -0.16), (0.62, -0.16), (0.62, 0.16), (-0.62, 0.16)], 0.03), WHITE)


def _speed_limit(number: str) -> Callable[[Canvas], None]:
    def paint(canvas: Canvas) -> None:
        canvas.paint(canvas.disc(0.97), WHITE)
        canvas.paint(canvas.disc(0.94), RED)
        canvas.paint(canvas.disc(0.71), WHITE)
        canvas.paint(canvas.text(number, glyph=(0.34, 0.64), gap=0.24, width=0.155), BLACK)

    return paint


def _keep_right(canvas: Canvas) -> None:
    canvas.paint(canvas.disc(0.97), WHITE)
    canvas.paint(canvas.disc(0.92), BLUE)
    canvas.paint(canvas.stroke([(-0.42, -0.42), (0.3, 0.3)], 0.24), WHITE)
    canvas.paint(canvas.rounded([(0.56, 0.56), (-0.14, 0.5), (0.5, -0.14)], 0.02), WHITE)


def _priority_road(canvas: Canvas) -> None:
    for half, colour in ((0.92, BLACK), (0.86, WHITE), (0.6, BLACK), (0.54, YELLOW)):
        canvas.paint(canvas.rounded([(0.0, -half), (half, 0.0), (0.0, half), (-half, 0.0)], 0.05), colour)


def _pedestrian_crossing(canvas: Canvas) -> None:
    for half, colour in ((0.88, WHITE), (0.82, BLUE)):
        canvas.paint(canvas.rounded([(-half, -half), (half, -half), (half, half), (-half, half)], 0.08), colour)
    canvas.paint(canvas.polygon([(-0.8, 0.62), (0.8, 0.62), (0.0, -0.8)]), WHITE)
    for left in (-0.56, -0.2, 0.16, 0.52):
        foot = [(left - 0.05, 0.6), (left + 0.09, 0.6), (left + 0.05, 0.44), (left - 0.03, 0.44)]
        canvas.paint(canvas.polygon(foot), BLACK)
    canvas.paint(canvas.disc(0.105, (0.0, -0.38)), BLACK)
    canvas.paint(canvas.stroke([(0.0, -0.2), (0.0, 0.08)], 0.17), BLACK)
    for limb in ([(0.0, 0.08), (0.16, 0.3), (0.2, 0.5)], [(0.0, 0.08), (-0.08, 0.3), (-0.24, 0.48)]):
        canvas.paint(canvas.stroke(limb, 0.11), BLACK)
    for limb in ([(0.0, -0.2), (0.18, 0.0)], [(0.0, -0.2), (-0.18, -0.02)]):
        canvas.paint(canvas.stroke(limb, 0.08), BLACK)


def _roundabout(canvas: Canvas) -> None:
    canvas.paint(canvas.disc(0.97), WHITE)
    canvas.paint(canvas.disc(0.92), BLUE)
    ring = canvas.disc(0.62) & ~canvas.disc(0.4)
    for cosine, sine in ((1.0, 0.0), (-0.5, 0.8660254), (-0.5, -0.8660254)):
        across, down = canvas.x * cosine + canvas.y * sine, canvas.y * cosine - canvas.x * sine
        # A third of the ring: from straight up, anticlockwise by 80 degrees; the head leads at its far end.
        canvas.paint(ring & (across <= 0.02) & (down <= 0.18 * across), WHITE)
        head = [(-0.79, -0.08), (-0.23, -0.08), (-0.5, 0.3)]
        turned = [(x * cosine - y * sine, x * sine + y * cosine) for x, y in head]
        canvas.paint(canvas.polygon(turned), WHITE)


FACES: dict[str, Callable[[Canvas], None]] = {
    "stop": _stop,
    "yield": _yield,
    "no entry": _no_entry,
    "speed limit 30": _speed_limit("30"),
    "speed limit 50": _speed_limit("50"),
    "speed limit 80": _speed_limit("80"),
    "keep right": _keep_right,
    "priority road": _priority_road,
    "pedestrian crossing": _pedestrian_crossing,
    "roundabout": _roundabout,
}


@cache
def face_texture(name: str, size: int) -> NDArray[np.float32]:
    """The face called `name`, (4, size, size): premultiplied red, green, blue, and coverage, in 0..1."""
    canvas = Canvas(size)
    FACES[name](canvas)
    texture = canvas.texture()
    texture.setflags(write=False)
    return texture
