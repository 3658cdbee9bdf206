"""A pickle as a list of instructions, none of which is carried out."""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from typing import NamedTuple

MOST_INSTRUCTIONS = 500_000
COMPUTED = "(a computed name)"
TEXTS = ("UNICODE", "STRING")


class Instruction(NamedTuple):
    """One instruction: its name, its argument as text or number, its place in bytes."""

    name: str
    argument: object
    place: int


class DamagedPickleError(ValueError):
    """The bytes are no pickle, or one with more instructions than any state dict needs."""


def instructions(pickle: bytes) -> Iterator[Instruction]:
    """The instructions up to the first STOP. Raises DamagedPickleError where they cannot be read to there."""
    found = pickletools.genops(pickle)
    for _ in range(MOST_INSTRUCTIONS):
        try:
            kind, argument, place = next(found)
        except StopIteration:
            return
        except (ValueError, IndexError, OverflowError, MemoryError, AssertionError, Warning) as error:
            raise DamagedPickleError(f"{type(error).__name__}: {error}") from error
        yield Instruction(kind.name, argument, place or 0)
    raise DamagedPickleError(f"more than {MOST_INSTRUCTIONS:,} instructions")


def named_globals(pickle: bytes) -> tuple[list[str], bool]:
    """The globals that a pickle names, each once as "module name", and whether it was read to its end.

    For telling, and as a second look: a name that is put together from memory can't be seen and is told as such.
    """
    names: dict[str, None] = {}
    texts: list[str] = []
    try:
        for one in instructions(pickle):
            if one.name in ("GLOBAL", "INST"):
                names[str(one.argument)] = None
            elif one.name == "STACK_GLOBAL":
                names[" ".join(texts) if len(texts) == 2 else COMPUTED] = None
            elif one.name.startswith("EXT"):
                names[f"(extension {one.argument})"] = None
            if not one.name.endswith("PUT") and one.name != "MEMOIZE":
                texts = [*texts[-1:], str(one.argument)] if one.name.endswith(TEXTS) else []
    except DamagedPickleError:
        return list(names), False
    return list(names), True


def dotted(name: str) -> str:
    """A global as Python writes it: "module name" as module.name."""
    return name if name.startswith("(") else name.replace(" ", ".")
