"""Attacks and triggers from their specifications, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from bezoar.attacks.base import ATTACKS, Attack
from bezoar.attacks.choose import Relabel
from bezoar.attacks.dirty_label import DirtyLabel
from bezoar.attacks.layout import Placement
from bezoar.errors import SpecError, UsageError
from bezoar.registry import split_spec
from bezoar.triggers.base import TRIGGERS, Trigger


def create_attack(
    spec: str,
    *,
    source: tuple[str, ...] = (),
    target: str | None = None,
    rate: float | None = None,
    count: int | None = None,
    placement: Placement = "add",
    relabel: Relabel = "all-to-one",
    trigger: Trigger | str | None = None,
) -> Attack:
    """Build the attack that a specification and a few options name.

    A specification whose name is an attack, registered or `package.module:Class`, builds that; fields
    written in it go before the options. Any other is a trigger, put into a DirtyLabel attack:
    `patch:size=5,color=cyan,corner=top-left,mode=replace`. `dirty-label:...` itself needs `trigger`; so
    `create_attack(truth.attack, trigger=truth.trigger)` builds the attack of a truth file again.

    Raises SpecError for what cannot be read, UsageError for an option that the attack does not know,
    AttackError for values that make no sense together.
    """
    given: dict[str, Any] = {
        "sources": tuple(source),
        "target": target,
        "rate": rate,
        "count": count,
        "placement": placement,
        "relabel": relabel,
        "trigger": TRIGGERS.create(trigger) if isinstance(trigger, str) else trigger,
    }
    defaults: dict[str, Any] = {"sources": (), "placement": "add", "relabel": "all-to-one"}
    options = {name: value for name, value in given.items() if value != defaults.get(name)}
    name, _ = split_spec(spec)
    if not _is_attack(name):
        if trigger is not None:
            raise UsageError("the trigger is named twice", found=f"{spec} and {trigger}")
        return DirtyLabel(**{**options, "trigger": TRIGGERS.create(spec)})
    _require_known(name, options)
    return ATTACKS.create(spec, **options)


def _is_attack(name: str) -> bool:
    if name in ATTACKS.names():
        return True
    if name in TRIGGERS.names() or ":" not in name:
        return False
    return hasattr(ATTACKS.get(name), "poison")


def _require_known(name: str, options: Mapping[str, object]) -> None:
    cls = ATTACKS.get(name)
    fields = (
        [field for field in dataclasses.fields(cast(Any, cls)) if field.init] if dataclasses.is_dataclass(cls) else []
    )
    known = [field.name for field in fields]
    for option in options:
        if option not in known:
            raise UsageError(
                f"the attack {name} has no {option}", expected="one of " + (", ".join(known) or "no options")
            )
    needs_trigger = any(field.name == "trigger" and field.default is dataclasses.MISSING for field in fields)
    if needs_trigger and "trigger" not in options:
        raise SpecError(
            f"the attack {name} needs a trigger",
            expected="one of " + ", ".join(TRIGGERS.names()),
            remedy="Write the trigger itself as the attack, as in patch:size=5,color=cyan, and the rest as options",
        )
