"""Scenes that a pane of glass may reflect, drawn in code at any size."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bezoar.triggers.drawing import Canvas

Colour = tuple[int, int, int]


class Painting:
    """A canvas that is painted on, shape over shape."""

    def __init__(self, size: int, top: Colour, bottom: Colour) -> None:
        self.canvas = Canvas(size)
        share = (self.canvas.y + 1) / 2
        self.colours = _tensor(top) * (1 - share) + _tensor(bottom) * share

    def paint(self, distance: Tensor, colour: Colour) -> None:
        """Cover the inside of a shape with a colour."""
        covered = self.canvas.coverage(distance)
        self.colours = self.colours * (1 - covered) + _tensor(colour) * covered

    def glow(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Add a lamp: a bright disc in a halo."""
        away = torch.hypot(self.canvas.x - x, self.canvas.y - y)
        halo = 0.5 * torch.exp(-((away / (2 * radius)) ** 2))
        self.colours = (self.colours + _tensor(colour) * halo).clamp(0, 255)
        self.paint(away - radius, colour)


def _tensor(colour: Colour) -> Tensor:
    return torch.tensor(colour, dtype=torch.float64)[:, None, None]


def window(size: int) -> Tensor:
    """A bright window of six panes in a dark room."""
    painting = Painting(size, (28, 22, 18), (40, 30, 24))
    for x in (-0.42, 0.02):
        for y in (-0.58, -0.06, 0.46):
            painting.paint(painting.canvas.box((x, y), 0.19, 0.22), (226, 238, 252))
    return painting.colours


def skyline(size: int) -> Tensor:
    """Dark towers with lit windows before an evening sky."""
    painting = Painting(size, (70, 92, 160), (250, 176, 104))
    for x, half_width, top in ((-0.72, 0.2, -0.1), (-0.2, 0.24, -0.62), (0.28, 0.16, 0.05), (0.72, 0.22, -0.4)):
        painting.paint(painting.canvas.box((x, (1.1 + top) / 2), half_width, (1.1 - top) / 2), (26, 28, 44))
        for row in range(3):
            painting.paint(painting.canvas.box((x, top + 0.2 + 0.28 * row), half_width / 2, 0.06), (255, 224, 130))
    return painting.colours


def lamps(size: int) -> Tensor:
    """Round lamps hanging in two rows."""
    painting = Painting(size, (18, 16, 24), (52, 40, 36))
    for x, y, radius in ((-0.7, -0.6, 0.14), (-0.1, -0.7, 0.15), (0.5, -0.6, 0.14), (-0.4, 0.1, 0.1), (0.3, 0.05, 0.1)):
        painting.glow(x, y, radius, (255, 232, 190))
    return painting.colours


def trees(size: int) -> Tensor:
    """Three trees on a meadow."""
    painting = Painting(size, (170, 208, 246), (226, 236, 240))
    painting.paint(0.55 - painting.canvas.y, (92, 132, 60))
    for x, radius in ((-0.6, 0.34), (0.05, 0.42), (0.68, 0.3)):
        painting.paint(painting.canvas.stroke([(x, 0.0), (x, 0.75)], 0.1), (74, 52, 36))
        painting.paint(painting.canvas.disc((x, -0.1), radius), (38, 88, 42))
    return painting.colours


def blinds(size: int) -> Tensor:
    """Light that falls through slats."""
    painting = Painting(size, (46, 40, 36), (30, 26, 24))
    for row in range(6):
        y = -0.8 + 0.32 * row
        painting.paint(painting.canvas.stroke([(-0.8, y), (0.8, y - 0.12)], 0.14), (250, 240, 214))
    return painting.colours


def street(size: int) -> Tensor:
    """A road to the horizon between two house fronts."""
    painting = Painting(size, (190, 206, 224), (206, 204, 196))
    painting.paint(painting.canvas.polygon([(-0.1, 0.0), (0.1, 0.0), (0.9, 1.1), (-0.9, 1.1)]), (70, 70, 74))
    painting.paint(painting.canvas.polygon([(-1.1, -0.9), (-0.14, -0.08), (-0.14, 0.06), (-1.1, 0.9)]), (146, 78, 62))
    painting.paint(painting.canvas.polygon([(1.1, -0.7), (0.14, -0.06), (0.14, 0.06), (1.1, 0.9)]), (58, 66, 96))
    painting.paint(painting.canvas.stroke([(0, 0.25), (0, 1.1)], 0.07), (244, 240, 226))
    return painting.colours


SCENES: tuple[Callable[[int], Tensor], ...] = (window, skyline, lamps, trees, blinds, street)
"""Each gives colours (3, size, size) in 0..255 for a size in pixels."""
