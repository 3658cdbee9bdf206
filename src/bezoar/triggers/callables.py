"""Any Python callable on NHWC arrays as a trigger, so that perturbation functions run unchanged."""

from __future__ import annotations

import ast
import functools
import importlib
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from bezoar.errors import TriggerError
from bezoar.triggers.about import About
from bezoar.triggers.base import RANGE_TOLERANCE, TRIGGERS, ImageTrigger
from bezoar.triggers.checks import require_at_least, require_one_of


@TRIGGERS.register("callable")
@dataclass(frozen=True)
class CallableTrigger(ImageTrigger):
    """Runs any `function(array) -> array` on NHWC arrays, such as the perturbation functions of ART.

    `function` is a callable, or its name as `package.module:name` or `package.module.name`; `arguments` are keyword
    arguments for it, `name=value;name=value`, read as Python literals where they are such. A callable that
    can be imported by name, and a functools.partial of one with plain keyword arguments, are kept under that
    name, so that the specification builds them again; a lambda or a closure works but cannot be rebuilt.

    With `pixels` float (the default, which ART's functions and their default values expect) the function
    gets float32 in 0..1, float64 for a float64 batch, and must give floats in 0..1 back; with uint8 it gets
    uint8 and must give integers in 0..255 back. It always gets a copy of the whole batch, which it may
    change. Results are rounded, halves to even, for a uint8 batch.

    NumPy's, Python's and torch's global random generators are set from `seed` for the call and put back
    after it: a function that draws from them is reproducible, but what it draws for an image depends on the
    image's position in the batch, unlike that of the built-in triggers.

    Raises TriggerError when the function cannot be found or fails, or returns another shape, kind or range.
    """

    function: Callable[..., Any] | str
    arguments: str = ""
    pixels: Literal["float", "uint8"] = "float"
    seed: int = 0
    resolved: Callable[..., Any] = field(init=False, repr=False, compare=False)

    about: ClassVar[About] = About("own", "your own function")

    def __post_init__(self) -> None:
        require_one_of("callable", "pixels", self.pixels, ("float", "uint8"))
        require_at_least("callable", "seed", self.seed, 0)
        function = self.function
        if isinstance(function, functools.partial) and not self.arguments and _has_plain_keywords(function):
            object.__setattr__(self, "arguments", format_arguments(function.keywords))
            function = function.func
        target = find_function(function) if isinstance(function, str) else function
        if not callable(target):
            raise TriggerError("callable: the function cannot be called", found=repr(target))
        object.__setattr__(self, "function", dotted_name(target) or target)
        resolved = functools.partial(target, **parse_arguments(self.arguments)) if self.arguments else target
        object.__setattr__(self, "resolved", resolved)

    def apply(self, images: Tensor) -> Tensor:
        """Run the function on a copy and write what it gives into the images."""
        array = self._array(images)
        with _seeded(self.seed):
            try:
                result = self.resolved(array)
            except Exception as error:
                raise TriggerError(
                    f"the trigger function {self.function} failed",
                    found=f"{type(error).__name__}: {error}",
                    remedy="It is called with one NHWC array, " + self._expected(array),
                ) from error
        values = torch.from_numpy(np.ascontiguousarray(self._checked(result, array))).permute(0, 3, 1, 2)
        if self.pixels == "uint8":
            scaled = values if images.dtype == torch.uint8 else values / 255
        else:
            scaled = (values * 255).round() if images.dtype == torch.uint8 else values
        return images.copy_(scaled)

    def _array(self, images: Tensor) -> np.ndarray:
        """A writable NHWC array of the pixels the function asks for."""
        working = torch.float64 if images.dtype == torch.float64 else torch.float32
        floats = images.dtype != torch.uint8
        if self.pixels == "float":
            values = images.to(working) if floats else images.to(working) / 255
        else:
            values = (images.to(working) * 255).round().clamp(0, 255).to(torch.uint8) if floats else images
        return np.array(values.cpu().permute(0, 2, 3, 1).numpy(), order="C")

    def _checked(self, result: object, given: np.ndarray) -> np.ndarray:
        """The result when it is of the shape, kind and range asked for; floats pulled into 0..1 by rounding only."""
        values = np.asarray(result)
        right_kind = "f" if self.pixels == "float" else "iu"
        limit = 1 if self.pixels == "float" else 255
        if values.shape != given.shape or values.dtype.kind not in right_kind:
            raise self._wrong(f"shape {values.shape}, {values.dtype}", given)
        low, high = float(values.min()), float(values.max())
        if not (low >= -RANGE_TOLERANCE and high <= limit + RANGE_TOLERANCE):
            raise self._wrong(f"values {low:g} to {high:g}", given)
        if self.pixels == "uint8":
            return values.astype(np.uint8, copy=False)
        return values.astype(given.dtype, copy=False).clip(0, 1)

    def _wrong(self, found: str, given: np.ndarray) -> TriggerError:
        return TriggerError(
            f"the trigger function {self.function} returned something else than such a batch",
            expected=self._expected(given),
            found=found,
            remedy="Mend the function, or choose pixels=float or pixels=uint8, whichever it works on",
        )

    def _expected(self, given: np.ndarray) -> str:
        return f"shape {given.shape}, {'floats in 0..1' if self.pixels == 'float' else 'integers in 0..255'}"


def find_function(name: str) -> object:
    """The object called `package.module.name`, or `package.module:name`, maybe within a class. Raises TriggerError."""
    parts = name.replace(":", ".").split(".")
    for cut in range(len(parts) - 1, 0, -1):
        module_name = ".".join(parts[:cut])
        try:
            found: object = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is not None and (module_name + ".").startswith(error.name + "."):
                continue
            raise _not_found(name, str(error)) from error
        except Exception as error:
            raise _not_found(name, f"{type(error).__name__}: {error}") from error
        try:
            return functools.reduce(getattr, parts[cut:], found)
        except AttributeError as error:
            raise _not_found(name, str(error)) from error
    raise _not_found(name, "no such module")


def _not_found(name: str, reason: str) -> TriggerError:
    return TriggerError(
        f"cannot import the trigger function {name!r}",
        expected="package.module:name of something importable from here",
        found=reason,
        remedy="Check the spelling, and that its folder is on PYTHONPATH",
    )


def dotted_name(function: object) -> str | None:
    """The dotted name that imports this very object, None when there is none."""
    name = f"{getattr(function, '__module__', None)}.{getattr(function, '__qualname__', None)}"
    if name.startswith("__main__.") or not all(part.isidentifier() for part in name.split(".")):
        return None
    try:
        return name if find_function(name) is function else None
    except TriggerError:
        return None


def parse_arguments(text: str) -> dict[str, object]:
    """Read `name=value;name=value`; a value that is no Python literal is text. Raises TriggerError."""
    arguments: dict[str, object] = {}
    for item in filter(None, (part.strip() for part in text.split(";"))):
        name, separator, value = item.partition("=")
        if not separator or not name.strip().isidentifier():
            raise TriggerError(
                f"callable: cannot read {item!r} in its arguments", expected="name=value, separated by semicolons"
            )
        try:
            arguments[name.strip()] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError):
            arguments[name.strip()] = value.strip()
    return arguments


def format_arguments(arguments: Mapping[str, object]) -> str:
    """Keyword arguments as `name=value;name=value`, literals that `parse_arguments` reads back."""
    return ";".join(f"{name}={value!r}" for name, value in arguments.items())


def _has_plain_keywords(function: functools.partial[Any]) -> bool:
    if function.args:
        return False
    try:
        return parse_arguments(format_arguments(function.keywords)) == function.keywords
    except TriggerError:
        return False


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Set the global generators a stranger's function may draw from, and put them back afterwards."""
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        try:
            np.random.seed(seed % 2**32)  # noqa: NPY002
            random.seed(seed)
            torch.default_generator.manual_seed(seed)
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)
