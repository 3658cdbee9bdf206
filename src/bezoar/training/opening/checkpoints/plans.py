"""What the pickle of a state dict may describe: storages, tensors, and what each allowed call gives."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import torch

from bezoar.training.opening.checkpoints.allowed import (
    COUNTER,
    DEVICE,
    ORDERED_DICT,
    REBUILD_OLD_TENSOR,
    REBUILD_PARAMETER,
    REBUILD_TENSOR,
    SIZE,
    STORAGES,
)

MOST_SIDES = 64


class NotUnderstoodError(ValueError):
    """A pickle holds something that no plain state dict needs; the text says what."""


@dataclass(frozen=True, eq=False)
class Named:
    """An allowed global, by its name; never the object itself."""

    name: str


@dataclass(frozen=True, eq=False)
class Storage:
    """A piece of memory in the archive: its key there, the format and count of its numbers."""

    key: str
    dtype: torch.dtype
    items: int


@dataclass(frozen=True, eq=False)
class PlannedTensor:
    """A tensor as the pickle describes it: a window on a storage; `offset` and `strides` in numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of the tensor written out."""
        return math.prod(self.shape) * self.storage.dtype.itemsize


def whole(value: object) -> int:
    """A whole number within reason. Raises NotUnderstoodError for anything else."""
    if type(value) is not int or not 0 <= value < 2**48:
        raise NotUnderstoodError("a size or place that is no whole number within reason")
    return value


def wholes(values: object) -> tuple[int, ...]:
    """A shape or strides. Raises NotUnderstoodError for anything else."""
    if not isinstance(values, tuple) or len(values) > MOST_SIDES:
        raise NotUnderstoodError("a shape that is none")
    return tuple(whole(value) for value in values)


def named_storage(identity: object) -> Storage:
    """The storage of a persistent id ("storage", kind, key, device, count). Raises NotUnderstoodError for another."""
    if type(identity) is not tuple or len(identity) != 5:
        raise NotUnderstoodError("a persistent id that names no storage")
    word, kind, key, device, items = identity
    if not (isinstance(word, str) and word == "storage" and isinstance(kind, Named) and kind.name in STORAGES):
        raise NotUnderstoodError("a persistent id that names no storage")
    if not isinstance(key, str) or not isinstance(device, str):
        raise NotUnderstoodError("a persistent id with odd contents")
    return Storage(key, STORAGES[kind.name], whole(items))


def _tensor(arguments: tuple[object, ...]) -> PlannedTensor:
    """(storage, offset, shape, strides), and maybe (needs gradient, no hooks)."""
    if len(arguments) not in (4, 6) or not isinstance(arguments[0], Storage):
        raise NotUnderstoodError("a tensor of something else than a storage")
    _require_plain(arguments[4:])
    storage, offset = arguments[0], whole(arguments[1])
    shape, strides = wholes(arguments[2]), wholes(arguments[3])
    if len(shape) != len(strides):
        raise NotUnderstoodError("a tensor with more sides than strides, or fewer")
    last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    if math.prod(shape) and last >= storage.items:
        raise NotUnderstoodError(f"a tensor that reaches to number {last:,} of a storage of {storage.items:,}")
    return PlannedTensor(storage, offset, shape, strides)


def _parameter(arguments: tuple[object, ...]) -> PlannedTensor:
    if len(arguments) != 3 or not isinstance(arguments[0], PlannedTensor):
        raise NotUnderstoodError("a parameter of something else than a tensor")
    _require_plain(arguments[1:])
    return arguments[0]


def _require_plain(rest: tuple[object, ...]) -> None:
    """Raise unless what follows a tensor is whether it needs gradients, and hooks of which there are none."""
    if rest and not (type(rest[0]) is bool and isinstance(rest[1], dict) and not rest[1]):
        raise NotUnderstoodError("a tensor with hooks")


def _ordered(arguments: tuple[object, ...]) -> OrderedDict[object, object]:
    if arguments:
        raise NotUnderstoodError("an OrderedDict made from something")
    return OrderedDict()


def _counter(arguments: tuple[object, ...]) -> dict[object, object]:
    if not arguments:
        return {}
    if len(arguments) != 1 or type(arguments[0]) is not dict:
        raise NotUnderstoodError("a Counter made from what is no dict")
    return arguments[0]  # a copy each time could be asked for a million times


def _size(arguments: tuple[object, ...]) -> tuple[int, ...]:
    if len(arguments) != 1:
        raise NotUnderstoodError("a shape that is none")
    return wholes(arguments[0])


def _device(arguments: tuple[object, ...]) -> str:
    if not arguments or not isinstance(arguments[0], str):
        raise NotUnderstoodError("a device that is none")
    return arguments[0]


CALLS: dict[str, Callable[[tuple[object, ...]], object]] = {
    ORDERED_DICT: _ordered,
    COUNTER: _counter,
    REBUILD_TENSOR: _tensor,
    REBUILD_OLD_TENSOR: _tensor,
    REBUILD_PARAMETER: _parameter,
    SIZE: _size,
    DEVICE: _device,
}
