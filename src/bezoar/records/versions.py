"""Which software made a result, and when."""

from __future__ import annotations

import datetime
import platform
from importlib import metadata


def versions() -> tuple[tuple[str, str], ...]:
    """Names and versions of what determines a result."""
    packages = tuple((name, metadata.version(name)) for name in ("bezoar", "torch", "numpy", "pillow"))
    return (*packages, ("python", platform.python_version()))


def now() -> str:
    """The present moment in UTC, to the second, as ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
