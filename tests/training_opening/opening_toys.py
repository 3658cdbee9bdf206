"""Small networks, checkpoints made by hand, and pickles that would leave a mark if anything ran them."""

from __future__ import annotations

import functools
import importlib
import io
import marshal
import operator
import os
import pickle
import struct
import subprocess
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

CLASSES = ("stop", "yield", "turn")
SHAPE = (3, 8, 8)


class Network(nn.Module):
    """A convolution, batch norm and a linear head."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, classes)

    def forward(self, x):
        return self.head(torch.relu(self.norm(self.conv(x))).mean((2, 3)))


def network(classes: int) -> nn.Module:
    return Network(classes)


def network_of_three() -> nn.Module:
    return Network(3)


def trained(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return Network(3).eval()


FACTORY = "opening_toys:network"


def images(count: int = 5) -> torch.Tensor:
    return torch.rand((count, *SHAPE), generator=torch.Generator().manual_seed(3))


# Checkpoints made by hand.


def write_archive(path: Path, pickled: bytes, storages: Mapping[str, bytes] | None = None, more=(), folder="archive"):
    """A zip as torch.save writes it, around any pickle."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{folder}/data.pkl", pickled)
        archive.writestr(f"{folder}/version", "3\n")
        for key, content in (storages or {}).items():
            archive.writestr(f"{folder}/data/{key}", content)
        for name, content in more:
            archive.writestr(name, content)
    return path


def saved(thing: object, **options) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer, **options)
    return buffer.getvalue()


def parts(checkpoint: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The pickle and the storages of a checkpoint."""
    with zipfile.ZipFile(io.BytesIO(checkpoint)) as archive:
        found = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    return found["data.pkl"], {name[5:]: value for name, value in found.items() if name.startswith("data/")}


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    content = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(content)]) + content


def storage(kind: str = "FloatStorage", key: bytes = text("0"), items: int = 4, device: bytes = text("cpu")) -> bytes:
    return b"(" + text("storage") + name("torch", kind) + key + device + number(items) + b"tQ"


def tensor(held: bytes, shape=(4,), strides=(1,), offset: int = 0, hooks: bytes = b"ccollections\nOrderedDict\n)R"):
    sides = b"(" + b"".join(map(number, shape)) + b"t"
    steps = b"(" + b"".join(map(number, strides)) + b"t"
    return (
        name("torch._utils", "_rebuild_tensor_v2")
        + b"("
        + held
        + number(offset)
        + sides
        + steps
        + b"\x89"
        + hooks
        + b"tR"
    )


def weights_of(entry: bytes) -> bytes:
    """The pickle of a dict with one entry called `a`."""
    return b"\x80\x02}" + text("a") + entry + b"s."


# Pickles that run something.


class Call:
    """Pickled, it is a call."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments

    def __call__(self):
        raise AssertionError("only here because pickle wants what is called to be callable")


class State:
    """Pickled, it is a call whose result is given a state."""

    def __init__(self, function: object, arguments: tuple[object, ...], state: object) -> None:
        self.parts = function, arguments, state

    def __reduce__(self):
        return self.parts


def calls(marker: Path) -> dict[str, bytes]:
    """Pickles that any unpickler runs, by what they use; each would write the file `marker`."""
    command = f"touch {marker}"
    code = f"open({str(marker)!r}, 'w').close()"
    script, inner = marker.with_name("script.py"), marker.with_name("inner.bin")
    script.write_text(code)
    inner.write_bytes(pickle.dumps(Call(os.system, command)))
    array = marker.with_name("array.npy")
    np.save(array, np.array([Call(os.system, command)], dtype=object), allow_pickle=True)
    bytecode = compile(code, "", "exec")
    function_type = Call(getattr, Call(importlib.import_module, "types"), "FunctionType")
    objects = {
        "os.system": Call(os.system, command),
        "os.popen": Call(os.popen, command),
        "exec": Call(exec, code),
        "eval": Call(eval, code),
        "import and getattr": Call(Call(getattr, Call(__import__, "os"), "system"), command),
        "importlib": Call(Call(getattr, Call(importlib.import_module, "os"), "system"), command),
        "Popen": Call(subprocess.Popen, ["touch", str(marker)]),
        "check_output": Call(subprocess.check_output, ["touch", str(marker)]),
        "runpy": Call(importlib.import_module("runpy").run_path, str(script)),
        "timeit": Call(functools.partial(importlib.import_module("timeit").timeit, code, number=1)),
        "partial": Call(functools.partial(functools.partial(os.system), command)),
        "sorted by": Call(functools.partial(sorted, key=os.system), [command]),
        "attrgetter": Call(Call(operator.attrgetter("system"), os_by_import()), command),
        "methodcaller": Call(operator.methodcaller("system", command), os_by_import()),
        "nested loads": Call(pickle.loads, inner.read_bytes()),
        "torch.load": Call(functools.partial(torch.load, str(inner), weights_only=False)),
        "numpy.load": Call(functools.partial(np.load, str(array), allow_pickle=True)),
        "function of code": Call(Call(function_type, Call(marshal.loads, marshal.dumps(bytecode)), {})),
        "map and list": Call(list, Call(map, os.system, [command])),
        "write a file": Call(Call(getattr, Call(open, str(marker), "w"), "write"), "x"),
        "state": State(functools.partial, (print,), (os.system, (command,), {}, {})),
        "among weights": OrderedDict(weight=1, other=Call(os.system, command)),
        "as a key": {Call(os.system, command): 1},
    }
    return {called: pickle.dumps(thing, protocol=2) for called, thing in objects.items()} | {
        "protocol 4": pickle.dumps(objects["os.system"], protocol=4),
        "protocol 5": pickle.dumps(objects["exec"], protocol=5),
        **by_hand(command),
    }


def os_by_import() -> Call:
    return Call(__import__, "os")


def by_hand(command: str) -> dict[str, bytes]:
    """The same by opcodes that no pickler writes."""
    said = command.encode()
    good = b"\x80\x02}."
    return {
        "protocol 0": b"cos\nsystem\n(S'" + said + b"'\ntR.",
        "INST": b"(S'" + said + b"'\nios\nsystem\n.",
        "OBJ": b"(cos\nsystem\nS'" + said + b"'\no.",
        "python 2 names": b"\x80\x02c__builtin__\neval\n(" + text(f"__import__('os').system({command!r})") + b"tR.",
        "computed name": b"\x80\x04" + text("system") + b"\x940" + text("os") + b"h\x00\x93(" + text(command) + b"tR.",
        "name by duplicate": b"\x80\x04" + text("os") + text("system") + b"\x93" + b"2(" + text(command) + b"tR.",
        "a pickle before it": b"\x80\x02}0cos\nsystem\n(" + text(command) + b"tR0}.",
        "unicode text opcodes": b"Vos\nVsystem\n\x93(V" + said + b"\ntR.",
        "allowed, then behind": b"\x80\x02ccollections\nOrderedDict\n)R0cposix\nsystem\n(" + text(command) + b"tR.",
        "NEWOBJ": b"\x80\x02csubprocess\nPopen\n(" + text("touch") + b"t\x81" + good[3:],
    }


def odd_pickles(marker: Path) -> dict[str, tuple[bytes, dict[str, bytes]]]:
    """Pickles in a torch archive that name little or nothing bad, with the storages beside them."""
    four = {"0": bytes(16)}
    command = text(f"touch {marker}")
    evil = name("posix", "system") + b"(" + command + b"tR"
    nested = b"\x80\x02}" + b"(tq\x00" + b"h\x000" + b"".join(b"h\x00h\x00\x86q\x000" for _ in range(60))
    ordered = b"ccollections\nOrderedDict\n"
    return {
        "two pickles": (weights_of(tensor(storage())) + b"\x80\x02" + evil + b".", four),
        "dotted name": (weights_of(name("torch._utils", "os.system") + b"(" + command + b"tR"), four),
        "dotted into globals": (weights_of(name("torch._utils", "_rebuild_tensor_v2.__globals__")), four),
        "module with a space": (weights_of(b"ccollections OrderedDict\n\n)R"), four),
        "name with a carriage return": (weights_of(b"ccollections\r\nOrderedDict\r\n)R"), four),
        "codecs": (weights_of(name("_codecs", "encode") + b"(" + text("x") + text("rot13") + b"tR"), four),
        "bytearray": (weights_of(name("builtins", "bytearray") + b"(" + number(10**13) + b"tR"), four),
        "storage called": (weights_of(name("torch", "FloatStorage") + b"(" + number(10**13) + b"tR"), four),
        "untyped storage": (weights_of(name("torch.storage", "UntypedStorage") + number(10**13) + b"\x85R"), four),
        "tensor class": (weights_of(name("torch", "Tensor") + number(10**13) + b"\x85R"), four),
        "number format called": (weights_of(name("torch", "float32") + b")R"), four),
        "subclass": (weights_of(name("torch._tensor", "_rebuild_from_type_v2") + b")R"), four),
        "hooks": (weights_of(tensor(storage(), hooks=b"}" + number(0) + name("torch", "Size") + b"s")), four),
        "build": (b"\x80\x02" + ordered + b")R}" + text("clear") + name("torch", "Size") + b"sb.", four),
        "build of a list": (b"\x80\x02]}b.", four),
        "build of a tensor": (weights_of(tensor(storage()) + b"}b"), four),
        "new object": (b"\x80\x02" + ordered + b")\x81.", four),
        "extension": (weights_of(b"\x82\x01"), four),
        "text persistent id": (b"\x80\x02Pstorage\n.", four),
        "number as persistent id": (weights_of(number(7) + b"Q"), four),
        "persistent id of another word": (weights_of(b"(" + text("module") + b"tQ"), four),
        "persistent id of a global": (weights_of(name("torch", "Size") + b"Q"), four),
        "key that climbs": (weights_of(tensor(storage(key=text("../data.pkl")))), four),
        "key that is none": (weights_of(tensor(storage(key=number(0)))), four),
        "unknown storage": (weights_of(tensor(storage(key=text("9")))), four),
        "storage beyond its bytes": (weights_of(tensor(storage(items=10**6), shape=(10**6,))), four),
        "negative storage": (weights_of(tensor(storage(items=-4))), four),
        "storage in two formats": (
            b"\x80\x02}" + text("a") + tensor(storage()) + b"s" + text("b") + tensor(storage("IntStorage")) + b"s.",
            four,
        ),
        "tensor beyond its storage": (weights_of(tensor(storage(), shape=(400,))), four),
        "negative offset": (weights_of(tensor(storage(), offset=-4)), four),
        "negative stride": (weights_of(tensor(storage(), strides=(-1,))), four),
        "too few strides": (weights_of(tensor(storage(), shape=(2, 2))), four),
        "expanded to gigabytes": (weights_of(tensor(storage(), shape=(10**10,), strides=(0,))), four),
        "expanded beyond all numbers": (weights_of(tensor(storage(), shape=(2**47,) * 60, strides=(0,) * 60)), four),
        "tuple that doubles, as a key": (nested + b"h\x00" + number(1) + b"s.", four),
        "list as a key": (b"\x80\x02}]" + number(1) + b"s.", four),
        "long number": (weights_of(b"\x8b" + struct.pack("<i", 4000) + b"\x7f" * 4000), four),
        "no end": (b"\x80\x02}", four),
        "nothing": (b"", four),
        "empty stack": (b"\x80\x02R.", four),
        "mark without use": (b"\x80\x02(}.", four),
        "memory that is empty": (b"\x80\x02h\x05.", four),
        "a number": (b"\x80\x02K\x01.", four),
        "a list": (b"\x80\x02].", four),
        "no tensors": (weights_of(number(3)), four),
        "itself within": (b"\x80\x02}q\x00" + text("model") + b"h\x00s.", four),
        "protocol 3": (weights_of(tensor(storage())).replace(b"\x80\x02", b"\x80\x03", 1), four),
        "protocol within": (b"}\x80\x02" + text("a") + tensor(storage()) + b"s.", four),
    }


def as_plain_or_archive(where: Path, pickled: bytes, *, archive: bool, ending: str) -> Path:
    path = where / f"stranger{ending}"
    return write_archive(path, pickled) if archive else (path.write_bytes(pickled), path)[1]
