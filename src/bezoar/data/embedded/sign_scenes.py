"""What surrounds a road sign: scenery behind it, leaves before it.

Every function takes a NumPy generator and returns float32 pictures (n, 3, 32, 32) in 0..1, the same
bits on every processor: see `fields`.
"""

from __future__ import annotations

import numpy as np

from bezoar.data.embedded.fields import Array, axes, clouds, colours, mix, texture, uniform

SIDE = 32
COLUMNS, ROWS = axes(SIDE)

# Colours as (red, green, blue) in 0..255; a scene mixes two of the same group.
SKIES = ((70, 130, 210), (120, 170, 225), (175, 205, 235), (205, 210, 215), (150, 158, 168), (235, 200, 170))
LEAVES = ((38, 70, 28), (62, 96, 40), (88, 118, 52), (30, 52, 34), (120, 128, 60), (150, 110, 48))
WALLS = ((150, 78, 60), (196, 176, 148), (128, 126, 124), (214, 204, 190), (104, 88, 78), (170, 128, 96))
GROUNDS = ((92, 92, 96), (120, 118, 116), (70, 74, 78), (96, 112, 62), (140, 126, 104))


def scenery(rng: np.random.Generator, n: int) -> Array:
    """Sky, then trees or houses at two distances, then the ground."""
    picture = mix(colours(rng, n, SKIES), colours(rng, n, SKIES[2:]), ROWS / np.float32(SIDE))
    picture = mix(picture, 0.94, clouds(rng, n, 3) * uniform(rng, n, 0.0, 0.5))
    for distance in (0.4, 0.0):
        horizon = uniform(rng, n, -0.15, 0.75) + np.float32(distance * 0.4)
        haze = uniform(rng, n, 0.2, 1.0) * np.float32(distance)
        built = rng.random(n) < 0.4
        for rows, layer in ((np.flatnonzero(~built), _trees), (np.flatnonzero(built), _houses)):
            things, skyline = layer(rng, len(rows))
            top = horizon[rows] - (skyline - np.float32(0.5)) * uniform(rng, len(rows), 0.1, 0.6)
            below = np.clip((ROWS / np.float32(SIDE) - top) * 16, 0, 1)
            picture[rows] = mix(picture[rows], mix(things, picture[rows], haze[rows]), below)
    ground = mix(colours(rng, n, GROUNDS), colours(rng, n, GROUNDS), clouds(rng, n, 12) * np.float32(0.3))
    return mix(picture, ground, np.clip(ROWS - uniform(rng, n, 0.7, 1.3) * SIDE, 0, 1))


def _trees(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Foliage, and how high it stands (0..1) in each column."""
    light = np.clip(texture(rng, n) * uniform(rng, n, 1.5, 3.0) - uniform(rng, n, 0.3, 0.9), 0, 1)
    leaves = mix(colours(rng, n, LEAVES) * np.float32(0.55), colours(rng, n, LEAVES) * np.float32(1.15), light)
    return leaves, clouds(rng, n, 7)[:, :, 16:17]


def _houses(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Walls with windows, and how high they stand (0..1) in each column."""
    wall = colours(rng, n, WALLS) * (np.float32(0.85) + texture(rng, n) * np.float32(0.3))
    across = (COLUMNS + uniform(rng, n, 0, 9)) / uniform(rng, n, 4, 9)
    down = (ROWS + uniform(rng, n, 0, 9)) / uniform(rng, n, 3, 9)
    windows = (across - np.floor(across) < uniform(rng, n, 0.2, 0.7)) & (down - np.floor(down) < np.float32(0.55))
    glass = colours(rng, n, SKIES) * uniform(rng, n, 0.25, 0.9)
    heights = rng.random((n, 1, 1, 5), dtype=np.float32)
    house = ((COLUMNS + uniform(rng, n, 0, 8)) * np.float32(0.12)).astype(np.int64)
    return mix(wall, glass, windows * uniform(rng, n, 0.0, 0.9)), np.take_along_axis(heights, house, axis=3)


def foliage(rng: np.random.Generator, picture: Array) -> Array:
    """Leaves that hang in from one side."""
    n = len(picture)
    toward_x, toward_y = uniform(rng, n, -1, 1), uniform(rng, n, -1, 0.4)
    length = np.sqrt(toward_x * toward_x + toward_y * toward_y) + np.float32(1e-3)
    beyond = ((COLUMNS - 15.5) * toward_x + (ROWS - 15.5) * toward_y) / length / SIDE
    cover = np.clip((beyond + clouds(rng, n, 6) * np.float32(0.5) - uniform(rng, n, 0.45, 0.75)) * 12, 0, 1)
    return mix(picture, _trees(rng, n)[0], cover)


def branch(rng: np.random.Generator, picture: Array) -> Array:
    """A bare branch, or a wire, from edge to edge."""
    n = len(picture)
    slope, half = uniform(rng, n, -1.5, 1.5), uniform(rng, n, 0.1, 1.0)
    off = np.abs(COLUMNS - uniform(rng, n, 4, 28) - slope * (ROWS - 16)) / np.sqrt(1 + slope * slope)
    return mix(picture, colours(rng, n, LEAVES) * np.float32(0.6), np.clip(half - off + np.float32(0.5), 0, 1))
