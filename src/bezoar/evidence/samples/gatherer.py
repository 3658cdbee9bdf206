"""What a gatherer of evidence from samples alone consists of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bezoar.data import Dataset

Blocks: TypeAlias = Iterator[tuple[slice, NDArray[np.floating]]]
"""Rows of the data, and their evidence (m, width); every row comes once."""


@dataclass(frozen=True)
class SampleGatherer:
    """Evidence of one kind: its name in `Evidence.inputs`, whether data have it, its width, and its rows in blocks.

    `version` is raised whenever the numbers change, so that what was kept of an older one is not taken for it. `blocks`
    depends on nothing but the data, in a working set that doesn't grow with them.
    """

    name: str
    version: int
    applies: Callable[[Dataset], bool]
    width: Callable[[Dataset], int]
    blocks: Callable[[Dataset], Blocks]
