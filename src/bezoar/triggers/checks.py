"""Checks of a trigger's own fields, made once when it is built."""

from __future__ import annotations

from bezoar.errors import TriggerError


def require_between(trigger: str, field: str, value: float, low: float, high: float) -> None:
    """Raise TriggerError unless low <= value <= high (so never for NaN)."""
    if not low <= value <= high:
        raise TriggerError(f"{trigger}: {field} is out of range", expected=f"{low:g} to {high:g}", found=str(value))


def require_at_least(trigger: str, field: str, value: int, low: int) -> None:
    """Raise TriggerError unless value >= low."""
    if value < low:
        raise TriggerError(f"{trigger}: {field} is too small", expected=f"at least {low}", found=str(value))


def require_one_of(trigger: str, field: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise TriggerError unless value is among the choices."""
    if value not in choices:
        raise TriggerError(f"{trigger}: unknown {field}", expected="one of " + ", ".join(choices), found=repr(value))


def require_range(trigger: str, field: str, span: tuple[float, float], low: float, high: float) -> None:
    """Raise TriggerError unless low <= span[0] <= span[1] <= high."""
    if not low <= span[0] <= span[1] <= high:
        raise TriggerError(
            f"{trigger}: {field} is no range",
            expected=f"two numbers from {low:g} to {high:g}, the smaller first, as in {field}={low:g}/{high:g}",
            found=f"{span[0]:g}/{span[1]:g}",
        )
