"""What surrounds a road sign: scenery behind it, leaves before it, the light, the lens and the sensor.

Every function takes a NumPy generator and returns float32 pictures (n, 3, 32, 32) in 0..1 or masks
(n, 1, 32, 32). Only additions, products, divisions, square roots and comparisons of whole arrays
are used: IEEE rounds them one way only, so the same seed gives the same bits whatever the
processor, and there is no thread count for them to depend on.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Effect = Callable[[np.random.Generator, Array], Array]

SIDE = 32

_AXIS = np.arange(SIDE, dtype=np.float32)
COLUMNS, ROWS = _AXIS[None, None, None, :], _AXIS[None, None, :, None]

# Colours as (red, green, blue) in 0..255; a scene mixes two of the same group.
SKIES = ((70, 130, 210), (120, 170, 225), (175, 205, 235), (205, 210, 215), (150, 158, 168), (235, 200, 170))
LEAVES = ((38, 70, 28), (62, 96, 40), (88, 118, 52), (30, 52, 34), (120, 128, 60), (150, 110, 48))
WALLS = ((150, 78, 60), (196, 176, 148), (128, 126, 124), (214, 204, 190), (104, 88, 78), (170, 128, 96))
GROUNDS = ((92, 92, 96), (120, 118, 116), (70, 74, 78), (96, 112, 62), (140, 126, 104))


def uniform(rng: np.random.Generator, n: int, low: float, high: float, channels: int = 1) -> Array:
    """One number for each picture (or channel), shaped to broadcast over it."""
    return rng.random((n, channels, 1, 1), dtype=np.float32) * np.float32(high - low) + np.float32(low)


def sometimes(chance: float, effect: Effect, rng: np.random.Generator, picture: Array) -> Array:
    """The pictures with `effect` on a random share of them, in place."""
    rows = np.flatnonzero(rng.random(len(picture)) < chance)
    picture[rows] = effect(rng, picture[rows])
    return picture


def colours(rng: np.random.Generator, n: int, palette: tuple[tuple[int, int, int], ...]) -> Array:
    """A colour of the palette for each picture, slightly varied: (n, 3, 1, 1)."""
    chosen = np.asarray(palette, dtype=np.float32)[rng.integers(0, len(palette), n)] / np.float32(255)
    return chosen[:, :, None, None] * uniform(rng, n, 0.85, 1.12) + uniform(rng, n, -0.03, 0.03, 3)


def mix(below: Array, above: Array | float, share: Array) -> Array:
    """`above` laid over `below` with the given share in 0..1."""
    mixed = (above - below) * share
    mixed += below
    return mixed


def clouds(rng: np.random.Generator, n: int, cells: int) -> Array:
    """Smooth random texture in 0..1, (n, 1, 32, 32), with about `cells` spots on a side."""
    grid = rng.random((n, 1, cells + 1, cells + 1), dtype=np.float32)
    place = (_AXIS + np.float32(0.5)) * np.float32(cells / SIDE)
    share = place - np.floor(place)
    left = place.astype(np.int64)
    share = share * share * (3 - 2 * share)
    # `take` keeps the result in row order; plain indexing would leave it transposed and make all that follows slow.
    grid = mix(grid.take(left, axis=3), grid.take(left + 1, axis=3), share)
    return mix(grid.take(left, axis=2), grid.take(left + 1, axis=2), share[:, None])


def texture(rng: np.random.Generator, n: int) -> Array:
    """Random texture of coarse, middling and fine spots, about 0..1 with mean 0.5."""
    return (clouds(rng, n, 4) + clouds(rng, n, 9) + clouds(rng, n, 18)) * np.float32(1 / 3)


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


def daylight(rng: np.random.Generator, picture: Array) -> Array:
    """Exposure, the colour of the light, and light falling off to one side."""
    n = len(picture)
    brightness = uniform(rng, n, 0, 1)
    light = (brightness * (2 - brightness) * np.float32(0.67) + np.float32(0.45)) * uniform(rng, n, 0.92, 1.08, 3)
    across = (COLUMNS - 15.5) * uniform(rng, n, -0.014, 0.014) + (ROWS - 15.5) * uniform(rng, n, -0.014, 0.014)
    lit: Array = picture * light * (1 + across)
    return lit


def shadow(rng: np.random.Generator, picture: Array) -> Array:
    """The edge of a cast shadow."""
    n = len(picture)
    edge = (COLUMNS - 16) * uniform(rng, n, -0.5, 0.5) + (ROWS - 16) * uniform(rng, n, -0.5, 0.5)
    return picture * (1 - np.clip(edge + uniform(rng, n, -4, 4), 0, 1) * uniform(rng, n, 0.25, 0.6))


def dappled_shade(rng: np.random.Generator, picture: Array) -> Array:
    """Spots of light and shade, as under a tree."""
    n = len(picture)
    return picture * (1 - np.clip(clouds(rng, n, 6) * 4 - 2, 0, 1) * uniform(rng, n, 0.2, 0.5))


def mist(rng: np.random.Generator, picture: Array) -> Array:
    """Haze that takes contrast away; little in most pictures."""
    n = len(picture)
    amount = uniform(rng, n, 0, 1)
    return mix(picture, colours(rng, n, SKIES[2:5]), amount * amount * amount * np.float32(0.45))


def glare(rng: np.random.Generator, picture: Array) -> Array:
    """A round reflection of the sun."""
    n = len(picture)
    dx, dy = COLUMNS - uniform(rng, n, 0, SIDE), ROWS - uniform(rng, n, 0, SIDE)
    reach = uniform(rng, n, 6, 14)
    return mix(picture, 1.0, np.maximum(1 - (dx * dx + dy * dy) / (reach * reach), 0) * np.float32(0.65))


def defocus(rng: np.random.Generator, picture: Array) -> Array:
    """Blur of the lens; little in most pictures."""
    amount = uniform(rng, len(picture), 0, 1)
    amount = amount * amount
    for shift in ((0, 1), (1, 0)):
        picture = _three_taps(picture, shift, amount * np.float32(0.3))
        picture = _three_taps(picture, shift, np.maximum(amount - np.float32(0.25), 0) * np.float32(0.42))
    return picture


def motion(rng: np.random.Generator, picture: Array) -> Array:
    """Blur along one of four directions."""
    direction = rng.integers(0, 4, len(picture))
    strength = uniform(rng, len(picture), 0.05, 0.28)
    for which, (down, across) in enumerate(((0, 1), (1, 0), (1, 1), (1, -1))):
        rows = np.flatnonzero(direction == which)
        moved = _three_taps(picture[rows], (down, across), strength[rows])
        picture[rows] = _three_taps(moved, (2 * down, 2 * across), strength[rows])
    return picture


def _three_taps(picture: Array, shift: tuple[int, int], share: Array) -> Array:
    """Each pixel's mean with its two neighbours along `shift`, each of which has weight `share`."""
    down, across = shift
    margin = max(abs(down), abs(across))
    padded = np.pad(picture, ((0, 0), (0, 0), (margin, margin), (margin, margin)), mode="edge")

    def moved(sign: int) -> Array:
        top, left = margin + sign * down, margin + sign * across
        return padded[:, :, top : top + SIDE, left : left + SIDE]

    return picture * (1 - 2 * share) + (moved(1) + moved(-1)) * share


def sensor_noise(rng: np.random.Generator, picture: Array) -> Array:
    """Noise of the sensor: a part of its own and a part that grows with the light, as photon noise does."""
    # The sum of four random bytes is close enough to normal, fast, and the same everywhere.
    sums = rng.integers(0, 256, (4, *picture.shape), dtype=np.uint8).sum(axis=0, dtype=np.int16)
    normal = (sums - np.int16(510)).astype(np.float32) * np.float32(1 / 147.8)
    amount = uniform(rng, len(picture), 0, 1)
    amount = np.float32(0.006) + amount * amount * amount * np.float32(0.04)
    noisy: Array = picture + normal * amount * (np.float32(0.5) + np.sqrt(np.clip(picture, 0, 1)))
    return noisy
