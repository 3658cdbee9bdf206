"""A user's own trained model: a module, or a function that gives one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import cast

import torch
from torch import nn

from bezoar.errors import ModelError
from bezoar.importing import import_object

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def own_model(path: str, classes: int | None) -> nn.Module:
    """The module called `path`, or the one that the function of this name gives; it is the user's own object.

    The function is called with the number of classes if it takes an argument. Raises SpecError when there is nothing
    of this name, ModelError when it gives no module, or wants the number of classes and that is not known (None).
    """
    found = import_object(path, "model")
    if callable(found) and not isinstance(found, nn.Module):
        found = _called(path, found, _arguments(path, found, classes))
    if not isinstance(found, nn.Module):
        raise ModelError(f"{path} gave no model", expected="a torch.nn.Module", found=type(found).__name__)
    return found


def _arguments(path: str, function: object, classes: int | None) -> tuple[int, ...]:
    if not wants_argument(function):
        return ()
    if classes is None:
        raise ModelError(
            f"{path} wants the number of classes, which is not known",
            expected="the names of the classes in order",
            remedy="Say the classes, or give a function that needs no argument",
        )
    return (classes,)


def wants_argument(function: object) -> bool:
    """Whether a function cannot be called without an argument; True where Python does not know."""
    try:
        parameters = inspect.signature(cast(Callable[..., object], function)).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(option.default is option.empty and option.kind in POSITIONAL for option in parameters)


def _called(path: str, function: Callable[..., object], arguments: tuple[int, ...]) -> object:
    try:
        with torch.random.fork_rng(devices=[]):
            return function(*arguments)
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"{path} failed",
            expected="a function that loads and returns your trained torch.nn.Module",
            found=f"{type(error).__name__}: {error}".splitlines()[0],
            remedy="Call it yourself in Python until it works",
        ) from error
