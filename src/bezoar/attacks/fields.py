"""Checks of an attack's own fields, and seeds for its parts."""

from __future__ import annotations

import math

import numpy as np

from bezoar.errors import AttackError, UsageError

TOLERANCE = 1e-6
"""In levels: lets 16/255 be 16 levels in spite of rounding."""


def require_whole(name: str, value: object, lowest: int) -> None:
    """Raise AttackError unless a field is a whole number of at least `lowest`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
        raise AttackError(f"{name} is out of range", expected=f"a whole number, at least {lowest}", found=repr(value))


def require_number(name: str, value: object) -> None:
    """Raise AttackError unless a field is a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AttackError(f"{name} is no number", expected="a number", found=repr(value))


def require_inside(name: str, value: float, *, above: float = 0, below: float = math.inf) -> None:
    """Raise AttackError unless a field lies above and below these bounds, neither of which it may be."""
    require_number(name, value)
    if not above < value < below:
        bounds = f"above {above:g}" + (f" and below {below:g}" if math.isfinite(below) else "")
        raise AttackError(f"{name} is out of range", expected=f"a finite number {bounds}", found=str(value))


def require_ratio(name: str, value: float) -> None:
    """Raise AttackError unless a number of other samples for each poison is 0 or more, and finite."""
    require_number(name, value)
    if not 0 <= value < math.inf:
        raise AttackError(
            f"{name} is out of range", expected="so many samples for each poison, 0 or more", found=str(value)
        )


def require_eps(eps: float, *, most: float = 1) -> None:
    """Raise AttackError unless a bound on changes is at least one level of 255, and at most `most`."""
    require_number("eps", eps)
    if not 1 - TOLERANCE <= eps * 255 <= 255 * most + TOLERANCE:
        raise AttackError(
            "eps is out of range",
            expected=f"1/255 to {most:g}, on the scale 0..1 of pixels",
            found=str(eps),
            remedy=f"Write {eps:g} levels as {eps:g}/255" if most < eps <= 255 * most else "",
        )


def whole_levels(eps: float) -> int:
    """The largest change in levels of 255 that a bound `eps` on the scale 0..1 allows: 16 for 16/255.

    Raises AttackError for a bound outside 1/255..1.
    """
    require_eps(eps)
    return math.floor(eps * 255 + TOLERANCE)


def require_seed(seed: int) -> None:
    """Raise UsageError unless the seed is a whole number of 0 or more."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UsageError("the seed is unusable", expected="a whole number, 0 or more", found=repr(seed))


def derived_seed(seed: int, number: int) -> int:
    """A seed for part `number` of an attack, unrelated to the attack's own: that may well be the victim's, too."""
    return int(np.random.default_rng([seed, number]).integers(1 << 62))
