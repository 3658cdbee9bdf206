"""The outlines of ten types of aircraft seen from above, drawn as soft shapes.

An aircraft points up (towards negative y) and is about two units long or wide. No outline is that of a
particular make.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from bezoar.data.embedded.brush import Brush, joined
from bezoar.data.embedded.fields import Array


class Outline(NamedTuple):
    """Masks (n, 1, side, side): the hull, wings with tail, dark parts (glass, intakes), and what whirls."""

    hull: Array
    wings: Array
    dark: Array
    whirling: Array | None = None


Draw = Callable[[Brush, Array], Outline]


def _airliner(brush: Brush, _: Array) -> Outline:
    both = brush.mirrored
    hull = joined(brush.line((0.0, -0.84), (0.0, 0.45), 0.24), brush.line((0.0, 0.4), (0.0, 0.96), 0.24, 0.06))
    wing = joined(
        both.polygon([(0.0, -0.34), (0.98, 0.3), (0.98, 0.4), (0.0, 0.08)]),
        both.polygon([(0.0, -0.3), (0.36, -0.1), (0.3, 0.18), (0.0, 0.18)]),
    )
    tail = both.polygon([(0.0, 0.66), (0.4, 0.88), (0.4, 0.98), (0.0, 0.9)])
    engine = both.box((0.4, -0.06), (0.065, 0.13), 0.04)
    glass = brush.line((-0.05, -0.87), (0.05, -0.87), 0.06)
    return Outline(hull, joined(wing, tail, engine), joined(glass, both.line((0.4, -0.17), (0.4, -0.16), 0.08)))


def _business_jet(brush: Brush, _: Array) -> Outline:
    both = brush.mirrored
    hull = joined(
        brush.line((0.0, -0.8), (0.0, -0.5), 0.08, 0.2),
        brush.line((0.0, -0.5), (0.0, 0.4), 0.2),
        brush.line((0.0, 0.4), (0.0, 0.9), 0.2, 0.06),
    )
    wing = both.polygon([(0.0, -0.02), (0.74, 0.26), (0.76, 0.38), (0.0, 0.32)])
    tail = both.polygon([(0.0, 0.74), (0.34, 0.84), (0.34, 0.94), (0.0, 0.9)])
    engine = both.box((0.2, 0.47), (0.07, 0.15), 0.05)
    glass = brush.line((-0.04, -0.66), (0.04, -0.66), 0.07)
    return Outline(hull, joined(wing, tail, engine), joined(glass, both.line((0.2, 0.34), (0.2, 0.35), 0.08)))


def _transport(brush: Brush, _: Array) -> Outline:
    both = brush.mirrored
    hull = joined(brush.line((0.0, -0.72), (0.0, 0.35), 0.3), brush.line((0.0, 0.35), (0.0, 0.9), 0.3, 0.08))
    wing = both.polygon([(0.0, -0.3), (0.98, -0.18), (0.98, -0.06), (0.0, 0.04)])
    tail = both.polygon([(0.0, 0.7), (0.42, 0.76), (0.42, 0.92), (0.0, 0.94)])
    engines = joined(*(both.box((x, -0.3), (0.05, 0.14), 0.04) for x in (0.36, 0.68)))
    glass = brush.line((-0.07, -0.78), (0.07, -0.78), 0.07)
    whirling = joined(*(both.box((x, -0.44), (0.14, 0.025), 0.02) for x in (0.36, 0.68)))
    return Outline(hull, joined(wing, tail, engines), glass, whirling)


def _bomber(brush: Brush, _: Array) -> Outline:
    both = brush.mirrored
    wing = both.polygon([(0.0, -0.46), (1.0, 0.28), (0.94, 0.42), (0.0, 0.12)])
    hull = joined(
        both.polygon([(0.0, -0.48), (0.34, -0.1), (0.3, 0.26), (0.0, 0.44)]), brush.ellipse((0.0, -0.1), (0.14, 0.36))
    )
    dark = joined(brush.line((-0.05, -0.3), (0.05, -0.3), 0.07), both.line((0.2, -0.08), (0.22, 0.0), 0.08))
    return Outline(hull, wing, dark)


def _fighter(brush: Brush, _: Array) -> Outline:
    both = brush.mirrored
    hull = joined(brush.line((0.0, -0.98), (0.0, -0.1), 0.03, 0.26), both.box((0.09, 0.3), (0.1, 0.5), 0.05))
    wing = both.polygon([(0.0, -0.3), (0.14, -0.2), (0.62, 0.36), (0.62, 0.5), (0.0, 0.46)])
    tail = both.polygon([(0.0, 0.56), (0.16, 0.58), (0.42, 0.84), (0.42, 0.96), (0.0, 0.84)])
    glass = brush.ellipse((0.0, -0.52), (0.06, 0.17))
    return Outline(hull, joined(wing, tail), joined(glass, both.line((0.09, 0.82), (0.09, 0.84), 0.12)))


def _delta_fighter(brush: Brush, _: Array) -> Outline:
    both = brush.mirrored
    hull = joined(brush.line((0.0, -0.98), (0.0, -0.2), 0.03, 0.24), brush.line((0.0, -0.2), (0.0, 0.8), 0.24, 0.2))
    wing = both.polygon([(0.0, -0.42), (0.64, 0.58), (0.62, 0.7), (0.0, 0.7)])
    small = both.polygon([(0.0, -0.56), (0.26, -0.4), (0.26, -0.34), (0.0, -0.36)])
    glass = brush.ellipse((0.0, -0.6), (0.055, 0.15))
    return Outline(hull, joined(wing, small), joined(glass, brush.line((0.0, 0.85), (0.0, 0.87), 0.14)))


def _light_aircraft(brush: Brush, _: Array) -> Outline:
    both = brush.mirrored
    hull = joined(brush.line((0.0, -0.52), (0.0, -0.05), 0.2), brush.line((0.0, -0.05), (0.0, 0.74), 0.2, 0.06))
    wing = both.box((0.0, -0.22), (0.92, 0.15), 0.06)
    tail = both.box((0.0, 0.7), (0.32, 0.09), 0.05)
    glass = joined(brush.box((0.0, -0.42), (0.08, 0.05), 0.02), brush.box((0.0, 0.0), (0.06, 0.05), 0.02))
    return Outline(hull, joined(wing, tail), glass, brush.box((0.0, -0.66), (0.2, 0.025), 0.02))


def _glider(brush: Brush, _: Array) -> Outline:
    both = brush.mirrored
    hull = joined(brush.ellipse((0.0, -0.26), (0.085, 0.32)), brush.line((0.0, -0.1), (0.0, 0.68), 0.1, 0.04))
    wing = both.polygon([(0.0, -0.24), (1.1, -0.14), (1.1, -0.08), (0.0, -0.06)])
    tail = both.polygon([(0.0, 0.6), (0.26, 0.62), (0.26, 0.7), (0.0, 0.72)])
    return Outline(hull, joined(wing, tail), brush.ellipse((0.0, -0.38), (0.055, 0.13)))


def _helicopter(brush: Brush, spin: Array) -> Outline:
    hull = joined(brush.ellipse((0.0, -0.2), (0.21, 0.44)), brush.line((0.0, 0.1), (0.0, 0.92), 0.14, 0.06))
    fins = joined(brush.box((0.0, 0.74), (0.18, 0.05), 0.02), brush.line((0.08, 0.82), (0.08, 1.0), 0.05))
    rotor = brush.moved(0.0, -0.15).turned(spin)
    blades = joined(rotor.box((0.0, 0.0), (0.86, 0.035), 0.02), rotor.box((0.0, 0.0), (0.035, 0.86), 0.02))
    disc = brush.ellipse((0.0, -0.15), (0.88, 0.88)) * np.float32(0.18)
    return Outline(hull, joined(fins, blades * np.float32(0.8)), brush.ellipse((0.0, -0.48), (0.13, 0.13)), disc)


def _drone(brush: Brush, spin: Array) -> Outline:
    both = brush.mirrored
    hull = brush.box((0.0, 0.0), (0.2, 0.28), 0.1)
    arms = joined(*(both.line((0.0, 0.0), (0.6, y), 0.09) for y in (-0.58, 0.58)))
    motors = joined(*(both.ellipse((0.6, y), (0.1, 0.1)) for y in (-0.58, 0.58)))
    discs = joined(*(both.ellipse((0.6, y), (0.32, 0.32)) for y in (-0.58, 0.58))) * np.float32(0.22)
    blades = joined(
        *(
            brush.moved(x, y).turned(spin).box((0.0, 0.0), (0.31, 0.03), 0.02)
            for x in (-0.6, 0.6)
            for y in (-0.58, 0.58)
        )
    )
    return Outline(hull, joined(arms, motors), brush.ellipse((0.0, -0.2), (0.08, 0.07)), joined(discs, blades * 0.6))


TYPES: Final[dict[str, Draw]] = {
    "airliner": _airliner,
    "business jet": _business_jet,
    "transport": _transport,
    "bomber": _bomber,
    "fighter": _fighter,
    "delta fighter": _delta_fighter,
    "light aircraft": _light_aircraft,
    "glider": _glider,
    "helicopter": _helicopter,
    "drone": _drone,
}
