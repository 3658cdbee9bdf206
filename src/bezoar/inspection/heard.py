"""What a detector said of a model, and by what measure: the cuts that come with bezoar, or a user's references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bezoar.detect.models.base import ModelScores
from bezoar.inspection.calibration import model_calibration
from bezoar.inspection.references import References
from bezoar.records import Skipped
from bezoar.records.inspecting import ClassStatistic
from bezoar.records.references import ClassReference

BUILT_IN = "the calibration that comes with bezoar"


@dataclass(frozen=True, eq=False)
class Heard:
    """One detector's scores, the `statistics` (k,) that are judged, and their cut, None where it is only told.

    Beside references the statistics are spreads of these, and `beside` says of each class what it rests on.
    """

    spec: str
    scores: ModelScores
    statistics: NDArray[np.float64]
    cut: float | None
    beside: tuple[ClassReference, ...] = ()
    references: int | None = None
    notes: tuple[str, ...] = ()

    def over(self, label: int) -> float:
        """How many times its cut the statistic of a class is; 0 for a detector without one."""
        return 0.0 if self.cut is None else float(self.statistics[label]) / self.cut

    @property
    def looks_for_triggers(self) -> bool:
        """Whether a trigger was looked for towards each class."""
        return self.scores.inverted is not None or bool(self.scores.proposals)

    def size(self, label: int) -> str:
        """How large the trigger towards a class is, in words; "" where the detector compares no sizes."""
        size = self.scores.size(label) if self.scores.sized else None
        decimals = 0 if self.scores.inverted is None else 1
        return "" if size is None else f"{size:.{decimals}f} {self.scores.unit}"

    def told(self, names: Sequence[str]) -> tuple[ClassStatistic, ...]:
        """The statistic of every class as a record holds it."""
        return tuple(self._told(label, name) for label, name in enumerate(names))

    def _told(self, label: int, name: str) -> ClassStatistic:
        inverted = self.scores.inverted if self.scores.sized else None
        size = float(inverted.sizes[label]) if inverted is not None and inverted.worked[label] else None
        unit = "" if inverted is None else inverted.form.unit
        beside = self.beside[label] if self.beside else None
        return ClassStatistic(self.spec, name, round(float(self.statistics[label]), 4), size, unit, beside)


def heard(spec: str, scores: ModelScores, names: Sequence[str], references: References | None) -> Heard:
    """What a detector said, beside references where there are any."""
    if references is None:
        return Heard(spec, scores, scores.classes, model_calibration().cut(spec))
    compared = references.compared(spec, names, scores.classes)
    if isinstance(compared, Skipped):
        note = f"{spec} is told and judges nothing: {compared.reason}"
        return Heard(spec, scores, scores.classes, None, notes=(note,))
    return Heard(
        spec, scores, compared.statistics, compared.cut, compared.classes, compared.count, notes=compared.notes
    )
