"""Reads the pickle of a state dict without running it: names stay names, tensors stay plans.

The pickle is a program for a stack machine. This one knows only the instructions and names that torch.save needs for
plain weights, and for each knows what it means; whatever else occurs is refused. So nothing is loaded that was not
understood, and sizes are known before memory is taken.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bezoar.training.opening.checkpoints.allowed import ALLOWED
from bezoar.training.opening.checkpoints.instructions import DamagedPickleError, Instruction, instructions
from bezoar.training.opening.checkpoints.plans import CALLS, Named, NotUnderstoodError, Storage, named_storage, whole

PROTOCOL = 2
KEY_TYPES = (str, int, float, bool, type(None))


def understand(pickle: bytes, storages: Mapping[str, int]) -> object:
    """What a pickle describes, in dicts, lists, tuples, plain values and PlannedTensors.

    `storages` are the bytes of each storage in the archive. Raises NotUnderstoodError for anything that a plain
    state dict does not need, DamagedPickleError for what is no pickle.
    """
    machine = _Machine(storages)
    for one in instructions(pickle):
        if one.name == "STOP":
            if one.place + 1 != len(pickle):
                raise NotUnderstoodError(f"{len(pickle) - one.place - 1:,} bytes behind the end of its pickle")
            return machine.result()
        try:
            machine.step(one)
        except (IndexError, KeyError) as error:
            raise DamagedPickleError(f"{one.name} with nothing to work on") from error
    raise DamagedPickleError("it has no end")


@dataclass
class _Machine:
    storages: Mapping[str, int]
    stack: list[object] = field(default_factory=list)
    below: list[list[object]] = field(default_factory=list)
    memo: dict[int, object] = field(default_factory=dict)
    seen: dict[str, Storage] = field(default_factory=dict)

    def step(self, one: Instruction) -> None:
        if one.name in _VALUES:
            self.stack.append(one.argument)
        elif one.name in _FRESH:
            self.stack.append(_FRESH[one.name]())
        elif one.name in _ACTIONS:
            _ACTIONS[one.name](self, one)
        else:
            shown = f" {one.argument}" if isinstance(one.argument, str) else ""
            raise NotUnderstoodError(f"the instruction {one.name}{shown}, which torch.save does not write")

    def result(self) -> object:
        if len(self.stack) != 1 or self.below:
            raise NotUnderstoodError("a pickle that leaves more than one thing behind")
        return self.stack[0]

    def protocol(self, one: Instruction) -> None:
        if one.argument != PROTOCOL or one.place != 0:
            raise NotUnderstoodError(f"pickle protocol {one.argument} at byte {one.place}, not {PROTOCOL} at its start")

    def name(self, one: Instruction) -> None:
        if one.argument not in ALLOWED:
            raise NotUnderstoodError(f"the global {one.argument}")
        self.stack.append(Named(str(one.argument)))

    def mark(self, _: Instruction) -> None:
        self.below.append(self.stack)
        self.stack = []

    def _since_mark(self) -> list[object]:
        items, self.stack = self.stack, self.below.pop()
        return items

    def tuple_since_mark(self, _: Instruction) -> None:
        items = tuple(self._since_mark())
        self.stack.append(items)

    def tuple_of(self, one: Instruction) -> None:
        count = int(one.name[-1])
        if len(self.stack) < count:
            raise IndexError
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def remember(self, one: Instruction) -> None:
        self.memo[whole(one.argument)] = self.stack[-1]

    def recall(self, one: Instruction) -> None:
        self.stack.append(self.memo[whole(one.argument)])

    def append(self, one: Instruction) -> None:
        items = [self.stack.pop()] if one.name == "APPEND" else self._since_mark()
        target = self.stack[-1]
        if type(target) is not list:
            raise NotUnderstoodError("something appended to what is no list")
        target.extend(items)

    def set_items(self, one: Instruction) -> None:
        items = [self.stack.pop(-2), self.stack.pop()] if one.name == "SETITEM" else self._since_mark()
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise NotUnderstoodError("entries set in what is no dict")
        _fill(target, zip(items[::2], items[1::2], strict=True))

    def build(self, _: Instruction) -> None:
        """The one state that a state dict has beside its entries: versions of modules, of no use here."""
        state = self.stack.pop()
        if not isinstance(self.stack[-1], OrderedDict) or not isinstance(state, dict) or set(state) - {"_metadata"}:
            raise NotUnderstoodError("the state of an object set (BUILD)")

    def call(self, _: Instruction) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        if not isinstance(called, Named) or called.name not in CALLS or type(arguments) is not tuple:
            shown = called.name if isinstance(called, Named) else f"a {type(called).__name__}"
            raise NotUnderstoodError(f"a call of {shown}")
        self.stack.append(CALLS[called.name](arguments))

    def storage(self, _: Instruction) -> None:
        """A storage in the archive, of the size it has there; nothing else may be asked for by a persistent id."""
        found = named_storage(self.stack.pop())
        held = self.storages.get(found.key)
        if held != found.items * found.dtype.itemsize:
            raise NotUnderstoodError(f"{found.items:,} numbers in the storage {found.key} of {held or 0:,} bytes")
        known = self.seen.setdefault(found.key, found)
        if known.dtype != found.dtype:
            raise NotUnderstoodError(f"the storage {found.key} in two number formats")
        self.stack.append(known)


def _fill(target: dict[object, object], pairs: zip[tuple[object, object]]) -> None:
    for key, value in pairs:
        # Hashing nested tuples can take for ever.
        if type(key) not in KEY_TYPES:
            raise NotUnderstoodError(f"a {type(key).__name__} as the key of an entry")
        target[key] = value


_VALUES = ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE")
_FRESH: dict[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
_ACTIONS: dict[str, Callable[[_Machine, Instruction], None]] = {
    "PROTO": _Machine.protocol,
    "GLOBAL": _Machine.name,
    "MARK": _Machine.mark,
    "TUPLE": _Machine.tuple_since_mark,
    "TUPLE1": _Machine.tuple_of,
    "TUPLE2": _Machine.tuple_of,
    "TUPLE3": _Machine.tuple_of,
    "BINPUT": _Machine.remember,
    "LONG_BINPUT": _Machine.remember,
    "BINGET": _Machine.recall,
    "LONG_BINGET": _Machine.recall,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.append,
    "SETITEM": _Machine.set_items,
    "SETITEMS": _Machine.set_items,
    "BUILD": _Machine.build,
    "REDUCE": _Machine.call,
    "BINPERSID": _Machine.storage,
}
