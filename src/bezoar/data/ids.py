"""Stable sample ids: `hash:relative/path` of a sample kept in a file, else `hash#k`, the k-th of identical ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np


def content_hash(content: bytes | memoryview | np.ndarray) -> str:
    """SHA-256 of the bytes a sample was read from, as 64 hexadecimal digits."""
    data = np.ascontiguousarray(content).data if isinstance(content, np.ndarray) else content
    return hashlib.sha256(data).hexdigest()


def short_hash(content: bytes | memoryview | np.ndarray) -> str:
    """The first 16 digits of the content hash, with which an id begins."""
    return content_hash(content)[:16]


def array_ids(rows: Iterable[np.ndarray | bytes]) -> tuple[str, ...]:
    """Ids of samples that have no path: short content hash, and #k for the k-th of identical samples."""
    seen: dict[str, int] = {}
    ids = []
    for row in rows:
        short = short_hash(row)
        count = seen.get(short, 0)
        seen[short] = count + 1
        ids.append(f"{short}#{count}")
    return tuple(ids)
