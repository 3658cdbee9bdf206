"""Who stands at the gate: what makes a drawn person look like that person, and nobody else.

Lengths are in units of about a fifth of the picture's height; the origin lies between the eyes. The people are
made up: no photograph was used, and a trait says nothing about a role, since the classes have none.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bezoar.data.embedded.fields import Array, uniform

SKINS: Final = (
    (248, 216, 194),
    (238, 196, 164),
    (222, 174, 136),
    (196, 144, 106),
    (166, 116, 82),
    (132, 88, 62),
    (102, 68, 50),
)
HAIRS: Final = (
    (30, 26, 26),
    (62, 44, 34),
    (104, 70, 46),
    (150, 76, 42),
    (212, 174, 110),
    (164, 164, 168),
)
EYES: Final = ((70, 46, 32), (92, 66, 40), (84, 110, 78), (90, 128, 164), (110, 114, 118))


@dataclass(frozen=True, eq=False)
class Traits:
    """The looks of n people: colours (n, 3, 1, 1), everything else (n, 1, 1, 1).

    `hairline` is where the hair ends on the forehead (y, more negative is higher), `hair_end` how far down it
    hangs beside the face, `volume` how far it stands out, `parting` how much lower it hangs at one side, `bun`
    the size of a knot on top. `narrowing` is how pointed the face is, `beard` and `moustache` how dense.
    """

    skin: Array
    hair: Array
    eyes: Array
    width: Array
    narrowing: Array
    chin: Array
    eye_distance: Array
    eye_width: Array
    brow_width: Array
    brow_tilt: Array
    nose_length: Array
    nose_width: Array
    mouth_width: Array
    lips: Array
    hairline: Array
    hair_end: Array
    volume: Array
    parting: Array
    bun: Array
    beard: Array
    moustache: Array


# The fields of Traits in their order, colours as numbers of the palettes above.
_EMPLOYEES: Final = (
    (0, 1, 3, 0.86, 0.10, 1.30, 0.37, 0.150, 0.09, 0.04, 0.42, 0.14, 0.30, 0.060, -0.62, 1.25, 0.20, 0.30, 0.0, 0, 0),
    (0, 2, 1, 0.98, 0.02, 1.18, 0.45, 0.140, 0.13, -0.05, 0.50, 0.19, 0.38, 0.050, -0.58, -0.2, 0.10, -0.2, 0.0, 0, 0),
    (5, 0, 0, 0.90, 0.06, 1.26, 0.42, 0.160, 0.10, 0.05, 0.44, 0.20, 0.36, 0.090, -0.66, 0.10, 0.34, 0.0, 0.0, 0, 0),
    (5, 0, 0, 0.94, 0.03, 1.24, 0.37, 0.140, 0.14, -0.02, 0.50, 0.24, 0.36, 0.075, -0.72, -0.4, 0.03, 0.0, 0.0, 0.8, 1),
    (2, 0, 0, 0.84, 0.14, 1.24, 0.40, 0.160, 0.08, 0.07, 0.36, 0.14, 0.28, 0.070, -0.40, 0.75, 0.16, 0.0, 0.0, 0, 0),
    (2, 5, 2, 0.96, 0.05, 1.30, 0.40, 0.130, 0.12, 0.00, 0.54, 0.20, 0.34, 0.045, -1.00, 0.00, 0.08, 0.0, 0.0, 0, 0.8),
    (3, 0, 1, 0.90, 0.09, 1.22, 0.44, 0.155, 0.11, 0.02, 0.46, 0.17, 0.33, 0.065, -0.68, -0.3, 0.08, 0.1, 0.30, 0, 0),
    (3, 1, 0, 0.93, 0.05, 1.32, 0.38, 0.140, 0.15, -0.05, 0.52, 0.18, 0.35, 0.055, -0.6, -0.3, 0.12, 0.25, 0, 0.7, 0.9),
    (1, 3, 2, 0.92, 0.09, 1.20, 0.41, 0.155, 0.08, 0.04, 0.38, 0.16, 0.34, 0.070, -0.56, 0.95, 0.26, -0.3, 0.0, 0, 0),
)  # fmt: skip
EMPLOYEES: Final = len(_EMPLOYEES)

# The range of each trait among visitors, in the order of Traits after the colours.
_RANGES: Final = (
    (0.82, 1.0), (0.0, 0.15), (1.16, 1.34), (0.36, 0.46), (0.125, 0.165), (0.07, 0.15), (-0.06, 0.08), (0.34, 0.56),
    (0.12, 0.25), (0.27, 0.4), (0.04, 0.09), (-0.8, -0.4), (-0.4, 1.3), (0.02, 0.34), (-0.3, 0.3), (0.0, 0.0),
    (0.0, 0.0), (0.0, 0.0),
)  # fmt: skip
_ALIKE: Final = 0.25
_AT_FIRST_SIGHT: Final = (0, 1, 14, 15, 16, 17, 18, 19, 20)
_PALETTES: Final = (SKINS, HAIRS, EYES)


def traits_of(labels: NDArray[np.int64], rng: np.random.Generator) -> Traits:
    """The employee that each label names; a label beyond the employees is a visitor, another one every time."""
    values = _visitors(rng, len(labels))
    known = np.flatnonzero(labels < EMPLOYEES)
    values[known] = np.asarray(_EMPLOYEES, dtype=np.float32)[labels[known]]
    columns = [values[:, number, None, None, None] for number in range(values.shape[1])]
    for number, palette in enumerate(_PALETTES):
        chosen = np.asarray(palette, dtype=np.float32)[values[:, number].astype(np.int64)]
        columns[number] = (chosen * np.float32(1 / 255))[:, :, None, None]
    return Traits(**{field.name: column for field, column in zip(fields(Traits), columns, strict=True)})


def _visitors(rng: np.random.Generator, n: int) -> Array:
    """Rows of random traits, in the form of the table of employees."""
    palettes = [rng.integers(0, len(palette), n).astype(np.float32) for palette in _PALETTES]
    ranges = [uniform(rng, n, low, high).reshape(n) for low, high in _RANGES]
    rows = np.stack([*palettes, *ranges], axis=1)
    for trait, share, low, high in ((-3, 0.15, 0.2, 0.34), (-2, 0.2, 0.4, 0.9), (-1, 0.2, 0.5, 1.0)):
        present = rng.random(n) < share
        rows[:, trait] = np.where(present, uniform(rng, n, low, high).reshape(n), rows[:, trait])
    # Some look like an employee at first sight: skin, hair and how it is worn.
    alike = np.flatnonzero(rng.random(n) < _ALIKE)
    double = np.asarray(_EMPLOYEES, dtype=np.float32)[rng.integers(0, EMPLOYEES, len(alike))]
    rows[alike[:, None], _AT_FIRST_SIGHT] = double[:, _AT_FIRST_SIGHT]
    return rows
