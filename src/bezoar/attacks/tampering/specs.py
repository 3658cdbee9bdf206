"""Tamperings from their specifications."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bezoar.attacks.base import ATTACKS
from bezoar.attacks.tampering.base import TAMPERINGS, Tampering
from bezoar.errors import UsageError
from bezoar.importing import import_object
from bezoar.registry import split_spec
from bezoar.triggers.base import TRIGGERS, Trigger


def known_names() -> frozenset[str]:
    """Names of everything registered that a specification can begin with."""
    return frozenset({*ATTACKS.names(), *TRIGGERS.names(), *TAMPERINGS.names()})


def is_tampering(name: str) -> bool:
    """Whether `name` (or the name in a specification) is of a tampering, registered or a user's own."""
    name = split_spec(name, known_names())[0]
    # Asked of every attack, so that a name that cannot be imported is not told as that of a tampering.
    return name in TAMPERINGS.names() or (":" in name and hasattr(import_object(name, "attack"), "tamper"))


def create_tampering(
    spec: str,
    *,
    source: Sequence[str] = (),
    target: str | None = None,
    trigger: Trigger | str | None = None,
) -> Tampering:
    """Build the tampering that a specification and a few options name; an option left out is its own default.

    `create_tampering(truth.attack, trigger=truth.backdoors[0].trigger)` builds that of a truth file again. Raises
    SpecError for what cannot be read, AttackError for values that make no sense.
    """
    given: dict[str, Any] = {
        "sources": tuple(source) or None,
        "target": target,
        "trigger": TRIGGERS.create(trigger) if isinstance(trigger, str) else trigger,
    }
    return TAMPERINGS.create(spec, **{name: value for name, value in given.items() if value is not None})


def single(triggers: Sequence[str]) -> str | None:
    """The one trigger among those given, if any. Raises UsageError for several."""
    if len(triggers) > 1:
        raise UsageError("tampering takes one trigger", found=str(len(triggers)))
    return triggers[0] if triggers else None
