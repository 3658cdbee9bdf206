"""Which entries of public threat catalogues a record touches, read from `standards.json` and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Literal

from bezoar.records import from_json


@dataclass(frozen=True)
class Entry:
    """One catalogue entry; `kinds` are the record kinds it belongs to, `why` says how.

    `why_of` says it for a kind that needs other words.
    """

    id: str
    name: str
    role: Literal["exercised", "route", "mitigation"]
    kinds: tuple[str, ...]
    why: str
    why_of: Mapping[str, str] = field(default_factory=dict)

    def told_for(self, kind: str) -> Entry:
        """The entry with the words for records of `kind`."""
        return replace(self, why=self.why_of.get(kind, self.why))


@dataclass(frozen=True)
class Framework:
    """A catalogue in one released version. Ids change between versions, so the version always goes along."""

    name: str
    version: str
    entries: tuple[Entry, ...]


@cache
def frameworks() -> tuple[Framework, ...]:
    """Every framework known to bezoar."""
    text = files("bezoar.report").joinpath("standards.json").read_text(encoding="utf-8")
    return from_json(tuple[Framework, ...], text, origin="standards.json")


def frameworks_for(kind: str) -> tuple[Framework, ...]:
    """The frameworks with the entries that belong to records of `kind`; those without any are left out."""
    chosen = (
        Framework(
            framework.name, framework.version, tuple(e.told_for(kind) for e in framework.entries if kind in e.kinds)
        )
        for framework in frameworks()
    )
    return tuple(framework for framework in chosen if framework.entries)


def entry_named(identifier: str) -> tuple[Framework, Entry] | None:
    """The framework and the entry with this id, None where no catalogue has it."""
    for framework in frameworks():
        for entry in framework.entries:
            if entry.id == identifier:
                return framework, entry
    return None
