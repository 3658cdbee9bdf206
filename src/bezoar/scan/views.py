"""What a report draws of a scan: samples in the plane of their features, and score histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bezoar.detect.numerics.eigen import leading_directions
from bezoar.detect.scores import Scores
from bezoar.evidence import Evidence, Real
from bezoar.records import Finding, Histogram, ProjectedPoint

POINTS, FITTED = 1_500, 4_000


def projection(evidence: Evidence, chances: Mapping[str, float], seed: int) -> tuple[ProjectedPoint, ...]:
    """Samples in the plane of the two leading directions of the classes with findings, or of all: at most 1,500.

    `chances` are the scores of suspects by id; suspects come first, the others are drawn.
    """
    space = evidence.space
    if space is None or len(evidence) < 3:
        return ()
    odd = np.array([row for row, sample_id in enumerate(evidence.ids) if sample_id in chances], dtype=np.int64)
    concerned = np.isin(evidence.labels, np.unique(evidence.labels[odd])) if len(odd) else np.ones(len(evidence), bool)
    generator = np.random.default_rng(seed)
    others = generator.permutation(np.setdiff1d(np.flatnonzero(concerned), odd))
    chosen = np.concatenate([generator.permutation(odd)[: POINTS // 2], others[: POINTS // 2]])
    rows = space[np.sort(np.concatenate([chosen, others[POINTS // 2 : FITTED]]))].astype(np.float64)
    centre = rows.mean(0)
    plane = (space[chosen].astype(np.float64) - centre) @ _two_directions(rows)
    return tuple(
        ProjectedPoint(
            x=round(float(place[0]), 4),
            y=round(float(place[1]), 4),
            class_name=evidence.class_names[evidence.labels[row]],
            score=round(float(chances.get(evidence.ids[row], 0.0)), 4),
            suspect=evidence.ids[row] in chances,
        )
        for row, place in zip(chosen.tolist(), plane, strict=True)
    )


def _two_directions(rows: Real) -> Real:
    """The two leading directions (d, 2), the largest entry of each positive; 0 where the rows vary in fewer."""
    found = leading_directions(np.atleast_2d(np.cov(rows.T)), 2).vectors
    signs = np.sign(found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])])
    padded: Real = np.pad(found * signs, ((0, 0), (0, 2 - found.shape[1])))
    return padded


def histograms(evidence: Evidence, scores: Mapping[str, Scores], findings: Sequence[Finding]) -> tuple[Histogram, ...]:
    """The scores of the detectors that fired, in the class of each finding: suspects and the others."""
    found = []
    for finding in findings:
        suspects = {suspect.id for suspect in finding.suspects}
        rows = evidence.members(evidence.class_names.index(finding.target))
        odd = np.array([evidence.ids[row] in suspects for row in rows])
        for signal in sorted(finding.signals, key=lambda one: one.p_value)[:3]:
            values = scores[signal.detector].values[rows]
            low, high = np.quantile(values, (0.001, 0.999)).tolist()
            edges = np.linspace(low, high, 41)
            clipped = np.clip(values, edges[0], edges[-1])
            if edges[0] < edges[-1]:
                found.append(
                    Histogram(
                        signal.detector,
                        finding.target,
                        tuple(edges.tolist()),
                        tuple(np.histogram(clipped[~odd], edges)[0].tolist()),
                        tuple(np.histogram(clipped[odd], edges)[0].tolist()),
                    )
                )
    return tuple(found)
