"""Scans of documents, drawn: ten classes of 48x48 colour pictures of documents that belong to nobody.

**These are drawings, not scans of anything.** A made-up layout (`document_types`) on a scanner's bed or a table,
askew, some upside down, in one of many papers and inks, with what a life in an office leaves: stamps, handwriting,
stains, folds, holes, staples. Passports, visas and cards bear the strokes of the word SPECIMEN. A quarter is
grey, some are nearly black and white. Results on them show that a method works at all; they say nothing about
real documents.

The splits "train" (6,000) and "test" (2,000) of a seed come from separate random streams, and each picture names
one of five scanners as its source, drawn independently of everything else. A good small
network gets about 98% of the test split right in eight epochs.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bezoar.data.embedded.brush import Brush, frame, joined, ring
from bezoar.data.embedded.camera import daylight, defocus, sensor_noise, shadow, without_colour
from bezoar.data.embedded.document_types import TYPES, Page
from bezoar.data.embedded.drawing import DrawnSet
from bezoar.data.embedded.fields import (
    Array,
    Effect,
    axes,
    brightness,
    clouds,
    colours,
    lay,
    mix,
    texture,
    uniform,
    with_effects,
)

SIDE: Final = 48
SCANNERS: Final = tuple(f"scanner-{number}" for number in range(1, 6))

_BEDS: Final = ((24, 24, 26), (60, 60, 64), (226, 226, 224), (196, 198, 200), (150, 112, 78), (110, 84, 62))
_PAPERS: Final = ((250, 250, 248), (242, 236, 222), (228, 236, 242), (238, 226, 228), (226, 238, 228), (236, 232, 206))
_INKS: Final = ((26, 26, 30), (40, 44, 60), (60, 60, 62), (34, 40, 90))
_ACCENTS: Final = ((150, 44, 52), (40, 80, 150), (52, 120, 84), (120, 84, 150), (190, 130, 50), (60, 70, 84))
_STAMPS: Final = ((170, 40, 60), (40, 60, 150), (90, 50, 130), (40, 110, 80), (50, 50, 60))
_STAINS: Final = ((150, 110, 66), (190, 170, 120), (120, 120, 110))


def _paint(labels: NDArray[np.int64], rng: np.random.Generator) -> Array:
    """Pictures of the documents, float32 (n, 3, 48, 48)."""
    n = len(labels)
    bed = mix(colours(rng, n, _BEDS), colours(rng, n, _BEDS), uniform(rng, n, 0.0, 0.25))
    picture = bed * (np.float32(0.9) + texture(rng, n, SIDE) * np.float32(0.2))
    centre = (uniform(rng, n, 20, 27), uniform(rng, n, 20, 27))
    brush = frame(SIDE, centre, uniform(rng, n, 16, 23.5)).turned(uniform(rng, n, -0.2, 0.2))
    about = np.where(rng.random((n, 1, 1, 1)) < 0.15, np.float32(-1), np.float32(1))
    brush = Brush(brush.x * about, brush.y * about, brush.scale)
    paper, ink, accent = (colours(rng, n, palette) for palette in (_PAPERS, _INKS, _ACCENTS))
    for label, layout in enumerate(TYPES.values()):
        rows = np.flatnonzero(labels == label)
        if len(rows) == 0:
            continue
        some = picture[rows]
        layout(Page(rng, some, brush.rows(rows), paper[rows], ink[rows], accent[rows]))
        picture[rows] = some
    for share, happen in _HAPPENINGS:
        rows = np.flatnonzero(rng.random(n) < share)
        some = picture[rows]
        happen(rng, some, brush.rows(rows))
        picture[rows] = some
    return with_effects(rng, picture, _LIGHT_AND_SCANNER)


def _round_stamp(rng: np.random.Generator, picture: Array, brush: Brush) -> None:
    """A round rubber stamp, unevenly inked, partly missing."""
    n = len(picture)
    there = brush.moved(uniform(rng, n, -0.6, 0.6), uniform(rng, n, -0.6, 0.6)).turned(uniform(rng, n, -0.4, 0.4))
    size = uniform(rng, n, 0.16, 0.28)
    rim = ring(there.ellipse((0.0, 0.0), (size, size)), there.ellipse((0.0, 0.0), (size * 0.74, size * 0.74)))
    word = there.box((0.0, 0.0), (size * 0.6, size * np.float32(0.16)))
    ink = np.clip(clouds(rng, n, 10, SIDE) * 3 - uniform(rng, n, 0.0, 1.0), 0, 1)
    lay(picture, colours(rng, n, _STAMPS), joined(rim, word) * ink * uniform(rng, n, 0.5, 0.9))


def _square_stamp(rng: np.random.Generator, picture: Array, brush: Brush) -> None:
    """A rectangular stamp with a word in it."""
    n = len(picture)
    there = brush.moved(uniform(rng, n, -0.6, 0.6), uniform(rng, n, -0.6, 0.6)).turned(uniform(rng, n, -0.2, 0.2))
    half = (uniform(rng, n, 0.2, 0.36), uniform(rng, n, 0.09, 0.16))
    rim = ring(there.box((0.0, 0.0), half), there.box((0.0, 0.0), (half[0] - 0.04, half[1] - 0.04)))
    word = there.box((0.0, 0.0), (half[0] * np.float32(0.65), 0.035))
    lay(picture, colours(rng, n, _STAMPS), joined(rim, word) * uniform(rng, n, 0.4, 0.85))


def _other_sheet(rng: np.random.Generator, picture: Array, brush: Brush) -> None:
    """Another sheet of paper, with writing on it, that lies over a part of this one."""
    n = len(picture)
    across = rng.random((n, 1, 1, 1)) < 0.5
    side = np.where(rng.random((n, 1, 1, 1)) < 0.5, np.float32(1), np.float32(-1))
    turned = brush.turned(uniform(rng, n, -0.2, 0.2))
    over = np.where(across, turned.x, turned.y) * side - uniform(rng, n, 0.15, 0.6)
    along = np.where(across, turned.y, turned.x)
    lay(picture, 0.0, np.clip((over + np.float32(0.05)) * brush.scale, 0, 1) * np.float32(0.3))
    covered = np.clip(over * brush.scale, 0, 1)
    lay(picture, colours(rng, n, _PAPERS), covered)
    rows = along * uniform(rng, n, 7, 11) + uniform(rng, n, 0, 1)
    words = (rows - np.floor(rows) < 0.45) & (over > 0.1) & (np.abs(along) < uniform(rng, n, 0.4, 0.9))
    lay(picture, colours(rng, n, _INKS), covered * words * uniform(rng, n, 0.1, 0.5))


def _pen(rng: np.random.Generator, picture: Array, brush: Brush) -> None:
    """A note or a stroke of a pen or a marker."""
    n = len(picture)
    x, y = uniform(rng, n, -0.6, 0.4), uniform(rng, n, -0.7, 0.7)
    stroke = joined(
        *(
            brush.line((x + step * 0.1, y), (x + step * 0.1 + 0.08, y + uniform(rng, n, -0.1, 0.1)), 0.03)
            for step in range(4)
        )
    )
    lay(picture, colours(rng, n, _INKS[2:] + _STAMPS), stroke * np.float32(0.8))
    marker = brush.box((uniform(rng, n, -0.4, 0.4), uniform(rng, n, -0.6, 0.6)), (uniform(rng, n, 0.1, 0.3), 0.05))
    bright = colours(rng, n, ((250, 240, 90), (160, 240, 150)))
    lay(picture, picture * bright, marker * (rng.random((n, 1, 1, 1)) < 0.4))


def _stain(rng: np.random.Generator, picture: Array, brush: Brush) -> None:
    """A spot, or the ring of a cup."""
    n = len(picture)
    centre = (uniform(rng, n, -0.9, 0.9), uniform(rng, n, -0.9, 0.9))
    size = uniform(rng, n, 0.15, 0.45)
    spot = brush.ellipse(centre, (size, size * uniform(rng, n, 0.8, 1.2)))
    hollow = brush.ellipse(centre, (size * 0.82, size * 0.82)) * (rng.random((n, 1, 1, 1)) < 0.6)
    lay(picture, picture * colours(rng, n, _STAINS), ring(spot, hollow) * uniform(rng, n, 0.2, 0.7))


def _fold(rng: np.random.Generator, picture: Array, brush: Brush) -> None:
    """A crease: dark on one side, light on the other."""
    n = len(picture)
    lengthwise = rng.random((n, 1, 1, 1)) < 0.5
    off = np.where(lengthwise, brush.x, brush.y) - uniform(rng, n, -0.4, 0.4)
    near = np.clip(1 - np.abs(off) * 9, 0, 1) * uniform(rng, n, 0.1, 0.35)
    lay(picture, 0.1, near * (off > 0))
    lay(picture, 0.98, near * (off <= 0))


def _holes(rng: np.random.Generator, picture: Array, brush: Brush) -> None:
    """Two holes of a punch, or a staple."""
    n = len(picture)
    x, apart = uniform(rng, n, -0.85, -0.6), uniform(rng, n, 0.15, 0.3)
    holes = joined(*(brush.ellipse((x, side * apart), (0.05, 0.05)) for side in (-1, 1)))
    punched = rng.random((n, 1, 1, 1)) < 0.5
    lay(picture, colours(rng, n, _BEDS), holes * punched)
    corner = (uniform(rng, n, -0.7, -0.5), uniform(rng, n, -0.85, -0.5))
    staple = brush.line(corner, (corner[0] + 0.12, corner[1] + uniform(rng, n, -0.06, 0.06)), 0.04)
    lay(picture, colours(rng, n, ((160, 162, 168), (90, 92, 96))), staple * ~punched)


_HAPPENINGS: Final = (
    (0.2, _other_sheet),
    (0.25, _round_stamp),
    (0.15, _square_stamp),
    (0.2, _pen),
    (0.2, _stain),
    (0.25, _fold),
    (0.15, _holes),
)


def _copied(rng: np.random.Generator, picture: Array) -> Array:
    """A copy of a copy: hard contrast, specks."""
    n = len(picture)
    hard = np.clip(
        (brightness(picture) - uniform(rng, n, 0.4, 0.6)) * uniform(rng, n, 2.0, 4.0) + np.float32(0.5), 0.04, 0.96
    )
    specks = rng.random((n, 1, SIDE, SIDE)) < 0.01
    return np.repeat(np.where(specks, 1 - hard, hard), 3, axis=1)


def _streaks(rng: np.random.Generator, picture: Array) -> Array:
    """Streaks that dust on the scanner's glass leaves."""
    n = len(picture)
    columns, _ = axes(SIDE)
    for _ in range(2):
        streak = np.clip(uniform(rng, n, 0.3, 0.8) - np.abs(columns - uniform(rng, n, 0, 32)), 0, 1)
        picture = mix(picture, uniform(rng, n, 0.0, 1.0), streak * uniform(rng, n, 0.1, 0.5))
    return picture


_LIGHT_AND_SCANNER: Final[tuple[tuple[float, Effect], ...]] = (
    (0.5, daylight),
    (0.15, shadow),
    (0.25, without_colour),
    (0.06, _copied),
    (0.12, _streaks),
    (0.7, defocus),
    (1.0, sensor_noise),
)

DOCUMENTS: Final = DrawnSet("documents", tuple(TYPES), SCANNERS, _paint)
