"""A part of a class that shows the same values in the same columns, such as a patch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bezoar.detect.numerics.moments import blocks
from bezoar.detect.numerics.shared_values import BINS, Place, coded, companions, histogram, shown, spikes
from bezoar.detect.samples.by_class import drawn
from bezoar.detect.samples.hidden_pattern import HiddenPattern
from bezoar.detect.scores import SAMPLE_DETECTORS, Scores
from bezoar.errors import UsageError
from bezoar.evidence import Evidence, Matrix
from bezoar.records import Skipped

LEAST = 40
LEVELS, LOOKED_AT = BINS, 200
"""Values that take fewer levels, in so many rows, are shared by nature: digits of 17 levels had a class stand out."""
_SHOWN = "shown"


@SAMPLE_DETECTORS.register("shared-pixels")
@dataclass(frozen=True)
class SharedPixels:
    """Finds a part of a class whose samples have nearly the same values in a few columns of `rows`, as patches leave.

    Values are put into 64 bins between the least and the largest. For each class the `spikes` places (a column and a
    bin) are sought that hold more of the values near them than they do in other classes, and for each of these the
    `context` places that go with it in other classes: a white patch is told from a white background by what lies
    beside. How far every sample shows each place is a matrix of its own, and a part of a class that lies apart in it
    is found, cross-fitted over halves, by `HiddenPattern`, whose scores and statistic these are; its whitening is what
    asks for values that occur together without others that go with them as a rule.

    Assumes columns in one unit. Places are chosen on all samples, their weights on the half that isn't judged, and a
    group counts as far as other classes don't have it (`foreign`). At most `most` samples of a class and `elsewhere` of
    all classes choose places. Classes of fewer than 40 samples can't be told. Own method.
    """

    rows: str = "pixels"
    spikes: int = 40
    context: int = 3
    most: int = 4_000
    elsewhere: int = 6_000

    def __post_init__(self) -> None:
        if min(self.spikes, self.most, self.elsewhere) < 1 or self.context < 0:
            raise UsageError(
                "shared-pixels: spikes, most and elsewhere are at least 1, context at least 0", found=repr(self)
            )

    def score(self, evidence: Evidence, *, trusted: Evidence | None = None, seed: int) -> Scores | Skipped:
        """Scores by id; Skipped without the evidence, two classes of 40 samples, 64 levels, or values that stand out.

        `trusted` is not used.
        """
        matrix = evidence.inputs.get(self.rows)
        if matrix is None:
            return Skipped(f"no evidence {self.rows} was gathered")
        testable = [label for label in range(evidence.classes) if len(evidence.members(label)) >= LEAST]
        if len(testable) < 2:
            return Skipped(f"fewer than two classes have {LEAST} samples, so nothing is usual among others")
        sample = drawn(evidence, np.arange(len(evidence)), self.elsewhere, seed)
        low, high = float(matrix[sample].min()), float(matrix[sample].max())
        if high <= low:
            return Skipped(f"all values of {self.rows} are alike")
        levels = len(np.unique(matrix[sample[:LOOKED_AT]]))
        if levels < LEVELS:
            return Skipped(f"{self.rows} take {levels} levels only, so that many samples share any of them")
        places = self._places(evidence, matrix, sample, testable, (low, high), seed)
        if not places:
            return Skipped(f"no value of {self.rows} stands out in any class")
        rows = np.empty((len(evidence), len(places)), np.float16)
        for turn, block in blocks(matrix):
            rows[turn] = shown(coded(block, low, high), places)
        strict = HiddenPattern(rows=_SHOWN, foreign=True)
        return strict.score(replace(evidence, inputs={_SHOWN: rows}), seed=seed)

    def _places(
        self,
        evidence: Evidence,
        matrix: Matrix,
        sample: np.ndarray,
        testable: list[int],
        bounds: tuple[float, float],
        seed: int,
    ) -> list[Place]:
        """Spikes of each class and what goes with them, each place once."""
        codes = coded(matrix[sample], *bounds)
        everyone, labels = histogram(codes), evidence.labels[sample]
        found: dict[Place, None] = {}
        for label in testable:
            others = codes[labels != label]
            usual = everyone - histogram(codes[labels == label])
            chosen = drawn(evidence, evidence.members(label), self.most, seed)
            standing_out = spikes(histogram(coded(matrix[chosen], *bounds)), usual, self.spikes)
            found.update(dict.fromkeys(standing_out))
            for place in standing_out if self.context else ():
                found.update(dict.fromkeys(companions(others, place, usual, self.context)))
        return sorted(found)
