"""Road signs, drawn: ten classes of 32x32 colour pictures to try everything on, with nothing to download.

**These are drawings, not photographs.** The faces follow the signs of the Vienna Convention; each is
set at a random place, size, angle and perspective, on a post before random scenery, faded, dirtied,
partly hidden by leaves, lit, blurred and given sensor noise. Results on them show that a method
works at all; they say nothing about real roads.

Classes: stop, yield, no entry, speed limit 30, 50 and 80, keep right, priority road, pedestrian
crossing, roundabout, all equally frequent. The splits "train" (6,000) and "test" (2,000) of a seed come
from separate random streams. Each picture also names one of five cameras as its source, drawn
independently of everything else. A good small network gets 97 to 99% of the test split right.

The same seed and number of samples give the same bits on every machine: see `sign_scenes`.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bezoar.data.embedded.camera import (
    dappled_shade,
    daylight,
    defocus,
    glare,
    mist,
    motion,
    sensor_noise,
    shadow,
)
from bezoar.data.embedded.drawing import DrawnSet
from bezoar.data.embedded.fields import Array, Effect, clouds, colours, mix, uniform, with_effects
from bezoar.data.embedded.sign_faces import FACES, face_texture
from bezoar.data.embedded.sign_scenes import COLUMNS, ROWS, branch, foliage, scenery

CAMERAS: Final = tuple(f"camera-{number}" for number in range(1, 6))

# Faces are kept at several sizes, and a sign is sampled from the one nearest to its own size.
_TEXTURE_SIZES: Final = (16, 20, 24, 28, 32)
_METAL: Final = ((150, 152, 156), (120, 122, 124), (176, 178, 180))
_DIRT: Final = ((120, 100, 76), (84, 80, 74), (226, 228, 232))

# What happens between the sign and the file, in order, and to what share of the pictures.
_WEATHER_AND_CAMERA: Final[tuple[tuple[float, Effect], ...]] = (
    (0.3, foliage),
    (0.08, branch),
    (1.0, daylight),
    (0.3, shadow),
    (0.25, dappled_shade),
    (1.0, mist),
    (0.08, glare),
    (0.7, defocus),
    (0.15, motion),
    (1.0, sensor_noise),
)


def _paint(labels: NDArray[np.int64], rng: np.random.Generator) -> Array:
    """Pictures of signs, float32 (n, 3, 32, 32)."""
    n = len(labels)
    dx, dy = COLUMNS - uniform(rng, n, 13.5, 17.5), ROWS - uniform(rng, n, 13.5, 17.5)
    radius = uniform(rng, n, 9.0, 14.5)
    picture = _post(rng, scenery(rng, n), dx, dy, radius)
    picture = _sign(rng, labels, picture, dx, dy, radius)
    return with_effects(rng, picture, _WEATHER_AND_CAMERA)


def _post(rng: np.random.Generator, picture: Array, dx: Array, dy: Array, radius: Array) -> Array:
    """Stand a round metal post under the sign's centre, from which `dx` and `dy` are counted in pixels."""
    n = len(picture)
    half = radius * uniform(rng, n, 0.06, 0.13)
    off = np.abs(dx - dy * uniform(rng, n, -0.08, 0.08))
    metal = colours(rng, n, _METAL) * (1 - np.minimum(off / half, 1) * np.float32(0.4))
    return mix(picture, metal, np.clip(half - off + np.float32(0.5), 0, 1) * (dy > 0))


def _sign(
    rng: np.random.Generator,
    labels: NDArray[np.int64],
    picture: Array,
    dx: Array,
    dy: Array,
    radius: Array,
) -> Array:
    """Lay the faces of `labels` over the picture, seen at an angle, faded and dirty."""
    n = len(labels)
    across, down = _on_face(rng, dx, dy, radius)
    face = _sample(labels, across, down, radius)
    paint, cover = face[:, :3], face[:, 3:]
    grey = (paint[:, 0:1] + paint[:, 1:2] + paint[:, 2:3]) * np.float32(1 / 3)
    age = uniform(rng, n, 0, 1)
    age = age * age
    paint = mix(mix(paint, grey, age * np.float32(0.45)), cover * np.float32(0.8), age * np.float32(0.35))
    patches = np.clip(clouds(rng, n, 8) * 5 - uniform(rng, n, 2.5, 6.0), 0, 1)
    paint = mix(paint, cover * colours(rng, n, _DIRT), patches * uniform(rng, n, 0.2, 0.7))
    return picture * (1 - cover) + paint


def _on_face(rng: np.random.Generator, dx: Array, dy: Array, radius: Array) -> tuple[Array, Array]:
    """Where each pixel falls on the face (-1..1): turned about all three axes and seen in perspective."""
    n = len(radius)
    # Sine and cosine of an angle from the tangent of its half: no library's sine is the same everywhere.
    half = uniform(rng, n, -0.14, 0.14)
    cosine, sine = (1 - half * half) / (1 + half * half), 2 * half / (1 + half * half)
    dx, dy = dx / radius, dy / radius
    dx, dy = dx * cosine + dy * sine, dy * cosine - dx * sine
    narrowed = uniform(rng, n, 0.0, 1.0)
    dx = dx * (1 + narrowed * narrowed * np.float32(0.7)) + dy * uniform(rng, n, -0.12, 0.12)
    nearness: Array = 1 + dx * uniform(rng, n, -0.22, 0.22) + dy * uniform(rng, n, -0.15, 0.15)
    nearness = nearness.clip(0.3)
    return dx / nearness, dy / nearness


@cache
def _atlas() -> tuple[Array, NDArray[np.int64]]:
    """All faces at all sizes, each with a transparent margin, laid end to end: (4, texels), and where each starts."""
    tiles, starts, start = [], [], 0
    for name in FACES:
        for size in _TEXTURE_SIZES:
            tile = np.pad(face_texture(name, size), ((0, 0), (2, 2), (2, 2)))
            tiles.append(tile.reshape(4, -1))
            starts.append(start)
            start += (size + 4) ** 2
    return np.concatenate(tiles, axis=1), np.array(starts).reshape(len(FACES), len(_TEXTURE_SIZES))


def _sample(labels: NDArray[np.int64], across: Array, down: Array, radius: Array) -> Array:
    """The faces at the given places, between texels linearly: (n, 4, 32, 32)."""
    atlas, starts = _atlas()
    sizes = np.asarray(_TEXTURE_SIZES)
    level = np.abs(sizes - 2 * radius.reshape(-1, 1)).argmin(axis=1)
    start = starts[labels, level].reshape(-1, 1, 1, 1)
    size = sizes[level].reshape(-1, 1, 1, 1).astype(np.float32)
    x = np.clip((across + 1) * size / 2 + np.float32(1.5), 0, size + 2)
    y = np.clip((down + 1) * size / 2 + np.float32(1.5), 0, size + 2)
    left, top = np.floor(x), np.floor(y)
    stride = size.astype(np.int64) + 4
    corner = (start + top.astype(np.int64) * stride + left.astype(np.int64))[:, 0]
    below = corner + stride[:, 0]
    right_share, lower_share = (x - left)[:, 0], (y - top)[:, 0]
    upper = mix(atlas.take(corner, axis=1), atlas.take(corner + 1, axis=1), right_share)
    lower = mix(atlas.take(below, axis=1), atlas.take(below + 1, axis=1), right_share)
    return np.ascontiguousarray(mix(upper, lower, lower_share).swapaxes(0, 1))


SIGNS: Final = DrawnSet("signs", tuple(FACES), CAMERAS, _paint, chunk=100)
