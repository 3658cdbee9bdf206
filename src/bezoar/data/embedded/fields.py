"""What all drawn sets are made of: random numbers for each picture, colours, mixtures and smooth texture.

Every function takes a NumPy generator and returns float32 arrays of pictures (n, 3, side, side), masks
(n, 1, side, side) or numbers (n, channels, 1, 1), mostly in 0..1. Only additions, products, divisions, square
roots and comparisons of whole arrays are used: IEEE rounds them one way only, so the same seed gives the
same bits whatever the processor, and there is no thread count for them to depend on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Effect = Callable[[np.random.Generator, Array], Array]
Number = float | NDArray[np.floating[Any]]
Palette = tuple[tuple[int, int, int], ...]


@cache
def axes(side: int) -> tuple[Array, Array]:
    """Where the columns (1, 1, 1, side) and rows (1, 1, side, 1) lie, in thirty-seconds of the picture."""
    axis = np.arange(side, dtype=np.float32) * np.float32(32 / side)
    axis.setflags(write=False)
    return axis[None, None, None, :], axis[None, None, :, None]


def uniform(rng: np.random.Generator, n: int, low: float, high: float, channels: int = 1) -> Array:
    """One number for each picture (or channel), shaped to broadcast over it."""
    return rng.random((n, channels, 1, 1), dtype=np.float32) * np.float32(high - low) + np.float32(low)


def sometimes(chance: float, effect: Effect, rng: np.random.Generator, picture: Array) -> Array:
    """The pictures with `effect` on a random share of them, in place."""
    rows = np.flatnonzero(rng.random(len(picture)) < chance)
    picture[rows] = effect(rng, picture[rows])
    return picture


def with_effects(rng: np.random.Generator, picture: Array, effects: tuple[tuple[float, Effect], ...]) -> Array:
    """The pictures after each effect in turn, each on its own share of them."""
    for chance, effect in effects:
        picture = effect(rng, picture) if chance == 1 else sometimes(chance, effect, rng, picture)
    return picture


def colours(rng: np.random.Generator, n: int, palette: Palette) -> Array:
    """A colour of the palette for each picture, slightly varied: (n, 3, 1, 1)."""
    chosen = np.asarray(palette, dtype=np.float32)[rng.integers(0, len(palette), n)] / np.float32(255)
    return chosen[:, :, None, None] * uniform(rng, n, 0.85, 1.12) + uniform(rng, n, -0.03, 0.03, 3)


def rgb(red: float, green: float, blue: float) -> Array:
    """One colour (1, 3, 1, 1) from levels of about 0..1."""
    return np.array([red, green, blue], dtype=np.float32).reshape(1, 3, 1, 1)


def mix(below: Array, above: Array | float, share: Array) -> Array:
    """`above` laid over `below` with the given share in 0..1."""
    mixed = (above - below) * share
    mixed += below
    return mixed


def lay(picture: Array, above: Number, share: Array) -> None:
    """Lay `above` over the pictures, in place, with the given share in 0..1; costs only what the share covers."""
    down, across = (np.flatnonzero(share.any(axis=axis)) for axis in ((0, 1, 3), (0, 1, 2)))
    if len(down) == 0:
        return
    window = (..., slice(down[0], down[-1] + 1), slice(across[0], across[-1] + 1))
    if isinstance(above, np.ndarray) and above.shape[2:] == share.shape[2:]:
        above = above[window]
    below = picture[window]
    below += (above - below) * share[window]


def brightness(picture: Array) -> Array:
    """How bright each pixel is, (n, 1, side, side)."""
    return (picture[:, 0:1] * 2 + picture[:, 1:2] * 4 + picture[:, 2:3]) * np.float32(1 / 7)


def clouds(rng: np.random.Generator, n: int, cells: int, side: int = 32) -> Array:
    """Smooth random texture in 0..1, (n, 1, side, side), with about `cells` spots on a side."""
    grid = rng.random((n, 1, cells + 1, cells + 1), dtype=np.float32)
    place = (np.arange(side, dtype=np.float32) + np.float32(0.5)) * np.float32(cells / side)
    share = place - np.floor(place)
    left = place.astype(np.int64)
    share = share * share * (3 - 2 * share)
    # `take` keeps the result in row order; plain indexing would leave it transposed and make all that follows slow.
    grid = mix(grid.take(left, axis=3), grid.take(left + 1, axis=3), share)
    return mix(grid.take(left, axis=2), grid.take(left + 1, axis=2), share[:, None])


def texture(rng: np.random.Generator, n: int, side: int = 32) -> Array:
    """Random texture of coarse, middling and fine spots, about 0..1 with mean 0.5."""
    return (clouds(rng, n, 4, side) + clouds(rng, n, 9, side) + clouds(rng, n, 18, side)) * np.float32(1 / 3)
