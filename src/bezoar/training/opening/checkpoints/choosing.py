"""Finds the weights in a checkpoint that was understood: at its top, or under one of the usual keys."""

from __future__ import annotations

from dataclasses import dataclass

from bezoar.training.opening.checkpoints.plans import NotUnderstoodError, PlannedTensor
from bezoar.training.opening.opened import few, printable

USUAL_KEYS = (
    "state_dict", "model_state_dict", "model_state", "model", "net", "network", "module", "weights", "params",
    "state_dict_ema", "model_ema", "ema",
)  # fmt: skip
"""Keys under which checkpoints hold the weights; where there are several the first goes."""

DEEPEST = 3


@dataclass(frozen=True, eq=False)
class Chosen:
    """The weights of a checkpoint: the keys that lead to them, the tensors by name, and notes on what was left."""

    keys: tuple[str, ...]
    tensors: dict[str, PlannedTensor]
    notes: tuple[str, ...]


def choose_weights(contents: object) -> Chosen:
    """The weights in what a checkpoint holds. Raises NotUnderstoodError for none, or several to choose from."""
    keys: tuple[str, ...] = ()
    notes: list[str] = []
    while (key := _next_key(contents, notes)) is not None and len(keys) < DEEPEST:
        keys, contents = (*keys, key), _entries(contents)[key]
    entries = _entries(contents)
    tensors = {name: value for name, value in entries.items() if isinstance(value, PlannedTensor)}
    if not tensors:
        raise NotUnderstoodError(_without_weights(contents))
    others = [
        printable(str(name), 80) for name in (contents if isinstance(contents, dict) else ()) if name not in tensors
    ]
    if others:
        notes.append(f"{len(others):,} entries beside its weights are no tensors and were left out: {few(others)}")
    return Chosen(keys, tensors, tuple(notes))


def _entries(contents: object) -> dict[str, object]:
    """The entries of a dict that have a text as their key; none of anything else."""
    if not isinstance(contents, dict):
        return {}
    return {key: value for key, value in contents.items() if isinstance(key, str)}


def _next_key(contents: object, notes: list[str]) -> str | None:
    """The key under which the weights lie, or None where they lie here. Raises where it cannot be told which."""
    known: dict[tuple[int, int], bool] = {}
    inner = [key for key, value in _entries(contents).items() if _holds_tensors(value, known)]
    usual = [key for key in USUAL_KEYS if key in inner]
    if usual:
        if len(usual) > 1:
            notes.append(f"of several sets of weights in it {usual[0]!r} was taken, not {few(usual[1:])}")
        return usual[0]
    if any(isinstance(value, PlannedTensor) for value in _entries(contents).values()) or not inner:
        return None
    if len(inner) > 1:
        raise NotUnderstoodError(f"several sets of tensors, of which none is called as usual: {few(sorted(inner), 6)}")
    notes.append(f"its weights were taken from the key {printable(inner[0], 80)!r}")
    return inner[0]


def _holds_tensors(value: object, known: dict[tuple[int, int], bool], depth: int = 1) -> bool:
    """Whether a dict has tensors as entries, or such a dict within; asked once of each, however often it occurs."""
    if (id(value), depth) not in known:
        known[id(value), depth] = any(
            isinstance(entry, PlannedTensor) or (depth < DEEPEST and _holds_tensors(entry, known, depth + 1))
            for entry in _entries(value).values()
        )
    return known[id(value), depth]


def _without_weights(contents: object) -> str:
    if isinstance(contents, dict):
        return f"no tensors among its entries: {few([str(key) for key in contents], 6) or 'none at all'}"
    return f"a {type(contents).__name__} and no dict of weights"
