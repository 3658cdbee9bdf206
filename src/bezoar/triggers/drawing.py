"""Anti-aliased shapes drawn in code, at any size: marks, stickers and scenes are made of them.

A shape is its signed distance, negative inside, at the pixel centres of a square canvas whose edges lie
at -1 and 1, x to the right and y downwards. So union is `minimum`, the part common to two is `maximum`, and
one less another is `maximum(one, -other)`. `coverage` turns a distance into the share of each pixel covered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from bezoar.shapes import Matrix

Point = tuple[float, float]
"""x and y on the canvas."""

APPROXIMATE = 1e-12


class Canvas:
    """The pixel centres of a square of `size` x `size` pixels."""

    def __init__(self, size: int) -> None:
        self.size = size
        places = (torch.arange(size, dtype=torch.float64) + 0.5) * 2 / size - 1
        self.y, self.x = torch.meshgrid(places, places, indexing="ij")

    def coverage(self, distance: Matrix) -> Matrix:
        """Share of each pixel that lies inside the shape, 0..1: the edge is one pixel wide."""
        return (0.5 - distance * self.size / 2).clamp(0, 1)

    def disc(self, center: Point, radius: float) -> Tensor:
        """Distance to a disc."""
        return torch.hypot(self.x - center[0], self.y - center[1]) - radius

    def box(self, center: Point, half_width: float, half_height: float) -> Tensor:
        """Distance to an upright rectangle."""
        across, down = (self.x - center[0]).abs() - half_width, (self.y - center[1]).abs() - half_height
        outside = torch.hypot(across.clamp_min(0), down.clamp_min(0))
        return outside + torch.maximum(across, down).clamp_max(0)

    def stroke(self, points: Sequence[Point], thickness: float) -> Tensor:
        """Distance to a line through the points, with round ends."""
        lines = [self._to_line(first, second) for first, second in pairwise(points)]
        return torch.stack(lines).amin(dim=0) - thickness / 2

    def polygon(self, points: Sequence[Point]) -> Tensor:
        """Distance to the inside of a closed polygon, convex or not."""
        inside = torch.zeros_like(self.x, dtype=torch.bool)
        edges = list(zip(points, [*points[1:], points[0]], strict=True))
        for (x0, y0), (x1, y1) in edges:
            if y0 != y1:
                crossing = x0 + (self.y - y0) * (x1 - x0) / (y1 - y0)
                inside ^= ((self.y < y0) != (self.y < y1)) & (self.x < crossing)
        distance = torch.stack([self._to_line(first, second) for first, second in edges]).amin(dim=0)
        return torch.where(inside, -distance, distance)

    def _to_line(self, first: Point, second: Point) -> Tensor:
        along_x, along_y = second[0] - first[0], second[1] - first[1]
        x, y = self.x - first[0], self.y - first[1]
        share = ((x * along_x + y * along_y) / (along_x**2 + along_y**2 + APPROXIMATE)).clamp(0, 1)
        return torch.hypot(x - share * along_x, y - share * along_y)


def star(points: int, inner: float) -> list[Point]:
    """Corners of a star within the unit circle, one point upwards; `inner` is the radius of its notches."""
    turns = [math.pi * step / points for step in range(2 * points)]
    radii = [inner if step % 2 else 1.0 for step in range(2 * points)]
    return [(radius * math.sin(turn), -radius * math.cos(turn)) for radius, turn in zip(radii, turns, strict=True)]
