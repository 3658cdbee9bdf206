"""A user's own objects, imported by their names."""

from __future__ import annotations

import importlib
import traceback
from pathlib import Path

from bezoar.errors import SpecError, did_you_mean


def import_object(path: str, kind: str) -> object:
    """Import a user's own object, named as `package.module:name`.

    Raises SpecError that tells a name not found from a file that fails while it is imported.
    """
    module_name, _, attribute = path.partition(":")
    what = f"cannot import the {kind} {path!r}"
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # the file is a stranger's, and importing it runs it
        if _is_not_found(error, module_name):
            raise SpecError(
                what,
                expected="package.module:name of something importable from here",
                found=f"{type(error).__name__}: {error}",
                remedy="Check the spelling, and that its folder is on PYTHONPATH",
            ) from error
        raise SpecError(
            f"{what}: its file fails when it is imported",
            found=f"{_place(error)}{type(error).__name__}: {error}",
            remedy=f"Mend it until python -c 'import {module_name}' works",
        ) from error
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        names = [name for name in vars(module) if not name.startswith("_")]
        raise SpecError(
            f"{what}: {module_name} has nothing called {attribute!r}",
            expected="package.module:name of something defined there",
            remedy=did_you_mean(attribute, names)
            or f"Check the spelling in {getattr(module, '__file__', module_name)}",
        ) from error


def _is_not_found(error: BaseException, module_name: str) -> bool:
    """Whether the module itself is not there, as against one that it imports in turn."""
    if not module_name or module_name.startswith("."):
        return True
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    return missing is not None and f"{module_name}.".startswith(f"{missing}.")


def _place(error: BaseException) -> str:
    """`file.py, line 3: ` of the innermost frame where it was raised; nothing for a fault of syntax, which says so."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}: " if not isinstance(error, SyntaxError) else ""
