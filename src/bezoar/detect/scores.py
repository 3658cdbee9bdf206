"""What a detector of samples is given and what it gives back. Higher is more suspicious, everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from bezoar.errors import DataError
from bezoar.evidence import Evidence, Real
from bezoar.records import Skipped
from bezoar.registry import Registry


@dataclass(frozen=True, eq=False)
class Scores:
    """How suspicious each sample is, and, where a detector can tell, each class.

    `values` (n,) belong to `ids`, finite, higher more suspicious; comparable within a class, not between detectors.
    `classes` (k,) is the detector's statistic of each class, higher more suspicious, NaN where it cannot be told;
    None for a detector that ranks only. What is a high statistic, calibration says, not the detector.
    Raises DataError on lengths that differ and on values that are not finite.
    """

    ids: tuple[str, ...]
    values: Real
    classes: Real | None = None
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.ids),):
            raise DataError(
                "scores and ids differ in length", expected=f"({len(self.ids)},)", found=str(self.values.shape)
            )
        if not np.isfinite(self.values).all():
            raise DataError("scores must be finite", found=str(self.values[~np.isfinite(self.values)][0]))

    def by_id(self) -> Mapping[str, float]:
        """Score of each sample by id."""
        return dict(zip(self.ids, self.values.tolist(), strict=True))


@runtime_checkable
class SampleDetector(Protocol):
    """Scores samples from evidence. The configuration is its fields; calls keep no state."""

    def score(self, evidence: Evidence, *, trusted: Evidence | None = None, seed: int) -> Scores | Skipped:
        """Scores by id, or why there are none. `trusted` is evidence of the same kind about samples known to be clean.

        The answer follows the ids, whatever the order of the rows, and depends on nothing but evidence and seed.
        """
        ...


SAMPLE_DETECTORS: Registry[SampleDetector] = Registry("sample detector")
