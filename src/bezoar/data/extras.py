"""Optional packages, imported when they are first needed."""

from __future__ import annotations

from typing import Any

from bezoar.errors import MissingExtraError


def arrow() -> Any:
    """The pyarrow package. Raises MissingExtraError without it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("parquet files need pyarrow", extra="parquet") from error
    return pyarrow
