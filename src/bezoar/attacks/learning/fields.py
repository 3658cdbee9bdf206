"""Checks of an attack's own fields, and seeds for its parts."""

from __future__ import annotations

import math

import numpy as np

from bezoar.errors import AttackError


def require_whole(name: str, value: int, low: int) -> None:
    """Raise AttackError unless value >= low."""
    if value < low:
        raise AttackError(f"{name} is too small", expected=f"at least {low}", found=str(value))


def whole_levels(eps: float) -> int:
    """The largest change in levels of 255 that a bound `eps` on the scale 0..1 allows: 16 for 16/255.

    Raises AttackError for a bound outside 1/255..1.
    """
    levels = math.floor(eps * 255 + 1e-6) if 0 <= eps <= 1 else 0
    if levels < 1:
        raise AttackError(
            "eps is out of range",
            expected="1/255 to 1, on the scale 0..1 of pixels",
            found=str(eps),
            remedy=f"Write {eps:g} levels as {eps / 255:.4g}" if 1 < eps <= 255 else "",
        )
    return levels


def derived_seed(seed: int, number: int) -> int:
    """A seed for part `number` of an attack, unrelated to the attack's own: that may well be the victim's, too."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
