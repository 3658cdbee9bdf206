"""Checks of an attack's own fields, and seeds for its parts."""

from __future__ import annotations

import numpy as np

from bezoar.errors import AttackError


def require_whole(name: str, value: int, low: int, high: int | None = None) -> None:
    """Raise AttackError unless low <= value, and value <= high where there is a high."""
    if value < low or (high is not None and value > high):
        expected = f"at least {low}" if high is None else f"{low} to {high}"
        raise AttackError(f"{name} is out of range", expected=expected, found=str(value))


def derived_seed(seed: int, number: int) -> int:
    """A seed for part `number` of an attack, unrelated to the attack's own: that may well be the victim's, too."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
