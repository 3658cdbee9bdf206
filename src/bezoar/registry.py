"""Named methods: a frozen dataclass, its name, and the `name:field=value,...` that builds it.

A registry knows nothing of what it holds. The name in the registry is the name on the command
line; the dataclass fields are the options; command-line help and docs tables are read from here.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Generic, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from bezoar.errors import SpecError, did_you_mean
from bezoar.importing import import_object

HOUSE = __name__.partition(".")[0]
"""The package whose methods are registered whenever it is imported."""

LONG = 10
"""A number of more digits is written as a fraction of small numbers where it is one: 16/255 for a bound in levels."""

TYPES: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    type(None): "none",
}

T = TypeVar("T")
C = TypeVar("C", bound=type)


@dataclass(frozen=True)
class FieldHelp:
    """One field of a method as shown to a user; `choices` are all values of a field that has only a few."""

    name: str
    type: str
    default: str
    choices: tuple[str, ...] = ()


class Registry(Generic[T]):
    """Methods of one kind by name, built from specifications."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._classes: dict[str, type] = {}

    def register(self, name: str) -> Callable[[C], C]:
        """Class decorator: make a frozen dataclass known under `name`."""

        def add(cls: C) -> C:
            if not dataclasses.is_dataclass(cls):
                raise TypeError(f"{cls.__name__} must be a dataclass to be a registered {self.kind}")
            if name in self._classes:
                raise ValueError(f"two {self.kind}s are called {name!r}")
            self._classes[name] = cls
            return cls

        return add

    def names(self) -> tuple[str, ...]:
        """All registered names, sorted."""
        return tuple(sorted(self._classes))

    def get(self, name: str) -> type:
        """The class called `name`: a registered one, or a user's own as `package.module:Class`.

        Raises SpecError with the known names when there is none, and for an object that can be no method.
        """
        if name in self._classes:
            return self._classes[name]
        if ":" in name:
            return _method(import_object(name, self.kind), name)
        raise SpecError(
            f"no {self.kind} is called {name!r}",
            expected="one of " + ", ".join(self.names()),
            remedy=did_you_mean(name, self.names())
            or f"Choose one of these, or name your own as package.module:{self.kind.title().replace(' ', '')}",
        )

    def name_of(self, method: object) -> str:
        """The registered name of a method, or `package.module:Class` for a user's own.

        A user's own goes by that even where it is registered, for nothing else would import its file again.
        """
        cls = type(method)
        if cls.__module__.partition(".")[0] == HOUSE:
            for name, known in self._classes.items():
                if cls is known:
                    return name
        return f"{cls.__module__}:{cls.__qualname__}"

    def create(self, spec: str, **defaults: object) -> T:
        """Build a method from `name:field=value,...`; `defaults` fill fields the spec leaves out.

        A class that is no dataclass is built without arguments; a function or an object is the method itself.
        """
        name, given = split_spec(spec, self.names())
        cls = self.get(name)
        if not isinstance(cls, type) or not dataclasses.is_dataclass(cls):
            if given or defaults:
                raise SpecError(f"{name} takes no fields", remedy="Leave them out of the specification")
            return cast(T, _plain(cls, name) if isinstance(cls, type) else cls)
        return cast(T, build(cls, name, given, defaults))

    def fields(self, name: str) -> tuple[FieldHelp, ...]:
        """The fields of the method called `name`, for help and tables."""
        cls = self.get(name)
        if not dataclasses.is_dataclass(cls):
            return ()
        hints = get_type_hints(cls)
        return tuple(
            FieldHelp(f.name, _type_text(hints[f.name]), _default_text(f), _choices(hints[f.name]))
            for f in dataclasses.fields(cls)
            if f.init
        )

    def summary(self, name: str) -> str:
        """The first line of the method's docstring, empty without one."""
        return next(iter(self.description(name).splitlines()), "")

    def description(self, name: str) -> str:
        """The method's docstring, empty without one: the signature that a dataclass makes up says nothing of it."""
        method = self.get(name)
        said = inspect.getdoc(method) or ""
        return "" if said.startswith(f"{getattr(method, '__name__', None)}(") else said.strip()

    def spec_of(self, method: object, *, without: Collection[str] = (), every: bool = False) -> str:
        """The specification that builds `method` again: its name and the fields that differ from default.

        Fields named in `without` are left out; with `every` those at their defaults are written too.
        """
        parts = []
        for field in dataclasses.fields(cast(Any, method)):
            value = getattr(method, field.name)
            if field.init and field.name not in without and (every or value != _default(field)):
                parts.append(f"{field.name}={_value_text(value)}")
        return self.name_of(method) + (":" + ",".join(parts) if parts else "")


def _method(found: object, name: str) -> type:
    """What a user's own name stands for, if it can be a method at all."""
    if not (callable(found) or dataclasses.is_dataclass(found) or hasattr(found, "poison")):
        raise SpecError(
            f"{name} is no method",
            expected="a frozen dataclass whose fields are its options, or a function",
            found=type(found).__name__,
        )
    return cast(type, found)


def _plain(cls: type, name: str) -> object:
    """An object of a class that is no dataclass, and so has no options."""
    try:
        return cls()
    except TypeError as error:
        raise SpecError(
            f"{name} cannot be built without arguments",
            expected="a frozen dataclass, whose fields are its options",
            found=str(error),
            remedy=f"Write @dataclass(frozen=True) above class {cls.__name__}, and its options as fields",
        ) from error


def split_spec(spec: str, known: Collection[str] = ()) -> tuple[str, dict[str, str]]:
    """Split `name:field=value,...` or `package.module:Class:field=value,...` into name and fields.

    A name that is `known` is no package. Raises SpecError for what cannot be read.
    """
    parts = spec.split(":")
    own = len(parts) > 1 and parts[0] not in known and parts[1].isidentifier()
    name = ":".join(parts[:2]) if own else parts[0]
    rest = ":".join(parts[2:] if own else parts[1:])
    given: dict[str, str] = {}
    for item in filter(None, rest.split(",")):
        field, separator, value = item.partition("=")
        if not separator or not field:
            raise SpecError(
                f"cannot read {item!r} in {spec!r}",
                expected="field=value, separated by commas",
                remedy=f"Write {name}:{item}=..., a value is missing"
                if item.isidentifier()
                else "Inside a value write / instead of a comma, as in color=255/0/0, or else %2C",
            )
        if field.strip().replace("-", "_") in given:
            raise SpecError(f"{field.strip()} is given twice in {spec!r}", remedy="Leave one of them out")
        given[field.strip().replace("-", "_")] = value.strip().replace("%2C", ",").replace("%25", "%")
    return name, given


def join_spec(name: str, given: Mapping[str, str]) -> str:
    """The specification that `split_spec` splits into these."""
    fields = ",".join(f"{field}={escaped(value)}" for field, value in given.items())
    return f"{name}:{fields}" if fields else name


def escaped(value: str) -> str:
    """A value as a specification holds it: a comma would end it, so it is written %2C, and a per cent sign %25."""
    return value.replace("%", "%25").replace(",", "%2C")


def build(cls: type, name: str, given: Mapping[str, str], defaults: Mapping[str, object]) -> object:
    """Make an instance of dataclass `cls` from texts, converted by the fields' types."""
    if unwritten := getattr(cls, "__abstractmethods__", None):
        raise SpecError(f"{name} is not finished", expected="a method " + ", ".join(sorted(unwritten)))
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
    unknown = [field for field in given if field not in fields]
    if unknown:
        raise SpecError(
            f"{name} has no field {unknown[0]!r}",
            expected="one of " + (", ".join(fields) or "no fields at all"),
            remedy=did_you_mean(unknown[0], fields),
        )
    hints = get_type_hints(cls)
    values: dict[str, Any] = {key: value for key, value in defaults.items() if key in fields}
    values |= {key: _convert(name, key, text, hints[key]) for key, text in given.items()}
    missing = [
        f.name
        for f in fields.values()
        if f.name not in values and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise SpecError(f"{name} needs a value for {missing[0]!r}", remedy=f"Write {name}:{missing[0]}=...")
    return cls(**values)


def _convert(name: str, field: str, text: str, hint: Any) -> object:
    if text.lower() == "none" and type(None) in get_args(hint):
        return None
    sequence = _tuple_type(hint)
    value: object = _parts(text, sequence) if sequence else text
    if float in (hint, *get_args(hint)) and not sequence:
        value = _fraction(text)
    try:
        return TypeAdapter(sequence or hint, config=ConfigDict(arbitrary_types_allowed=True)).validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise SpecError(
            f"{name}: {field}={text!r} does not fit",
            expected=_type_text(hint),
            found="" if _choices(hint) else reason,
            remedy=did_you_mean(text, _choices(hint)),
        ) from error


def _fraction(text: str) -> object:
    """The number of a text such as 16/255; the text itself when it is no fraction."""
    match = re.fullmatch(r"([+-]?\d+)/(\d+)", text)
    return int(match[1]) / int(match[2]) if match and int(match[2]) else text


def _parts(text: str, sequence: Any) -> list[str]:
    # 4x4 is two numbers, but fox is one name.
    return (text if str in get_args(sequence) else text.replace("x", "/")).split("/")


def _tuple_type(hint: Any) -> Any:
    if _is_union(hint):
        return next((arg for arg in get_args(hint) if get_origin(arg) is tuple), None)
    return hint if get_origin(hint) is tuple else None


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (typing.Union, types.UnionType)


def _choices(hint: Any) -> tuple[str, ...]:
    """All values of a field that has only a few, `none` among them where it may be left empty."""
    if get_origin(hint) is Literal:
        return tuple(str(value) for value in get_args(hint))
    parts = [part for part in get_args(hint) if part is not type(None)] if _is_union(hint) else []
    if len(parts) == 1 and _choices(parts[0]):
        return (*_choices(parts[0]), "none")
    return ()


def _type_text(hint: Any) -> str:
    """A type as a user of the command line reads it: `2 whole numbers, / between, or none`."""
    if _choices(hint):
        return "one of " + ", ".join(_choices(hint))
    if _is_union(hint):
        return ", or ".join(dict.fromkeys(_type_text(part) for part in get_args(hint)))
    parts = get_args(hint)
    if get_origin(hint) is tuple and parts:
        several = _type_text(parts[0]).removeprefix("a ") + "s"
        return f"{several}, / between" if parts[-1] is Ellipsis else f"{len(parts)} {several}, / between"
    if get_origin(hint) is collections.abc.Callable:
        return "package.module:name"
    return TYPES.get(hint) or (hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", ""))


def _default(field: dataclasses.Field[Any]) -> object:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return dataclasses.MISSING


def _default_text(field: dataclasses.Field[Any]) -> str:
    default = _default(field)
    return "(needed)" if default is dataclasses.MISSING else _value_text(default)


def _value_text(value: object) -> str:
    if isinstance(value, tuple):
        return "/".join(_value_text(part) for part in value)
    if isinstance(value, float) and len(repr(value)) > LONG:
        simple = Fraction(value).limit_denominator(255)
        if value > 0 and float(simple) == value:
            return f"{simple.numerator}/{simple.denominator}"
    return "none" if value is None else escaped(str(value))
