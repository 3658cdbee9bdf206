"""The verbs: each is loaded when it is called, since torch and all that they use take seconds to load."""

from __future__ import annotations

import copy
import gc
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

VERBS = {
    "demo": "Draw road signs, backdoor them with a sticker, train, measure, scan, repair, and write a report.",
    "scan": "Look for a backdoor in DATA, show it and prove it. The most that is ever said for data is: no evidence "
    "found.",
    "inspect": "Look for a backdoor in MODEL, show its trigger and prove it. The most that is ever said is: no "
    "evidence found.",
    "clean": "Write DATA without what a scan suspects or a repair turned, and a list of what was left out beside it.",
    "attacks": "List every attack: its paper, what its attacker must control, and its fields with their defaults.",
    "attack": "Poison a copy of DATA and seal the truth in a file of its own; with --undo, give back the original.",
    "train": "Train a model and keep it with its record. Ctrl-C keeps the last finished epoch; --resume goes on.",
    "evaluate": "Measure clean accuracy, attack success and robust accuracy, and write record and report.",
    "bench": "Run attacks by seeds and print the table, scan what they make, inspect models, or repair them: FILE says "
    "which.",
    "repair": "Take a backdoor out of MODEL, and look whether it is gone: on held-out samples, by a search, by "
    "relearning.",
    "report": "Write report.html from the record.json of a drill, a scan, an inspection or a repair.",
}
"""What `bezoar --help` says of each, which its own help begins with. Each is a module of this room."""


class Verbs(TyperGroup):
    """A group of commands that loads one when it is asked for it, and none to list them."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = _LoadedWhenAsked()

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The list of verbs, by what `VERBS` says of them."""
        told = copy.copy(self)
        told.commands = {name: TyperCommand(name, help=sentence) for name, sentence in VERBS.items()}
        super(Verbs, told).format_help(ctx, formatter)


class _LoadedWhenAsked(MutableMapping[str, Any]):
    """The commands of all verbs, by name."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in VERBS:
            raise KeyError(name)
        if name not in self._loaded:
            self._loaded[name] = _load(name)
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)


def _load(name: str) -> Any:
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    with _nothing_collected():
        import_module(f"bezoar.cli.{name}").add_to(alone)
    return get_command(alone)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """While modules are loaded, much is made and nothing thrown away: looking for what was costs half a second."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
