"""`bezoar attacks`: every attack with its paper, what it assumes, and its fields."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from itertools import groupby
from typing import Annotated

import typer
from rich.markup import escape

from bezoar.attacks.catalogue import Catalogue, Entry, catalogue, entry
from bezoar.cli.console import print_json, say
from bezoar.cli.options import Json
from bezoar.registry import FieldHelp

WIDTH = 110
SAID = {
    "attack": "",
    "tampering": ", an attack on a trained model, given as --model RUN",
    "trigger": ", a trigger, run as the attack dirty-label with it",
}


def add_to(app: typer.Typer) -> None:
    """Make `attacks` a verb."""
    app.command("attacks")(attacks)


def attacks(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One attack in full; your own as package.module:Name.")
    ] = None,
    json: Json = False,
) -> None:
    """List every attack: its paper, what its attacker must control, and its fields with their defaults."""
    found = entry(name) if name is not None else catalogue()
    if json:
        print_json(found)
    elif isinstance(found, Entry):
        _say_one(found)
    else:
        _say_all(found)


def fields_text(fields: Sequence[FieldHelp]) -> str:
    """`size=5, mode=replace|add|blend`: each field with its default, which comes first among its choices."""
    return ", ".join(
        f"{field.name}={'|'.join(sorted(field.choices, key=lambda choice: choice != field.default)) or field.default}"
        for field in fields
    )


def _say_all(found: Catalogue) -> None:
    for family, members in groupby(found.entries, key=lambda one: one.family):
        say(f"{family.upper()}\n")
        for member in members:
            _say_short(member)
    say("The attacker is assumed to control what is said in brackets. Every attack on data also takes")
    _say_wrapped(fields_text(found.shared), "  ")
    say("\nnext: bezoar attacks NAME, or bezoar attack DATA --attack NAME:field=value,... --target CLASS --out OUT")


def _say_short(member: Entry) -> None:
    _say_wrapped(f"{member.name:<18} {member.summary}", "  ", " " * 21)
    _say_wrapped(f"{member.paper} [{_needs(member)}]", " " * 21)
    if member.fields:
        _say_wrapped(fields_text(member.fields), " " * 21)
    say("")


def _say_one(found: Entry) -> None:
    said = SAID[found.kind]
    lines = [f"{found.name}: {found.family}{said}", "", _for_users(found.description), "", f"paper:    {found.paper}"]
    lines += [f"attacker: {_needs(found)}", "", "fields:" if found.fields else "no fields of its own"]
    lines += [
        f"  {field.name:<18} {'|'.join(field.choices) or field.type}, {_default(field)}" for field in found.fields
    ]
    if found.takes_trigger:
        lines.append(f"  {'(trigger)':<18} any trigger, given as --trigger SPEC")
    say(escape("\n".join(lines)))


def _for_users(description: str) -> str:
    """A docstring without what only an author of code can use: the errors raised, and in which file to read on."""
    without = re.sub(r"\s+Raises \w*Error\b.*?(?=\n\n|\Z)", "", description, flags=re.DOTALL)
    return re.sub(r"\s+\(see `\w+`\)", "", without)


def _needs(member: Entry) -> str:
    controls = "controls " + " and ".join(member.controls) if member.controls else "controls: not said"
    return controls + (f"; knows {member.knows}" if member.knows else "")


def _default(field: FieldHelp) -> str:
    return "needed" if field.default == "(needed)" else f"default {field.default or 'none given'}"


def _say_wrapped(text: str, first: str, rest: str | None = None) -> None:
    lines = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_on_hyphens=False,
        break_long_words=False,
    )
    say(escape("\n".join(lines)))
