"""What an ONNX file holds that matters before it is opened: operators of other makers, and files that it names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from bezoar.training.opening.black_box.wire import DamagedMessageError, fields
from bezoar.training.opening.opened import GET_ANEW, few, refusal, require_file

LARGEST_ONNX = 2**30
"""Bytes of the file itself; what is larger keeps its weights in files beside it."""

LARGEST_BESIDE = 2 * 2**30
"""Bytes of all weights in files beside the model."""

DEEPEST = 40
WITHIN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "training": {1: "graph", 2: "graph"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
    "entry": {},
}
"""Messages that may hold a tensor somewhere, by the number of the field they lie in (onnx.proto)."""

DOMAIN = {"node": 7, "function": 10}
KEY, VALUE = 1, 2
USUAL_DOMAINS = frozenset(("", "ai.onnx", "ai.onnx.ml", "com.microsoft"))
INITIALISER = ("model", "graph", "tensor", "entry")


@dataclass
class Inventory:
    """The files that tensors are kept in, by name; operators' makers, and those that the file itself explains."""

    files: set[str] = field(default_factory=set)
    makers: set[str] = field(default_factory=set)
    explained: set[str] = field(default_factory=set)


def weights_beside(model: bytes, path: Path) -> dict[str, bytes]:
    """The contents of the files that an ONNX model keeps weights in, by the names it has for them; usually none.

    Raises ModelError where the file is no ONNX, needs operators that are not built in, or names a file that is not
    a plain one in its own folder.
    """
    try:
        found = inventory(memoryview(model))
    except (DamagedMessageError, UnicodeDecodeError) as error:
        raise refusal(path, "is no ONNX model", found=str(error), remedy=GET_ANEW) from error
    strange = sorted(found.makers - found.explained - USUAL_DOMAINS)
    if strange:
        raise refusal(
            path,
            "needs operators that are not built in",
            found=f"some of {few(strange)}",
            remedy="Export it with standard operators alone; libraries of operators are programs and are not loaded",
        )
    return _read_all(sorted(found.files), path)


def inventory(model: memoryview) -> Inventory:
    """What a model holds. Raises DamagedMessageError for what is no model, or keeps weights where none belong."""
    found, graphs = Inventory(), 0
    for trail, number, content in _walk(model, ("model",)):
        kind = trail[-1]
        graphs += trail == ("model",) and number == 7
        if kind in DOMAIN and number == DOMAIN[kind]:
            (found.explained if kind == "function" else found.makers).add(str(content, "utf-8"))
        if kind == "entry" and number == VALUE:
            if trail != INITIALISER:
                raise DamagedMessageError("weights in another file that are no initialisers of its graph")
        elif kind == "tensor" and number == 13:
            found.files.update(_location(content))
    if graphs != 1:
        raise DamagedMessageError(f"a file with {graphs} graphs")
    return found


def _walk(message: memoryview, trail: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int, memoryview]]:
    """Every text and message within, with the kinds of the messages that lead to it."""
    if len(trail) > DEEPEST:
        raise DamagedMessageError("graphs within graphs without end")
    for number, content in fields(message):
        if content is not None:
            yield trail, number, content
            within = WITHIN[trail[-1]].get(number)
            if within is not None:
                yield from _walk(content, (*trail, within))


def _location(entry: memoryview) -> list[str]:
    """The file named by one entry of a tensor's external data, where it is the entry that names it."""
    texts = {number: str(content, "utf-8") for number, content in fields(entry) if content is not None}
    return [texts.get(VALUE, "")] if texts.get(KEY) == "location" else []


def _read_all(names: list[str], path: Path) -> dict[str, bytes]:
    read: dict[str, bytes] = {}
    left = LARGEST_BESIDE
    for name in names:
        place = _place(name, path)
        left -= place.stat().st_size
        if left < 0:
            raise refusal(
                path,
                "keeps too many weights in other files",
                expected=f"at most {LARGEST_BESIDE:,} bytes",
                remedy="Export a smaller model, or open it as weights with a factory",
            )
        read[name] = place.read_bytes()
    return read


def _place(name: str, path: Path) -> Path:
    """The file called `name` beside the model. Raises ModelError for one elsewhere, a link, or a name for more."""
    parts = PurePosixPath(name).parts
    steps = [path.parent.joinpath(*parts[: count + 1]) for count in range(len(parts))]
    odd = not name.isprintable() or any(letter in name for letter in '\\:*?"<>|') or name.startswith("/")
    if not parts or odd or ".." in parts or any(step.is_symlink() for step in steps):
        raise refusal(
            path,
            "keeps weights outside its folder",
            expected="plain files beside it, no links",
            found=repr(name),
            remedy="Put the whole model into one file: onnx.save(model, path, save_as_external_data=False)",
        )
    if not steps[-1].exists():
        raise refusal(path, "lacks a file with its weights", expected=str(steps[-1]), remedy="Put that file beside it")
    require_file(steps[-1])
    return steps[-1]
