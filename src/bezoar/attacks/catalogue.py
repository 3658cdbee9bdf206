"""Every attack there is, as a list: what it is, where it comes from, what its attacker must control, its fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bezoar.attacks.base import ATTACKS
from bezoar.attacks.data_attack import DataAttack
from bezoar.attacks.specs import is_attack, require_known
from bezoar.attacks.tampering import TAMPERINGS, is_tampering
from bezoar.registry import FieldHelp, Registry
from bezoar.triggers.about import FAMILIES, Family, about
from bezoar.triggers.base import TRIGGERS

Kind = Literal["attack", "tampering", "trigger"]
KINDS: dict[Kind, Registry[Any]] = {"attack": ATTACKS, "tampering": TAMPERINGS, "trigger": TRIGGERS}
HOLDERS = frozenset({"trigger", "triggers"})


@dataclass(frozen=True)
class Entry:
    """One line of the list; `description` is the whole docstring.

    A tampering attacks a trained model, not data. A trigger is run as the attack dirty-label with it.
    `takes_trigger` says that an attack can be given one.
    """

    name: str
    kind: Kind
    family: Family
    paper: str
    controls: tuple[str, ...]
    knows: str
    summary: str
    description: str
    fields: tuple[FieldHelp, ...]
    takes_trigger: bool


@dataclass(frozen=True)
class Catalogue:
    """All entries by family, and the fields that every attack on data has beside its own."""

    entries: tuple[Entry, ...]
    shared: tuple[FieldHelp, ...]


def catalogue() -> Catalogue:
    """The built-in attacks, and the triggers that are no attack of their own."""
    entries = [entry(name) for name in {*ATTACKS.names(), *TAMPERINGS.names(), *TRIGGERS.names()}]
    return Catalogue(tuple(sorted(entries, key=lambda one: (FAMILIES.index(one.family), one.name))), shared_fields())


def entry(name: str) -> Entry:
    """The attack, or else the trigger, called `name`: a built-in one, or a user's own as `package.module:Class`.

    Raises SpecError when there is none.
    """
    kind = _kind(name)
    registry = KINDS[kind]
    said, fields = about(registry.get(name)), registry.fields(name)
    shared, held = set(shared_fields()), frozenset[str]() if kind == "trigger" else HOLDERS
    return Entry(
        name=name,
        kind=kind,
        family=said.family,
        paper=said.paper,
        controls=said.controls,
        knows=said.knows,
        summary=registry.summary(name),
        description=registry.description(name),
        fields=tuple(field for field in fields if field not in shared and field.name not in held),
        takes_trigger=any(field.name in held for field in fields),
    )


def _kind(name: str) -> Kind:
    if is_tampering(name):
        return "tampering"
    require_known(name)
    return "attack" if is_attack(name) else "trigger"


def shared_fields() -> tuple[FieldHelp, ...]:
    """The fields of every attack on data."""
    shared: Registry[Any] = Registry("attack")
    shared.register("data")(DataAttack)
    return shared.fields("data")
