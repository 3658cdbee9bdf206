"""Data sets that come with the package: drawn from a seed when asked for, so that nothing is downloaded.

`EMBEDDED[name](split, seed)` gives a Dataset; splits are "train" and "test".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bezoar.data.dataset import Dataset
from bezoar.data.embedded.signs import draw_signs, signs_split

__all__ = ["EMBEDDED", "draw_signs"]

EMBEDDED: Final[dict[str, Callable[[str, int], Dataset]]] = {"signs": signs_split}
