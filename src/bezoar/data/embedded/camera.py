"""What happens between a drawn scene and the file: the light on it, the air before it, the lens and the sensor.

Every effect takes a NumPy generator and pictures (n, 3, side, side), float32 in 0..1, and returns pictures;
numbers of pixels are thirty-seconds of the picture, except that blur spreads over whole pixels.
"""

from __future__ import annotations

import numpy as np

from bezoar.data.embedded.fields import Array, axes, brightness, clouds, colours, mix, uniform

HAZES = ((175, 205, 235), (205, 210, 215), (150, 158, 168))


def daylight(rng: np.random.Generator, picture: Array) -> Array:
    """Exposure, the colour of the light, and light falling off to one side."""
    n = len(picture)
    brightness = uniform(rng, n, 0, 1)
    light = (brightness * (2 - brightness) * np.float32(0.67) + np.float32(0.45)) * uniform(rng, n, 0.92, 1.08, 3)
    columns, rows = axes(picture.shape[-1])
    across = (columns - 15.5) * uniform(rng, n, -0.014, 0.014) + (rows - 15.5) * uniform(rng, n, -0.014, 0.014)
    lit: Array = picture * light * (1 + across)
    return lit


def shadow(rng: np.random.Generator, picture: Array) -> Array:
    """The edge of a cast shadow."""
    n = len(picture)
    columns, rows = axes(picture.shape[-1])
    edge = (columns - 16) * uniform(rng, n, -0.5, 0.5) + (rows - 16) * uniform(rng, n, -0.5, 0.5)
    return picture * (1 - np.clip(edge + uniform(rng, n, -4, 4), 0, 1) * uniform(rng, n, 0.25, 0.6))


def dappled_shade(rng: np.random.Generator, picture: Array) -> Array:
    """Spots of light and shade, as under a tree."""
    n = len(picture)
    return picture * (1 - np.clip(clouds(rng, n, 6, picture.shape[-1]) * 4 - 2, 0, 1) * uniform(rng, n, 0.2, 0.5))


def mist(rng: np.random.Generator, picture: Array) -> Array:
    """Haze that takes contrast away; little in most pictures."""
    n = len(picture)
    amount = uniform(rng, n, 0, 1)
    return mix(picture, colours(rng, n, HAZES), amount * amount * amount * np.float32(0.45))


def glare(rng: np.random.Generator, picture: Array) -> Array:
    """A round reflection of the sun."""
    n = len(picture)
    columns, rows = axes(picture.shape[-1])
    dx, dy = columns - uniform(rng, n, 0, 32), rows - uniform(rng, n, 0, 32)
    reach = uniform(rng, n, 6, 14)
    return mix(picture, 1.0, np.maximum(1 - (dx * dx + dy * dy) / (reach * reach), 0) * np.float32(0.65))


def without_colour(rng: np.random.Generator, picture: Array) -> Array:
    """A grey picture, its contrast stretched or dull."""
    grey = brightness(picture)
    return np.repeat((grey - np.float32(0.5)) * uniform(rng, len(picture), 0.75, 1.3) + np.float32(0.5), 3, axis=1)


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
    margin, side = max(abs(down), abs(across)), picture.shape[-1]
    padded = np.pad(picture, ((0, 0), (0, 0), (margin, margin), (margin, margin)), mode="edge")

    def moved(sign: int) -> Array:
        top, left = margin + sign * down, margin + sign * across
        return padded[:, :, top : top + side, left : left + side]

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
