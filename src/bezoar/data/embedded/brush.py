"""Shapes with soft edges, drawn into many pictures at once, each picture with its own numbers.

A brush knows where each pixel lies in the frame of the thing that is drawn: x to the right and y down, in the
thing's own units. Every number of a shape is a float, the same in all pictures, or an array (n, 1, 1, 1).
A shape is a mask (n, 1, side, side): 1 inside, 0 outside, and between on the pixel that the edge crosses.
As everywhere in these rooms only operations that IEEE rounds one way are used: see `fields`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bezoar.data.embedded.fields import Array, Number

Point = tuple[Number, Number]

_TINY = np.float32(1e-6)


@dataclass(frozen=True, eq=False)
class Brush:
    """Draws in the frame in which pixels lie at `x` and `y` (n, 1, side, side); a unit is `scale` pixels long."""

    x: Array
    y: Array
    scale: Array

    @property
    def mirrored(self) -> Brush:
        """A brush that draws everything at x > 0 at both sides."""
        return Brush(np.abs(self.x), self.y, self.scale)

    def rows(self, rows: NDArray[np.int64]) -> Brush:
        """A brush for some of the pictures."""
        return Brush(self.x[rows], self.y[rows], self.scale[rows])

    def strip(self, rows: slice) -> Brush:
        """A brush for some of the rows of pixels of every picture."""
        return Brush(self.x[:, :, rows], self.y[:, :, rows], self.scale)

    def moved(self, across: Number, down: Number) -> Brush:
        """A brush whose middle lies at (across, down) of this one."""
        return Brush(_single(self.x - across), _single(self.y - down), self.scale)

    def turned(self, half: Number) -> Brush:
        """A brush turned clockwise about its middle, by the angle whose half has the tangent `half`.

        No library's sine is the same everywhere; -1 to 1 is a quarter turn to either side.
        """
        square = half * half
        cosine, sine = (1 - square) / (1 + square), 2 * half / (1 + square)
        return Brush(_single(self.x * cosine + self.y * sine), _single(self.y * cosine - self.x * sine), self.scale)

    def ellipse(self, centre: Point, radii: Point) -> Array:
        """A filled ellipse with upright axes."""
        dx, dy = self.x - centre[0], self.y - centre[1]
        u, v = dx / radii[0], dy / radii[1]
        level = u * u + v * v
        u, v = u / radii[0], v / radii[1]
        # The distance to the outline, to first order: the level's excess over twice its slope.
        return self._soft((level - 1) / (2 * np.sqrt(u * u + v * v) + _TINY))

    def box(self, centre: Point, half: Point, corner: Number = 0.0) -> Array:
        """A filled upright rectangle of `half` width and height whose corners are rounded by `corner`."""
        dx = np.abs(self.x - centre[0]) - (half[0] - corner)
        dy = np.abs(self.y - centre[1]) - (half[1] - corner)
        outside_x, outside_y = np.maximum(dx, 0), np.maximum(dy, 0)
        outside = np.sqrt(outside_x * outside_x + outside_y * outside_y)
        return self._soft(outside + np.minimum(np.maximum(dx, dy), 0) - corner)

    def line(self, start: Point, end: Point, width: Number, end_width: Number | None = None) -> Array:
        """A straight stroke with round ends; its width may change along it."""
        run, fall = end[0] - start[0], end[1] - start[1]
        dx, dy = self.x - start[0], self.y - start[1]
        along = np.clip((dx * run + dy * fall) / (run * run + fall * fall + _TINY), 0, 1)
        across, down = dx - along * run, dy - along * fall
        half = width / 2 if end_width is None else (width + (end_width - width) * along) / 2
        return self._soft(np.sqrt(across * across + down * down) - half)

    def polygon(self, points: Sequence[Point]) -> Array:
        """A filled convex polygon; `points` go round it clockwise as seen (y is down)."""
        beyond = []
        for (x0, y0), (x1, y1) in zip(points, (*points[1:], points[0]), strict=True):
            run, fall = x1 - x0, y1 - y0
            length = np.sqrt(np.float32(1) * (run * run + fall * fall)) + _TINY
            beyond.append(((self.x - x0) * fall - (self.y - y0) * run) / length)
        return self._soft(joined(*beyond))

    def beyond(self, point: Point, toward: Point) -> Array:
        """The half plane beyond `point` in the direction `toward`."""
        length = np.sqrt(np.float32(1) * (toward[0] * toward[0] + toward[1] * toward[1])) + _TINY
        return self._soft(((point[0] - self.x) * toward[0] + (point[1] - self.y) * toward[1]) / length)

    def _soft(self, distance: NDArray[np.floating[Any]]) -> Array:
        """Coverage from the distance to the outline in units, negative inside."""
        return _single(np.clip(np.float32(0.5) - distance * self.scale, 0, 1))


def ring(outer: Array, inner: Array) -> Array:
    """What is in `outer` and not in `inner`."""
    return outer * (1 - inner)


def joined(*masks: NDArray[np.floating[Any]]) -> Array:
    """What is in any of the masks."""
    return _single(reduce(np.maximum, masks))


def frame(side: int, centre: Point, scale: Array) -> Brush:
    """A brush for pictures `side` pixels wide; its middle lies at `centre` (pixels), its unit is `scale` pixels."""
    axis = np.arange(side, dtype=np.float32)
    x = (axis[None, None, None, :] - centre[0]) / scale + np.zeros((1, 1, side, 1), dtype=np.float32)
    y = (axis[None, None, :, None] - centre[1]) / scale + np.zeros((1, 1, 1, side), dtype=np.float32)
    return Brush(_single(x), _single(y), scale)


def _single(array: NDArray[np.floating[Any]]) -> Array:
    return np.asarray(array, dtype=np.float32)
