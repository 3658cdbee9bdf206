"""Data sets that come with the package: drawn from a seed when asked for, so that nothing is downloaded.

`EMBEDDED[name].split(split, seed)` gives a Dataset; splits are "train" and "test".
"""

from __future__ import annotations

from typing import Final

from bezoar.data.embedded.aircraft import AIRCRAFT
from bezoar.data.embedded.documents import DOCUMENTS
from bezoar.data.embedded.drawing import DrawnSet
from bezoar.data.embedded.faces import FACES
from bezoar.data.embedded.signs import SIGNS

__all__ = ["EMBEDDED", "DrawnSet"]

EMBEDDED: Final[dict[str, DrawnSet]] = {drawn.name: drawn for drawn in (SIGNS, FACES, DOCUMENTS, AIRCRAFT)}
