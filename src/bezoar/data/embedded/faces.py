"""Faces at a gate, drawn: ten classes of 48x48 colour pictures of people who do not exist.

**These are drawings, not photographs.** Nine employees and a tenth class of visitors, each of whom is drawn
anew. A person is the shape of the face, eyes, brows, nose, mouth, skin and hair (`face_traits`); a picture is
that person with an expression, a gaze, a turn of the head, clothes, before a wall, in some light. The camera has
brought the eyes to about the same place, as face gates do. A quarter of all people, whoever they are, wear plain
glasses; some wear a cap, a face mask or small metal ear rings. Results on them show that a method works at all;
they say nothing about people.

The splits "train" (6,000) and "test" (2,000) of a seed come from separate random streams, and each picture names
one of five gates as its source, drawn independently of everything else. A good small
network gets about 97% of the test split right in eight epochs. Visitors are the hard class: a quarter of them look
like an employee at first sight.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bezoar.data.embedded.brush import Brush, frame, joined, ring
from bezoar.data.embedded.camera import dappled_shade, daylight, defocus, glare, motion, sensor_noise, shadow
from bezoar.data.embedded.drawing import DrawnSet
from bezoar.data.embedded.face_traits import EMPLOYEES, Traits, traits_of
from bezoar.data.embedded.fields import Array, Effect, axes, clouds, colours, lay, mix, rgb, uniform, with_effects

SIDE: Final = 48
GATES: Final = tuple(f"gate-{number}" for number in range(1, 6))

_WALLS: Final = ((206, 202, 194), (168, 176, 184), (188, 172, 150), (120, 132, 140), (226, 226, 222), (150, 160, 140))
_CLOTHES: Final = (
    (40, 48, 66), (90, 94, 100), (226, 226, 224), (120, 44, 48), (50, 92, 74), (70, 100, 150), (196, 170, 120),
    (32, 32, 36), (150, 120, 150),
)  # fmt: skip
_FRAMES: Final = ((30, 28, 30), (92, 62, 42), (150, 152, 158), (64, 66, 72), (176, 150, 96))
_METALS: Final = ((206, 206, 210), (214, 182, 104))
_MASKS: Final = ((150, 190, 214), (232, 234, 236), (40, 42, 48))
# The rows of pixels between which eyes with brows, and nose with mouth, always lie.
_EYES: Final = slice(8, 30)
_BELOW: Final = slice(16, 44)
_DARK: Final = 0.12

_LIGHT_AND_CAMERA: Final[tuple[tuple[float, Effect], ...]] = (
    (1.0, daylight),
    (0.25, shadow),
    (0.1, dappled_shade),
    (0.06, glare),
    (0.7, defocus),
    (0.15, motion),
    (1.0, sensor_noise),
)


def _paint(labels: NDArray[np.int64], rng: np.random.Generator) -> Array:
    """Pictures of the people, float32 (n, 3, 48, 48)."""
    n = len(labels)
    person = traits_of(labels, rng)
    centre = (uniform(rng, n, 22.2, 24.8), uniform(rng, n, 18.8, 21.2))
    brush = frame(SIDE, centre, uniform(rng, n, 12.6, 14.6)).turned(uniform(rng, n, -0.07, 0.07))
    # A head that turns or nods carries its features with it; what lies behind them stays.
    features = brush.moved(uniform(rng, n, -0.12, 0.12), uniform(rng, n, -0.06, 0.06))
    picture = _room(rng, n)
    _body(rng, picture, brush, person)
    _head(rng, picture, brush, person)
    _eyes(rng, picture[:, :, _EYES], features.strip(_EYES), person)
    _nose_and_mouth(rng, picture[:, :, _BELOW], features.strip(_BELOW), person)
    _front_hair(rng, picture, brush, person)
    for share, wear in _WORN:
        rows = np.flatnonzero(rng.random(n) < share)
        some = picture[rows]
        wear(rng, some, features.rows(rows))
        picture[rows] = some
    return with_effects(rng, picture, _LIGHT_AND_CAMERA)


def _room(rng: np.random.Generator, n: int) -> Array:
    """A wall with a panel, a door frame or a window, out of focus."""
    columns, rows = axes(SIDE)
    wall = colours(rng, n, _WALLS) * (np.float32(0.9) + clouds(rng, n, 5, SIDE) * np.float32(0.2))
    edge = np.clip((columns - uniform(rng, n, -12, 44)) * np.float32(0.8), 0, 1)
    other = colours(rng, n, _WALLS) * uniform(rng, n, 0.6, 1.1)
    wall = mix(wall, other, edge)
    strip = np.clip(uniform(rng, n, 0.5, 2.5) - np.abs(columns - uniform(rng, n, -20, 52)), 0, 1)
    wall = mix(wall, colours(rng, n, _CLOTHES), strip * uniform(rng, n, 0.3, 1.0))
    floor = np.clip((rows - uniform(rng, n, 14, 60)) * np.float32(0.6), 0, 1)
    return mix(wall, colours(rng, n, _WALLS) * np.float32(0.6), floor * uniform(rng, n, 0.2, 0.8))


def _body(rng: np.random.Generator, picture: Array, brush: Brush, person: Traits) -> None:
    """The hair behind the head, neck and clothes."""
    n = len(picture)
    behind = person.volume + person.width
    end = person.hair_end + uniform(rng, n, -0.1, 0.1)
    middle = (end - 1.05) / 2
    long = brush.box((0.0, middle), (behind, np.maximum(end - middle, 0.12)), behind * np.float32(0.75))
    full = brush.ellipse((0.0, -0.25), (behind, person.volume + np.float32(0.92)))
    knot = brush.ellipse((0.0, np.float32(-1.2) - person.bun * np.float32(0.5)), (person.bun + 1e-3, person.bun + 1e-3))
    shown = joined(long * (end > 0), full * (person.hairline > -0.95), knot * (person.bun > 0))
    lay(picture, person.hair * np.float32(0.8), shown)
    neck = brush.box((0.0, 1.3), (person.width * np.float32(0.48), 0.6), 0.1)
    lay(picture, person.skin * np.float32(0.8), neck)
    cloth = colours(rng, n, _CLOTHES)
    shoulders = brush.ellipse((0.0, 2.7), (uniform(rng, n, 1.7, 2.1), uniform(rng, n, 1.0, 1.2)))
    opening = brush.mirrored.polygon([(-0.2, 1.2), (0.42, 1.2), (0.0, uniform(rng, n, 1.6, 2.3)), (-0.2, 2.0)])
    lay(picture, cloth, shoulders * (1 - opening))
    second = colours(rng, n, _CLOTHES)
    lapel = brush.mirrored.line((0.45, 1.5), (0.1, 2.6), 0.3) * shoulders * (rng.random((n, 1, 1, 1)) < 0.4)
    lay(picture, second, lapel)


def _face_shape(brush: Brush, person: Traits, grown: float = 0.0) -> Array:
    """The outline of the face, narrower below the eyes."""
    down = np.maximum(brush.y, 0)
    narrowed = Brush(brush.x * (1 + person.narrowing * down * down), brush.y, brush.scale)
    top = np.float32(-1.08 - grown)
    return narrowed.ellipse((0.0, (person.chin + top) / 2), (person.width + grown, (person.chin - top) / 2))


def _head(rng: np.random.Generator, picture: Array, brush: Brush, person: Traits) -> None:
    """Ears and face, lit from one side, with beard and cheeks."""
    n = len(picture)
    lit = 1 + brush.x * uniform(rng, n, -0.16, 0.16) - np.maximum(np.abs(brush.x) - 0.5, 0) * np.float32(0.25)
    skin = person.skin * lit
    ears = brush.mirrored.ellipse((person.width, 0.12), (0.13, 0.24))
    lay(picture, skin * np.float32(0.88), ears)
    face = _face_shape(brush, person)
    lay(picture, skin, face)
    rosy = brush.mirrored.ellipse((0.5, 0.5), (0.3, 0.22)) * uniform(rng, n, 0.0, 0.3)
    lay(picture, skin * rgb(1.06, 0.86, 0.84), rosy)
    cheeks = brush.ellipse((0.0, 0.1), (person.width * np.float32(0.8), 0.62))
    lay(picture, person.hair * lit, ring(face, cheeks) * np.clip(brush.y * 5 - 0.5, 0, 1) * person.beard)


def _eyes(rng: np.random.Generator, picture: Array, brush: Brush, person: Traits) -> None:
    """Eyes that look somewhere, more or less open, and brows that go with the mood."""
    n = len(picture)
    both, apart, wide = brush.mirrored, person.eye_distance, person.eye_width
    openness = wide * np.where(rng.random((n, 1, 1, 1)) < 0.06, np.float32(0.12), uniform(rng, n, 0.5, 0.75))
    lay(picture, person.skin * np.float32(0.8), both.ellipse((apart, 0.0), (wide * 1.5, wide * 1.1)) * 0.5)
    white = both.ellipse((apart, 0.0), (wide, openness))
    lay(picture, 0.94, white)
    gaze = uniform(rng, n, -0.06, 0.06)
    size = wide * np.float32(0.62)
    left, right = (brush.ellipse((side * apart + gaze, 0.0), (size, size)) for side in (-1, 1))
    iris = joined(left, right) * white
    lay(picture, person.eyes * np.float32(0.75), iris)
    lid = both.line((apart - wide, -openness * 0.5), (apart + wide, -openness * 0.7), 0.06)
    lay(picture, person.skin * np.float32(0.3), lid)
    mood, height = uniform(rng, n, -0.1, 0.02), uniform(rng, n, 0.24, 0.31)
    inner = (apart - wide * np.float32(1.25), -height + person.brow_tilt * np.float32(0.5) + mood)
    outer = (apart + wide * np.float32(1.3), -height - person.brow_tilt * np.float32(0.5))
    brows = both.line(inner, outer, person.brow_width, person.brow_width * np.float32(0.6))
    lay(picture, person.hair * np.float32(0.7), brows)


def _nose_and_mouth(rng: np.random.Generator, picture: Array, brush: Brush, person: Traits) -> None:
    """Nose, moustache, and a mouth that smiles or not, sometimes open."""
    n = len(picture)
    tip = person.nose_length
    side = np.where(rng.random((n, 1, 1, 1)) < 0.5, np.float32(-1), np.float32(1))
    bridge = brush.line((side * 0.06, 0.05), (side * person.nose_width * np.float32(0.6), tip), 0.07)
    lay(picture, person.skin * np.float32(0.78), bridge)
    lay(picture, person.skin * np.float32(1.06), brush.line((0.0, 0.1), (0.0, tip - 0.08), 0.1) * 0.5)
    under = brush.box((0.0, tip), (person.nose_width, 0.05), 0.05)
    lay(picture, person.skin * np.float32(0.62), under)
    smile, wide = uniform(rng, n, -0.3, 1.7), person.mouth_width * uniform(rng, n, 0.92, 1.12)
    bent = Brush(brush.x, brush.y + (brush.x * brush.x - np.float32(0.06)) * smile, brush.scale)
    mouth = (tip + person.chin) / 2 - np.float32(0.04)
    lay(picture, person.hair, bent.box((0.0, tip + 0.15), (wide * 1.1, 0.09), 0.06) * person.moustache)
    redness = rgb(0.86, 0.52, 0.5)
    lay(picture, person.skin * redness, bent.ellipse((0.0, mouth), (wide, person.lips + np.float32(0.045))))
    gap = np.where(rng.random((n, 1, 1, 1)) < 0.3, uniform(rng, n, 0.03, 0.1), np.float32(0.016))
    inside = mix(np.full_like(person.skin, 0.2), 0.92, (gap > 0.045) * np.float32(0.8))
    lay(picture, inside, bent.ellipse((0.0, mouth), (wide * np.float32(0.85), gap)))


def _front_hair(rng: np.random.Generator, picture: Array, brush: Brush, person: Traits) -> None:
    """The hair before the forehead and at the temples."""
    n = len(picture)
    scalp = _face_shape(brush, person, 0.08)
    line = person.hairline + brush.x * person.parting + brush.x * brush.x * np.float32(0.35)
    line = line + (clouds(rng, n, 12, SIDE) - np.float32(0.5)) * np.float32(0.2)
    above = np.clip((line - brush.y) * brush.scale + np.float32(0.5), 0, 1)
    temples = np.clip((np.abs(brush.x) - person.width * np.float32(0.86)) * brush.scale, 0, 1)
    temples = temples * (brush.y < person.hair_end) * (person.hair_end > -0.25)
    strands = np.float32(0.85) + clouds(rng, n, 16, SIDE) * np.float32(0.4)
    lay(picture, person.hair * strands, scalp * joined(above, temples))


def _glasses(rng: np.random.Generator, picture: Array, brush: Brush) -> None:
    """Plain glasses in dark or metal frames, their lenses clear or a little tinted."""
    n = len(picture)
    both, apart = brush.mirrored, uniform(rng, n, 0.38, 0.44)
    half, corner = (uniform(rng, n, 0.26, 0.32), uniform(rng, n, 0.19, 0.27)), uniform(rng, n, 0.06, 0.18)
    width = uniform(rng, n, 0.07, 0.12)
    lens = both.box((apart, 0.02), (half[0] - width, half[1] - width), np.maximum(corner - width, 0.02))
    rim = ring(both.box((apart, 0.02), half, corner), lens)
    arms = both.line((apart + half[0], -0.05), (1.0, -0.05), width)
    bridge = both.line((0.0, -0.04), (apart - half[0], -0.04), width)
    tint = np.where(rng.random((n, 1, 1, 1)) < 0.15, np.float32(0.75), uniform(rng, n, 0.0, 0.15))
    lay(picture, _DARK, lens * tint)
    lay(picture, colours(rng, n, _FRAMES), joined(rim, arms, bridge))


def _cap(rng: np.random.Generator, picture: Array, brush: Brush) -> None:
    """A cap with a peak, or a knitted one."""
    n = len(picture)
    edge = uniform(rng, n, -0.7, -0.55)
    crown = brush.ellipse((0.0, edge), (1.06, uniform(rng, n, 0.6, 0.8))) * np.clip((edge - brush.y) * 12 + 0.5, 0, 1)
    peak = brush.box((0.0, edge), (uniform(rng, n, 0.8, 1.1), uniform(rng, n, 0.07, 0.15)), 0.06)
    colour = colours(rng, n, _CLOTHES)
    lay(picture, colour, crown)
    lay(picture, colour * np.float32(0.75), peak)


def _mask(rng: np.random.Generator, picture: Array, brush: Brush) -> None:
    """A face mask over nose and mouth."""
    n = len(picture)
    top = uniform(rng, n, 0.3, 0.4)
    mask = brush.mirrored.polygon([(-0.5, top - 0.08), (0.0, top - 0.08), (0.72, top + 0.02), (0.5, 1.12), (-0.5, 1.2)])
    straps = brush.mirrored.line((0.6, top + 0.1), (0.98, 0.0), 0.06)
    lay(picture, colours(rng, n, _MASKS), joined(mask, straps))


def _ear_rings(rng: np.random.Generator, picture: Array, brush: Brush) -> None:
    """Small metal ear rings."""
    n = len(picture)
    rings = brush.mirrored.ellipse((0.95, 0.45), (0.08, uniform(rng, n, 0.08, 0.14)))
    lay(picture, colours(rng, n, _METALS), rings)


_WORN: Final = ((0.12, _ear_rings), (0.08, _mask), (0.25, _glasses), (0.1, _cap))

FACES: Final = DrawnSet(
    "faces", (*(f"employee {number}" for number in range(1, EMPLOYEES + 1)), "visitor"), GATES, _paint
)
