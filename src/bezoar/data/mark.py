"""The mark that a poisoned set carries, so that a drill never ships by accident."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass

from bezoar.errors import DataError, PoisonedDataWarning

NOTICE = "Poisoned on purpose by a bezoar drill. Do not train a production model on these data."


@dataclass(frozen=True)
class DrillMark:
    """Says that a data set was poisoned in a drill, and which truth file undoes it. Never says how or where."""

    drill: str
    notice: str = NOTICE

    def to_text(self) -> str:
        """The mark as one line of JSON, for file metadata."""
        return json.dumps(asdict(self), sort_keys=True)


def read_mark(text: str) -> DrillMark:
    """Read a mark from file metadata. Raises DataError when it is damaged."""
    try:
        fields = json.loads(text)
        return DrillMark(drill=str(fields["drill"]), notice=str(fields["notice"]))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            "the drill mark in the metadata is damaged",
            found=text[:80],
            remedy="Treat the data as poisoned and get them anew from their origin",
        ) from error


def warn_of_mark(mark: DrillMark, where: str) -> None:
    """Warn that the data at `where` were poisoned in a drill."""
    warnings.warn(
        f"{where}: {mark.notice} (drill {mark.drill}; bezoar attack --undo with its truth file restores the original)",
        PoisonedDataWarning,
        stacklevel=3,
    )
