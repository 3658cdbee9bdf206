"""Aircraft seen from above, drawn: ten classes of 48x48 colour pictures, as from a satellite or a high camera.

**These are drawings, not photographs.** An outline (`aircraft_types`) at any heading, in several sizes, in plain,
camouflaged or striped paint, on tarmac, grass, sand, over fields, the sea or clouds, with a shadow, thin
cloud before it, in colour or grey, blurred and with sensor noise. Results on them show that a method works at
all; they say nothing about real aircraft.

The splits "train" (6,000) and "test" (2,000) of a seed come from separate random streams, and each picture names
one of five cameras as its source, drawn independently of everything else.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bezoar.data.embedded.aircraft_types import TYPES, Outline
from bezoar.data.embedded.brush import Brush, frame, joined
from bezoar.data.embedded.camera import daylight, defocus, glare, mist, motion, sensor_noise, shadow, without_colour
from bezoar.data.embedded.drawing import DrawnSet
from bezoar.data.embedded.fields import (
    Array,
    Effect,
    clouds,
    colours,
    lay,
    mix,
    texture,
    uniform,
    with_effects,
)

SIDE: Final = 48
CAMERAS: Final = tuple(f"camera-{number}" for number in range(1, 6))

# The length of a unit in pixels: about half an aircraft.
_UNIT: Final = (18.5, 23.5)
_TARMAC: Final = ((96, 98, 102), (122, 122, 124), (146, 144, 138), (78, 80, 84))
_GRASS: Final = ((78, 104, 54), (96, 116, 62), (116, 124, 72), (66, 88, 52))
_SAND: Final = ((196, 174, 134), (180, 156, 118), (206, 192, 160))
_FIELDS: Final = ((110, 124, 70), (150, 140, 92), (84, 102, 58), (128, 108, 78))
_SEA: Final = ((34, 66, 92), (46, 86, 108), (28, 52, 74))
_CLOUDS: Final = ((200, 208, 218), (226, 230, 236), (150, 172, 200))
_PAINTS: Final = (
    (236, 238, 240), (214, 216, 220), (176, 180, 186), (128, 134, 142), (88, 94, 102), (98, 104, 82), (176, 158, 124),
)  # fmt: skip
_STRIPES: Final = ((190, 40, 44), (34, 70, 150), (30, 110, 70), (40, 44, 52), (220, 130, 40))
_MARKINGS: Final = ((226, 224, 214), (208, 172, 60))


def _paint(labels: NDArray[np.int64], rng: np.random.Generator) -> Array:
    """Pictures of the aircraft, float32 (n, 3, 48, 48)."""
    n = len(labels)
    picture = _ground(rng, n)
    centre = (uniform(rng, n, 21.5, 25.5), uniform(rng, n, 21.5, 25.5))
    brush = frame(SIDE, centre, uniform(rng, n, *_UNIT))
    away = (uniform(rng, n, -0.3, 0.3), uniform(rng, n, 0.05, 0.3))
    heading, spin = uniform(rng, n, -1, 1), uniform(rng, n, -1, 1)
    # Half of them the other way round: the tangent of half an angle reaches a quarter turn to each side.
    about = np.where(rng.random((n, 1, 1, 1)) < 0.5, np.float32(1), np.float32(-1))
    shaded = uniform(rng, n, 0.25, 0.6)
    for label, draw in enumerate(TYPES.values()):
        rows = np.flatnonzero(labels == label)
        if len(rows) == 0:
            continue
        turned = _turned(brush.rows(rows), heading[rows], about[rows])
        below = _turned(brush.rows(rows).moved(away[0][rows], away[1][rows]), heading[rows], about[rows])
        some = picture[rows]
        cast = draw(below, spin[rows])
        lay(some, 0.0, joined(cast.hull, cast.wings) * shaded[rows])
        _aircraft(rng, some, turned, draw(turned, spin[rows]))
        picture[rows] = some
    return with_effects(rng, picture, _AIR_AND_CAMERA)


def _turned(brush: Brush, heading: Array, about: Array) -> Brush:
    turned = brush.turned(heading)
    return Brush(turned.x * about, turned.y * about, turned.scale)


def _aircraft(rng: np.random.Generator, picture: Array, brush: Brush, outline: Outline) -> None:
    """Paint the aircraft: its coat, honest stripes, and the light from one side."""
    n = len(picture)
    coat = colours(rng, n, _PAINTS)
    other = colours(rng, n, _PAINTS[3:])
    camouflage = np.clip(clouds(rng, n, 9, SIDE) * 8 - 4, 0, 1) * (rng.random((n, 1, 1, 1)) < 0.25)
    coat = mix(np.broadcast_to(coat, (n, 3, SIDE, SIDE)), other, camouflage)
    lit = 1 - np.clip(brush.x * 4 * uniform(rng, n, -1, 1), 0, 1) * np.float32(0.2)
    lay(picture, coat * np.float32(0.92) * lit, outline.wings)
    lay(picture, coat * lit, outline.hull)
    stripe = colours(rng, n, _STRIPES)
    place, width = uniform(rng, n, -0.7, 0.9), uniform(rng, n, 0.05, 0.12)
    band = brush.box((0.0, place), (2.0, width)) * (rng.random((n, 1, 1, 1)) < 0.25)
    tips = brush.mirrored.beyond((uniform(rng, n, 0.5, 0.9), 0.0), (1.0, 0.0)) * (rng.random((n, 1, 1, 1)) < 0.2)
    lay(picture, stripe, band * outline.hull * np.float32(0.9))
    lay(picture, stripe, tips * outline.wings * np.float32(0.9))
    lay(picture, 0.14, outline.dark * np.float32(0.85))
    if outline.whirling is not None:
        lay(picture, colours(rng, n, ((40, 42, 46), (190, 194, 198))), outline.whirling * uniform(rng, n, 0.4, 1.0))


def _ground(rng: np.random.Generator, n: int) -> Array:
    """What lies below, one of six kinds for each picture."""
    kind = rng.choice(len(_GROUNDS), n, p=[share for share, _, _ in _GROUNDS])
    picture = np.empty((n, 3, SIDE, SIDE), dtype=np.float32)
    for number, (_, palette, marks) in enumerate(_GROUNDS):
        rows = np.flatnonzero(kind == number)
        rough = texture(rng, len(rows), SIDE) * uniform(rng, len(rows), 0.3, 1.0)
        some = mix(colours(rng, len(rows), palette), colours(rng, len(rows), palette), rough)
        fine = rng.random((len(rows), 1, SIDE, SIDE), dtype=np.float32) * np.float32(0.14) + np.float32(0.93)
        some = some * fine
        marks(rng, some)
        picture[rows] = some
    return picture


def _slabs(rng: np.random.Generator, picture: Array) -> None:
    """Joints between slabs, painted lines, patches of oil."""
    n = len(picture)
    lines = _square(n).turned(uniform(rng, n, -0.4, 0.4))
    size = uniform(rng, n, 7, 14)
    for place in (lines.x, lines.y):
        cell = place / size + uniform(rng, n, 0, 1)
        joint = np.abs(cell - np.floor(cell) - np.float32(0.5)) * size
        lay(picture, 0.15, np.clip(np.float32(0.9) - joint, 0, 1) * uniform(rng, n, 0.0, 0.5))
    oil = np.clip(clouds(rng, n, 7, SIDE) * 6 - 4, 0, 1)
    lay(picture, 0.2, oil * uniform(rng, n, 0.0, 0.5))
    for _ in range(2):
        off = np.abs(lines.x + lines.y * uniform(rng, n, -1, 1) - uniform(rng, n, -24, 24))
        painted = np.clip(uniform(rng, n, 0.4, 1.4) - off, 0, 1) * (rng.random((n, 1, 1, 1)) < 0.5)
        lay(picture, colours(rng, n, _MARKINGS), painted * uniform(rng, n, 0.4, 0.9))


def _taxiway(rng: np.random.Generator, picture: Array) -> None:
    """A paved way across, on some."""
    n = len(picture)
    across = _square(n).turned(uniform(rng, n, -1, 1))
    off = np.abs(across.x - uniform(rng, n, -20, 20)) - uniform(rng, n, 3, 12)
    shown = rng.random((n, 1, 1, 1)) < 0.5
    lay(picture, colours(rng, n, _TARMAC), np.clip(np.float32(0.5) - off, 0, 1) * shown)


def _hedges(rng: np.random.Generator, picture: Array) -> None:
    """Fields of several colours with straight borders."""
    n = len(picture)
    for _ in range(3):
        lines = _square(n).turned(uniform(rng, n, -1, 1))
        beyond = np.clip(lines.x - uniform(rng, n, -20, 20), 0, 1)
        lay(picture, colours(rng, n, _FIELDS), beyond * np.float32(0.75))


def _waves(rng: np.random.Generator, picture: Array) -> None:
    """Crests of waves."""
    n = len(picture)
    crests = np.clip(clouds(rng, n, 24, SIDE) * 5 - uniform(rng, n, 3.2, 4.6), 0, 1)
    lay(picture, 0.85, crests * np.float32(0.3))


def _billows(rng: np.random.Generator, picture: Array) -> None:
    """White clouds far below."""
    n = len(picture)
    lay(picture, 0.95, np.clip(texture(rng, n, SIDE) * 4 - uniform(rng, n, 1.2, 2.4), 0, 1))


def _square(n: int) -> Brush:
    """A brush in pixels from the middle of the picture."""
    return frame(SIDE, (23.5, 23.5), np.ones((n, 1, 1, 1), dtype=np.float32))


_GROUNDS: Final = (
    (0.4, _TARMAC, _slabs),
    (0.18, _GRASS, _taxiway),
    (0.1, _SAND, _taxiway),
    (0.14, _FIELDS, _hedges),
    (0.09, _SEA, _waves),
    (0.09, _CLOUDS, _billows),
)


def _thin_cloud(rng: np.random.Generator, picture: Array) -> Array:
    """A veil of cloud between camera and aircraft."""
    n = len(picture)
    veil = np.clip(clouds(rng, n, 4, SIDE) * 3 - uniform(rng, n, 0.9, 1.8), 0, 1)
    return mix(picture, 0.93, veil * uniform(rng, n, 0.3, 0.7))


_AIR_AND_CAMERA: Final[tuple[tuple[float, Effect], ...]] = (
    (0.04, _thin_cloud),
    (1.0, daylight),
    (0.04, shadow),
    (0.15, mist),
    (0.01, glare),
    (0.1, without_colour),
    (0.2, defocus),
    (0.02, motion),
    (0.3, sensor_noise),
)

AIRCRAFT: Final = DrawnSet("aircraft", tuple(TYPES), CAMERAS, _paint)
