"""Attacks and triggers from their specifications, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, cast

from bezoar.attacks.base import ATTACKS, Attack
from bezoar.attacks.choose import Relabel
from bezoar.attacks.composing.layout import Placement
from bezoar.attacks.dirty.dirty_label import DirtyLabel
from bezoar.attacks.tampering.base import TAMPERINGS
from bezoar.attacks.tampering.specs import known_names
from bezoar.errors import SpecError, UsageError, did_you_mean
from bezoar.registry import join_spec, split_spec
from bezoar.triggers.base import TRIGGERS, Trigger
from bezoar.triggers.learnt import ready_triggers

STAMPING = "dirty-label"
"""The attack that any trigger is put into."""


def create_attack(
    spec: str,
    *,
    source: Sequence[str] = (),
    target: str | None = None,
    rate: float | None = None,
    count: int | None = None,
    placement: Placement | None = None,
    relabel: Relabel | None = None,
    trigger: Trigger | str | Sequence[Trigger | str] | None = None,
) -> Attack:
    """Build the attack that a specification and a few options name.

    A specification whose name is an attack, registered or `package.module:Class`, builds that; fields
    written in it go before the options, and an option left out is the attack's own default. Any other is a
    trigger, put into a DirtyLabel attack: `patch:size=5,color=cyan,corner=top-left,mode=replace`; fields that
    the trigger has not are that attack's.
    `dirty-label:...` itself needs `trigger`; some attacks take several. So
    `create_attack(truth.attack, trigger=truth.backdoors[0].trigger)` builds the attack of a truth file again.

    Raises SpecError for what cannot be read, UsageError for an option that the attack does not know,
    AttackError for values that make no sense together.
    """
    given: dict[str, Any] = {
        "sources": tuple(source) or None,
        "target": target,
        "rate": rate,
        "count": count,
        "placement": placement,
        "relabel": relabel,
    }
    options = {name: value for name, value in given.items() if value is not None}
    name, fields = split_spec(spec, known_names())
    if name in TAMPERINGS.names():
        raise UsageError(
            f"{name} tampers with a trained model and poisons no data",
            remedy="Build it with create_tampering; on the command line give the trained run as --model",
        )
    require_known(name)
    if not is_attack(name):
        if trigger is not None:
            raise UsageError("the trigger is named twice", found=f"{spec} and {trigger}")
        return _stamping(name, fields, options)
    options |= _triggers(name, () if trigger is None else trigger)
    _require_known(name, options)
    return ATTACKS.create(spec, **options)


def _stamping(name: str, fields: Mapping[str, str], options: Mapping[str, object]) -> DirtyLabel:
    """The attack that puts the trigger called `name` on samples; the fields may be of either."""
    own = {field.name for field in TRIGGERS.fields(name)}
    attack = {field: text for field, text in fields.items() if field not in own and field in attack_fields(STAMPING)}
    trigger = TRIGGERS.create(join_spec(name, {field: text for field, text in fields.items() if field not in attack}))
    if not callable(trigger):
        raise SpecError(
            f"{name} is neither a trigger nor an attack",
            expected="__call__(batch) for a trigger, poison(data, *, seed, progress) for an attack",
            remedy="Give it one of the two; subclass DataAttack, or ImageTrigger",
        )
    return cast(DirtyLabel, ATTACKS.create(join_spec(STAMPING, attack), **{**options, "trigger": trigger}))


def require_known(name: str) -> None:
    """Raise SpecError unless `name` is of an attack or a trigger, or could be a user's own."""
    if name not in {*ATTACKS.names(), *TRIGGERS.names()} and ":" not in name:
        known = sorted({*ATTACKS.names(), *ready_triggers(), *TAMPERINGS.names()})
        raise SpecError(
            f"no attack is called {name!r}",
            expected="one of " + ", ".join(known),
            remedy=did_you_mean(name, known) or "Choose one of these, or name your own as package.module:Name",
        )


def is_attack(name: str) -> bool:
    """Whether `name` is of an attack, registered or a user's own, and not of a trigger."""
    if name in ATTACKS.names():
        return True
    if name in TRIGGERS.names() or ":" not in name:
        return False
    return hasattr(ATTACKS.get(name), "poison")


def attack_fields(name: str) -> tuple[str, ...]:
    """Names of the fields that the attack called `name` can be given."""
    cls = ATTACKS.get(name)
    if not dataclasses.is_dataclass(cls):
        return ()
    return tuple(field.name for field in dataclasses.fields(cast(Any, cls)) if field.init)


def _triggers(name: str, given: Trigger | str | Sequence[Trigger | str]) -> dict[str, Any]:
    """The triggers given, under the field that the attack has for them."""
    several = given if isinstance(given, Sequence) and not isinstance(given, str) else (given,)
    built = tuple(TRIGGERS.create(one) if isinstance(one, str) else one for one in several)
    if not built:
        return {}
    if "triggers" in attack_fields(name):
        return {"triggers": built}
    if len(built) > 1:
        raise UsageError(f"the attack {name} takes one trigger", found=str(len(built)))
    return {"trigger": built[0]}


def _require_known(name: str, options: Mapping[str, object]) -> None:
    known = attack_fields(name)
    for option in options:
        if option not in known:
            raise UsageError(
                f"the attack {name} has no {option}",
                expected="one of " + (", ".join(known) or "no options"),
                remedy="Leave out relabel, or --all-to-all: all-to-all is an attack of its own"
                if option == "relabel"
                else "",
            )
    for field in ("trigger", "triggers"):
        if field in known and field not in options and _has_no_default(name, field):
            raise SpecError(
                f"the attack {name} needs a trigger",
                expected="one of " + ", ".join(ready_triggers()),
                remedy="Give it as --trigger patch:size=5,color=cyan"
                + (", or write the trigger itself as the attack" if name == "dirty-label" else ""),
            )


def _has_no_default(name: str, field: str) -> bool:
    found = next(one for one in dataclasses.fields(cast(Any, ATTACKS.get(name))) if one.name == field)
    return found.default is dataclasses.MISSING and found.default_factory is dataclasses.MISSING
