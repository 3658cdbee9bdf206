"""Doubt in labels: what the coarse content of samples says against the labels they were given."""

from __future__ import annotations

import numpy as np

from bezoar.detect.numerics.moments import Single
from bezoar.detect.numerics.ridge import Reduce, Ridge, cross_fit
from bezoar.detect.samples.kept import Kept, halves_of
from bezoar.evidence import Evidence, Labels, Real
from bezoar.evidence.samples.content import CONTENT

RIDGE = Ridge(penalty=1.0)
_known: Kept[Real] = Kept(2)


def content_doubt(evidence: Evidence, *, seed: int) -> Real | None:
    """By how much (n,) another label explains each sample's coarse content better than its own; None if it can't be
    told, without that evidence or with one class.

    From ridge regressions to the labels, each fitted on the other half of the data. They see as little of a trigger as
    `evidence.samples.content` does, and so doubt its carriers, which every network that met them takes for the target.
    Of samples seen before the answer is kept while their evidence is.
    """
    matrix = evidence.inputs.get(CONTENT.name)
    halves = halves_of(evidence, seed=seed)
    if matrix is None or len(np.unique(evidence.labels)) < 2 or len(np.unique(halves)) < 2:
        return None
    labels, classes = evidence.labels, evidence.classes

    def work_out() -> Real:
        return cross_fit(matrix, labels, classes, halves, ridge=RIDGE, keep=_against(labels)).astype(np.float64)

    return _known.get(evidence, seed, work_out)


def _against(labels: Labels) -> Reduce:
    """Keeps, of each row's predictions, by how much the best other label's exceeds its own."""

    def keep(rows: slice, predicted: Single) -> Single:
        own = labels[rows][:, None]
        mine = np.take_along_axis(predicted, own, axis=1)[:, 0]
        others = predicted.copy()
        np.put_along_axis(others, own, -np.inf, axis=1)
        best: Single = others.max(axis=1)
        return best - mine

    return keep
