"""Activation clustering: poison forms a cluster of its own among the features of its class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bezoar.detect.numerics.covariance import Rows
from bezoar.detect.numerics.eigen import reduced
from bezoar.detect.numerics.mixture import two_means, valley
from bezoar.detect.samples.by_class import LEAST, ClassJudgement, ClassStructure, judge_classes, layer_of
from bezoar.detect.scores import SAMPLE_DETECTORS, Scores
from bezoar.errors import UsageError
from bezoar.evidence import Evidence, Real
from bezoar.records import Skipped


@dataclass(frozen=True, eq=False)
class _Line:
    """A class along the line through the centres of its clusters.

    Who is in the second (m,), the places from the middle between the centres (m,), and the depth of the valley.
    """

    second: NDArray[np.bool_]
    along: Real
    depth: float


@SAMPLE_DETECTORS.register("activation-clustering")
@dataclass(frozen=True)
class ActivationClustering:
    """Two clusters in the features of each class, and a test of whether there are two at all.

    Chen et al. 2018, arXiv 1811.03728: the features of a class are reduced to `components` independent components and
    split by 2-means. Independent components of unit variance are whitened principal components, rotated, and 2-means
    doesn't see a rotation: so the principal components are whitened and not rotated, to the same clusters. `layer` is
    that whose features are used, the deepest by default.

    Deviations: 2-means starts from splits along each component, not from chance. The paper judges a class by the sizes
    of its clusters or by their silhouette, which condemn one cluster of clean classes too; here the statistic is the
    depth of the valley between the clusters along the line through their centres (`valley`), below 0 where there is one
    mode. The odd cluster is the smaller, but of two about equal ones that at an unusual distance from other classes
    (`ClassStructure.second_is_odd`). A score is not a yes or no but the place along that line, from the middle between
    the centres towards the odd one, in units of the spread within the clusters. It is multiplied by the share of the
    lower mode that the valley lacks, so that samples of classes with one mode stay near 0.
    """

    components: int = 10
    layer: str | None = None

    def __post_init__(self) -> None:
        if self.components < 1:
            raise UsageError("activation-clustering: components must be at least 1", found=str(self.components))

    def score(self, evidence: Evidence, *, trusted: Evidence | None = None, seed: int) -> Scores | Skipped:
        """Scores by id. Skipped without features; `trusted` and `seed` are not used."""
        matrix = layer_of(evidence, self.layer)
        if isinstance(matrix, Skipped):
            return matrix
        structure = ClassStructure(matrix, evidence)
        # All classes are split before the first is judged, which may take a look at the covariances of the others.
        members = {label: evidence.members(label) for label in range(evidence.classes)}
        lines = {label: self._line(structure, label, rows) for label, rows in members.items() if len(rows) >= LEAST}
        return judge_classes(evidence, lambda label, rows: _judged(structure, label, rows, lines[label]))

    def _line(self, structure: ClassStructure, label: int, rows: Rows) -> _Line | None:
        points = reduced(structure.matrix, rows, structure.own(label), self.components, whiten=True)
        split = two_means(points) if points.shape[1] else None
        if split is None:
            return None
        apart = split.centres[1] - split.centres[0]
        along = (points - split.centres.mean(0)) @ (apart / np.linalg.norm(apart))
        return _Line(split.second, along, valley(along))


def _judged(structure: ClassStructure, label: int, rows: Rows, line: _Line | None) -> ClassJudgement | None:
    if line is None:
        return None
    second, along = line.second, line.along
    own = np.where(second, along[second].mean(), along[~second].mean())
    # Without a valley there is nothing to tell apart, and the other classes needn't be looked at.
    groups = rows[~second], rows[second]
    odd = structure.second_is_odd(label, *groups) if line.depth > 0 else len(groups[1]) <= len(groups[0])
    doubt = float(np.exp(-max(line.depth, 0.01)))
    place = along / max(float((along - own).std()), 1e-6) * (1 - doubt)
    return ClassJudgement(place if odd else -place, line.depth)
