"""A part of a class that shares a pattern: a cross-fitted linear detector that sharpens itself by matched filters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bezoar.detect.numerics.moments import Moments, blocks, moments_by_part
from bezoar.detect.numerics.odd_direction import OddPart, Single, Whitener, odd_part, origins
from bezoar.detect.numerics.ridge import Folds
from bezoar.detect.samples.by_class import drawn, in_order_of_ids
from bezoar.detect.samples.doubt import content_doubt
from bezoar.detect.samples.kept import Kept, halves_of
from bezoar.detect.scores import SAMPLE_DETECTORS, Scores
from bezoar.errors import UsageError
from bezoar.evidence import Evidence, Matrix, Real
from bezoar.evidence.samples.content import CONTENT
from bezoar.records import Skipped

LABELS = "labels"
LEAST = 40
"""A class needs this many samples: half of them find a direction, the others judge it."""
LEAST_OF_HALF = 10
COLUMNS_A_ROW = 0.08
"""The ridge is at least so many times columns over rows: 0.01 for 25,000 rows of spectra, 0.25 for 1,000."""


@SAMPLE_DETECTORS.register("hidden-pattern")
@dataclass(frozen=True)
class HiddenPattern:
    """Finds a part of a class that lies apart from the rest of it along one direction of the evidence `rows`.

    `rows` names a matrix of samples (such as spectrum) or a layer. Linear discriminants to the labels, whitened by the
    covariance within classes and fitted on the other half of the data, give every sample a first score for its own
    label. In each class the most suspicious shares `starts` by that score are then taken for carriers of a pattern; the
    whitened difference between their mean and that of the rest is a matched filter for it, judged on the half it was
    not found on; its odds take the suspects' place, `rounds` times. The start that leads to the clearest odd part wins.

    With `first` content, the first score is instead what coarse content says against the sample's label, see
    `content_doubt`. It finds carriers of triggers so faint that no label can be told by them, and of a class whose half
    is poison the right half; of carriers whose labels are right it knows nothing.

    The statistic of a class is that of `OddPart`; a score is the distance from the main part of the class in its
    scales. Assumes that suspects agree in something linear in `rows`; of a class, at most `most` samples find the
    directions, all are judged. `penalty` is the ridge relative to a column's variance,
    more where there are few rows, see `COLUMNS_A_ROW`.
    With `foreign` a group counts as far as other classes don't have it. Classes of fewer than 40 samples, or of fewer
    than 10 in a half, can't be told. Own method; the first step is linear discriminant analysis,
    the second Neyman and Pearson's matched filter.
    """

    rows: str = "spectrum"
    first: str = LABELS
    starts: tuple[float, ...] = (0.005, 0.02, 0.1, 0.35)
    rounds: int = 4
    penalty: float = 0.01
    most: int = 10_000
    elsewhere: int = 6_000
    foreign: bool = False

    def __post_init__(self) -> None:
        if self.first not in (LABELS, CONTENT.name):
            raise UsageError(
                "hidden-pattern: the first score is of one of two kinds",
                expected=f"first={LABELS} or first={CONTENT.name}",
                found=self.first,
            )
        if not self.starts or min(self.starts) <= 0 or max(self.starts) >= 1 or self.rounds < 1:
            raise UsageError(
                "hidden-pattern: starts lie between 0 and 1 and there is at least one round", found=repr(self)
            )

    def score(self, evidence: Evidence, *, trusted: Evidence | None = None, seed: int) -> Scores | Skipped:
        """Scores by id, or Skipped without the evidence or without a class of 40 samples. `trusted` is not used."""
        matrix = evidence.inputs.get(self.rows, evidence.layers.get(self.rows))
        if matrix is None:
            return Skipped(f"no evidence {self.rows} was gathered")
        halves = halves_of(evidence, seed=seed)
        counts = [np.bincount(evidence.labels[halves == half], minlength=evidence.classes) for half in (0, 1)]
        testable = np.flatnonzero((counts[0] + counts[1] >= LEAST) & (np.minimum(*counts) >= LEAST_OF_HALF)).tolist()
        if not testable:
            return Skipped(f"no class has {LEAST} samples")
        doubt = content_doubt(evidence, seed=seed) if self.first == CONTENT.name else None
        if self.first == CONTENT.name and doubt is None:
            return Skipped("nothing can be told from coarse content: it was not gathered, or there is one class")
        search = _Search(evidence, matrix, self, seed, doubt)
        values, statistics = np.zeros(len(evidence)), np.full(evidence.classes, np.nan)
        for label in testable:
            members, scores, statistic = search.judge(label)
            values[members], statistics[label] = scores, statistic
        return Scores(evidence.ids, values, statistics)


@dataclass(frozen=True, eq=False)
class _Basis:
    """What searches of the same rows share: moments and a whitener for either half, both of the other one; and a
    `sample` of all rows, as they are `sampled`, less the means of their classes.
    """

    moments: tuple[Moments, Moments]
    whiteners: tuple[Whitener, Whitener]
    sample: NDArray[np.int64]
    sampled: Single

    @classmethod
    def of(cls, evidence: Evidence, matrix: Matrix, settings: HiddenPattern, halves: Folds, seed: int) -> _Basis:
        """Of few rows in many columns the covariance is mostly chance: they get a ridge for so many."""
        first, second = moments_by_part(matrix, evidence.labels, evidence.classes, halves, 2)
        few = [COLUMNS_A_ROW * matrix.shape[1] / max(1.0, part.total) for part in (second, first)]
        ridges = [max(settings.penalty, ridge) for ridge in few]
        sample = drawn(evidence, np.arange(len(evidence)), settings.elsewhere, seed)
        labels, half = evidence.labels[sample], halves[sample, None]
        means = np.where(half == 0, second.means[labels], first.means[labels]).astype(np.float32)
        sampled = matrix[sample].astype(np.float32) - means
        return cls((second, first), (Whitener(second, ridges[0]), Whitener(first, ridges[1])), sample, sampled)


_bases: Kept[_Basis] = Kept(1)


class _Search:
    """What all classes share: halves, their moments, whiteners, first scores and rows of other classes."""

    def __init__(
        self, evidence: Evidence, matrix: Matrix, settings: HiddenPattern, seed: int, first: Real | None
    ) -> None:
        self.evidence, self.matrix, self.settings, self.seed = evidence, matrix, settings, seed
        self.halves, self.quarters = halves_of(evidence, seed=seed), halves_of(evidence, seed=seed + 1)
        basis = _bases.get(
            evidence,
            (settings.rows, settings.penalty, settings.elsewhere, seed),
            lambda: _Basis.of(evidence, matrix, settings, self.halves, seed),
        )
        self.moments, self.whiteners = basis.moments, basis.whiteners
        self.sample, self.sampled = basis.sample, basis.sampled
        self.first = self._first_scores() if first is None else first

    def judge(self, label: int) -> tuple[np.ndarray, Real, float]:
        """Rows of a class in order of their ids, the score of each, and the statistic of the class."""
        members = in_order_of_ids(self.evidence, self.evidence.members(label))
        chosen = drawn(self.evidence, members, self.settings.most, self.seed)
        elsewhere = self.evidence.labels[self.sample] != label
        part = odd_part(
            self._rows(chosen),
            self.first[chosen],
            self.halves[chosen],
            self.sampled[elsewhere],
            self.halves[self.sample[elsewhere]],
            self.whiteners,
            starts=self.settings.starts,
            rounds=self.settings.rounds,
            foreign=self.settings.foreign,
            quarters=self.quarters[chosen],  # halves of halves: another hash of the id
        )
        scores = part.scores if len(chosen) == len(members) else self._scores_of(members, part)
        return (chosen if len(chosen) == len(members) else members), scores, part.statistic

    def _first_scores(self) -> Real:
        """Each row's own-label discriminant, fitted on the other half."""
        directions = [
            whitener.directions(moments.means - moments.mean)
            for whitener, moments in zip(self.whiteners, self.moments, strict=True)
        ]
        first = np.empty(len(self.evidence))
        for turn, block in blocks(self.matrix):
            rows, labels = block.astype(np.float32), self.evidence.labels[turn]
            both = [np.take_along_axis(rows @ found, labels[:, None], axis=1)[:, 0] for found in directions]
            first[turn] = np.where(self.halves[turn] == 0, both[0], both[1])
        return first

    def _scores_of(self, members: np.ndarray, part: OddPart) -> Real:
        """Scores of all members of a large class, block by block, as `odd_part` gives them to those it drew."""
        scores = np.empty(len(members))
        for start in range(0, len(members), self.settings.most):
            turn = slice(start, start + self.settings.most)
            both = self._rows(members[turn]) @ part.directions.T
            scores[turn] = np.where(self.halves[members[turn]] == 0, both[:, 0], both[:, 1])
        halves = self.halves[members]
        order = np.argsort(halves, kind="stable")
        split = int((halves == 0).sum())
        found = origins(scores[order][None], (slice(0, split), slice(split, len(members))))
        scores -= np.where(halves == 0, found[0], found[1])
        return (scores - part.place) / part.scale

    def _rows(self, rows: np.ndarray) -> Single:
        found: Single = self.matrix[rows].astype(np.float32)
        return found
