"""Clustering over several layers: where poison parts from its class is not the same layer for every attack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bezoar.detect.numerics.covariance import Points, Rows, inverse_root, mean_and_covariance
from bezoar.detect.numerics.density import DensitySplit, stable_split
from bezoar.detect.numerics.eigen import leading_directions, project
from bezoar.detect.samples.by_class import ClassJudgement, ClassStructure, drawn, in_order_of_ids, judge_classes
from bezoar.detect.scores import SAMPLE_DETECTORS, Scores
from bezoar.errors import UsageError
from bezoar.evidence import Evidence, Matrix, Real
from bezoar.records import Skipped

CLUSTERED = 1200
"""At most so many samples of a class are clustered; the others are told by what was found."""


@SAMPLE_DETECTORS.register("layer-clustering")
@dataclass(frozen=True)
class LayerClustering:
    """The most stable split of each class into two dense clusters of features fused from all layers.

    After FLARE, Hou et al. 2024, arXiv 2411.19479: features of all layers are standardised and put beside each other,
    reduced, and clustered by density; layers are left out from the deepest on, and the choice with the most stable
    split is kept. The statistic of a class is the stability of the less stable of the two.

    Deviations: FLARE clusters the whole data set at once and takes for each channel the place that departs most from
    the statistics of batch norm. Here every class is clustered by itself; evidence holds one number for each channel,
    and each layer is whitened by the covariance that its classes share. Of each layer the `components` directions along
    which the class varies most are kept, and of all together as many again, where FLARE uses UMAP. The clustering is
    HDBSCAN's hierarchy, cut where both sides are most stable and hold at least the share `least` of the class, on at
    most 1,200 samples of a class. FLARE takes the more stable cluster for the poison; measured, that is wrong for
    patches put on many classes, whose poison is spread wide: the odd cluster is told by its size and its distance from
    the other classes (`ClassStructure.second_is_odd`). A score is the place between the two clusters' means in units of
    their common covariance, and multiplied by the statistic, so that classes without a split stay near 0. Where poison
    forms several clusters, the most stable one is told from everything else.
    """

    components: int = 3
    least: float = 0.02

    def __post_init__(self) -> None:
        if self.components < 1 or not 0 < self.least < 0.5:
            raise UsageError("layer-clustering: components at least 1, least between 0 and 0.5", found=repr(self))

    def score(self, evidence: Evidence, *, trusted: Evidence | None = None, seed: int) -> Scores | Skipped:
        """Scores by id. Skipped without features; `trusted` is not used."""
        if not evidence.layers or not len(evidence):
            return Skipped("no features of a probe were gathered")
        layers = [ClassStructure(matrix, evidence) for matrix in evidence.layers.values()]
        roots = [inverse_root(layer.shared) for layer in layers]

        def judge(label: int, rows: Rows) -> ClassJudgement | None:
            # Many distances are equal, and which of them is joined first must not depend on the order of rows.
            ordered = in_order_of_ids(evidence, rows)
            chosen = np.isin(ordered, drawn(evidence, rows, CLUSTERED, seed))
            pairs = zip(layers, roots, strict=True)
            points = [_along(layer.matrix, ordered, root, self.components) for layer, root in pairs]
            found = self._judge(layers, points, label, ordered, chosen)
            return None if found is None else ClassJudgement(found.values[np.argsort(ordered)], found.statistic)

        return judge_classes(evidence, judge, least=2 * 10)

    def _judge(
        self, layers: list[ClassStructure], points: list[Points], label: int, rows: Rows, chosen: NDArray[np.bool_]
    ) -> ClassJudgement | None:
        least = max(5, round(self.least * int(chosen.sum())))
        best: tuple[DensitySplit, Points, ClassStructure] | None = None
        for deepest in range(len(layers), 0, -1):
            fused = _together(points[:deepest], self.components)
            split = stable_split(fused[chosen].astype(np.float64), least)
            if split is not None and (best is None or split.stability > best[0].stability):
                best = split, fused, layers[deepest - 1]
        if best is None:
            return _one_cluster(points)
        split, fused, layer = best
        places = np.flatnonzero(chosen)
        first, second = places[split.first], places[split.second]
        odd = layer.second_is_odd(label, rows[first], rows[second])
        place = _between(fused, fused[second], fused[first])
        return ClassJudgement((place if odd else -place) * max(split.stability, 0.01), split.stability)


def _one_cluster(layers: list[Points]) -> ClassJudgement | None:
    """A class of one cluster: nothing suspicious, unless nothing at all varies, which tells nothing."""
    if not any(points.shape[1] for points in layers):
        return None
    return ClassJudgement(np.zeros(len(layers[0])), 0.0)


def _along(matrix: Matrix, rows: Rows, root: Real, count: int) -> Points:
    """The rows, whitened by `root`, along the directions in which they vary most."""
    group = mean_and_covariance(matrix, rows)
    found = leading_directions(root @ group.covariance @ root, count)
    return project(matrix, rows, group.mean, root @ found.vectors)


def _together(layers: list[Points], count: int) -> Points:
    """Layers side by side, along the `count` directions in which they vary most together."""
    side_by_side = np.concatenate(layers, axis=1)
    if side_by_side.shape[1] <= count:
        return side_by_side
    everything = np.arange(len(side_by_side))
    group = mean_and_covariance(side_by_side, everything)
    return project(side_by_side, everything, group.mean, leading_directions(group.covariance, count).vectors)


def _between(points: Points, odd: Points, usual: Points) -> Real:
    """Fisher's discriminant of two clusters, 0 in the middle, positive towards the odd one, in standard deviations."""
    within = np.concatenate([odd - odd.mean(0), usual - usual.mean(0)])
    root = inverse_root(np.cov(within, rowvar=False, bias=True).reshape(points.shape[1], points.shape[1]))
    apart = (odd.mean(0) - usual.mean(0)) @ root
    middle = (odd.mean(0) + usual.mean(0)) / 2
    return np.asarray((points - middle) @ root @ apart / max(float(np.linalg.norm(apart)), 1e-12), dtype=np.float64)
