"""Stamps: squares of one colour at one place, of which there are few enough to try them all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from bezoar.detect.inversion.form import Parameters

BLACK, WHITE = 0.0, 1.0
CERTAIN = 8.0
"""Before the sigmoid of a mask: a pixel is replaced, or with the sign turned it is not."""
SHARE_OF_SIDE = 0.1
"""The side of a stamp, of the shorter side of the image."""


@dataclass(frozen=True)
class Stamp:
    """A square of `size` pixels a side, its upper left corner at `top` and `left`, of one colour (c values in 0..1)."""

    top: int
    left: int
    size: int
    color: tuple[float, ...]

    def put_on(self, images: Tensor) -> Tensor:
        """Copies of float images (n, c, h, w) in 0..1 with the stamp."""
        stamped = images.clone()
        color = torch.tensor(self.color)[:, None, None]
        stamped[:, :, self.top : self.top + self.size, self.left : self.left + self.size] = color
        return stamped

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether it lies within images of `shape` (c, h, w)."""
        _, height, width = shape
        return 0 <= self.top <= height - self.size and 0 <= self.left <= width - self.size and self.size > 0

    def as_patch(self, shape: tuple[int, ...]) -> Parameters:
        """The same as parameters of one patch, see `inversion/forms/patch.py`."""
        mask, pattern = torch.full((1, 1, *shape[1:]), -CERTAIN), torch.zeros(1, *shape)
        where = (slice(self.top, self.top + self.size), slice(self.left, self.left + self.size))
        mask[0, 0][where] = CERTAIN
        for channel, value in enumerate(self.color):
            pattern[0, channel][where] = CERTAIN if value > (BLACK + WHITE) / 2 else -CERTAIN
        return {"mask": mask, "pattern": pattern}


def every_stamp(shape: tuple[int, ...], positions: int = 11) -> tuple[Stamp, ...]:
    """Stamps of all colours at `positions` places along each side, edge to edge, for images of `shape` (c, h, w)."""
    channels, height, width = shape
    size = side_of(shape)
    return tuple(
        Stamp(top, left, size, color)
        for top in _places(height - size, positions)
        for left in _places(width - size, positions)
        for color in colors(channels)
    )


def side_of(shape: tuple[int, ...]) -> int:
    """A tenth of the shorter side, 2 pixels at least."""
    return max(2, round(SHARE_OF_SIDE * min(shape[1:])))


def colors(channels: int) -> tuple[tuple[float, ...], ...]:
    """Every channel dark or bright: the corners of the colour cube, or black and white."""
    corners = torch.cartesian_prod(*[torch.tensor([BLACK, WHITE])] * channels).reshape(-1, channels)
    return tuple(tuple(one.tolist()) for one in corners)


def neighbours(stamp: Stamp, shape: tuple[int, ...]) -> Iterator[Stamp]:
    """Stamps that are larger, moved by a third of their side, or of another colour."""
    step = max(1, stamp.size // 3)
    for size in (stamp.size, stamp.size + step, stamp.size + 2 * step):
        for down, right in ((0, 0), (-step, 0), (step, 0), (0, -step), (0, step)):
            moved = Stamp(stamp.top + down, stamp.left + right, size, stamp.color)
            if moved.fits(shape) and moved != stamp:
                yield moved
    for color in colors(len(stamp.color)):
        if color != stamp.color:
            yield Stamp(stamp.top, stamp.left, stamp.size, color)


def around(stamp: Stamp, shape: tuple[int, ...]) -> Iterator[Stamp]:
    """Stamps of its colour that are as large or up to two thirds larger, moved by their side at most."""
    third = max(1, stamp.size // 3)
    for size in (stamp.size, stamp.size + third, stamp.size + 2 * third):
        for down in (-stamp.size, 0, stamp.size):
            for right in (-stamp.size, 0, stamp.size):
                moved = Stamp(stamp.top + down, stamp.left + right, size, stamp.color)
                if moved.fits(shape) and moved != stamp:
                    yield moved


def stamp_of(patch: Parameters) -> Stamp | None:
    """The stamp whose parameters `as_patch` gave; None for any other patch."""
    mask, pattern = patch["mask"][0, 0], patch["pattern"][0]
    rows, columns = ((mask > 0).any(axis).nonzero().flatten().tolist() for axis in (1, 0))
    if not rows:
        return None
    color = tuple(float(value > 0) for value in pattern[:, rows[0], columns[0]].tolist())
    stamp = Stamp(rows[0], columns[0], len(rows), color)
    same = stamp.as_patch(tuple(pattern.shape))
    return stamp if all(bool(torch.equal(same[name], patch[name].cpu())) for name in same) else None


def _places(last: int, count: int) -> list[int]:
    return sorted({round(place) for place in torch.linspace(0, last, min(count, last + 1)).tolist()})
