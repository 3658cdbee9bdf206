"""Stable sample ids: a content hash plus a relative path, or a counter among identical samples."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np


def content_hash(content: bytes | memoryview | np.ndarray) -> str:
    """SHA-256 of the bytes a sample was read from, as 64 hexadecimal digits."""
    data = np.ascontiguousarray(content).data if isinstance(content, np.ndarray) else content
    return hashlib.sha256(data).hexdigest()


def path_id(content: bytes, relative_path: str) -> str:
    """Id of a sample kept in a file: short content hash and path relative to the data's root."""
    return f"{content_hash(content)[:16]}:{relative_path}"


def array_ids(rows: Iterable[np.ndarray | bytes]) -> tuple[str, ...]:
    """Ids of samples that have no path: short content hash, and #k for the k-th of identical samples."""
    seen: dict[str, int] = {}
    ids = []
    for row in rows:
        short = content_hash(row)[:16]
        count = seen.get(short, 0)
        seen[short] = count + 1
        ids.append(f"{short}#{count}")
    return tuple(ids)
