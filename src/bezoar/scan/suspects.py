"""The suspects of a finding: how sure, what they look like, and which clean sample lies nearest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bezoar.confirm.content import label_doubt
from bezoar.detect.scores import Scores
from bezoar.evidence import Evidence, Real
from bezoar.records import Suspect
from bezoar.scan.nominees import Expert

BINS = 8
MOST_COMPARED, MOST_NEIGHBOURS = 4_000, 48
SUREST = 0.9999
"""An estimated chance is never said to be one."""
CALM = 0.1
"""Samples with smaller odds can be shown as the neighbour that is no suspect."""


def with_content(odds: Real, logits: NDArray[np.float32], label: int) -> Real:
    """Odds (m,) of a class's samples, sharpened by how much a network that never met suspects doubts their label.

    A naive Bayes step: the doubt's distribution among suspects and among the rest, in eighths of all, weighed by the
    odds so far. `logits` (m, k) are that network's. Only for findings whose labels are mostly wrong: there it raises
    carriers that the first signal misses, and lowers samples that show what their label says.
    """
    doubt = label_doubt(logits, label)
    edges = np.quantile(doubt, np.linspace(0, 1, BINS + 1)[1:-1])
    bins = np.searchsorted(edges, doubt)
    odd = np.bincount(bins, odds, minlength=BINS) + 1.0
    rest = np.bincount(bins, 1 - odds, minlength=BINS) + 1.0
    ratio = np.log(odd / odd.sum()) - np.log(rest / rest.sum())
    clipped = np.clip(odds, 1e-4, 1 - 1e-4)
    sharpened: Real = 1 / (1 + np.exp(-(np.log(clipped / (1 - clipped)) + ratio[bins])))
    return sharpened


def listed(
    evidence: Evidence,
    label: int,
    expert: Expert,
    odds: Real,
    looks: NDArray[np.int64] | None,
    scores: dict[str, Scores],
) -> tuple[Suspect, ...]:
    """Suspects, most suspicious first, with each detector's rank of them within their class and their neighbour."""
    order = np.lexsort((-expert.scores, -odds))
    chosen = order[: int((odds > 0.5).sum())]
    ranks = {name: _ranks(one.values[expert.rows]) for name, one in scores.items()}
    neighbours = _neighbours(evidence, expert.rows, chosen, odds)
    return tuple(
        Suspect(
            id=evidence.ids[expert.rows[place]],
            label=evidence.class_names[label],
            score=round(min(float(odds[place]), SUREST), 4),
            source=None if evidence.sources is None else evidence.sources[expert.rows[place]],
            looks_like=None if looks is None else evidence.class_names[looks[place]],
            evidence=tuple((name, round(float(rank[place]), 4)) for name, rank in ranks.items()),
            neighbour=neighbours.get(int(place)),
        )
        for place in chosen
    )


def _ranks(values: Real) -> Real:
    """Share of the class with a lower score."""
    ordered = np.sort(values)
    ranks: Real = np.searchsorted(ordered, values) / len(values)
    return ranks


def _neighbours(evidence: Evidence, rows: np.ndarray, chosen: np.ndarray, odds: Real) -> dict[int, str]:
    """The nearest sample of the class that is no suspect, for the first 48 suspects, in the evidence's space."""
    calm = np.flatnonzero(odds < CALM)[:MOST_COMPARED]
    space = evidence.space
    if space is None or not len(calm):
        return {}
    others = space[rows[calm]].astype(np.float32)
    nearest = {}
    for place in chosen[:MOST_NEIGHBOURS].tolist():
        distances = ((others - space[rows[place]].astype(np.float32)) ** 2).sum(1)
        nearest[place] = evidence.ids[rows[calm[int(distances.argmin())]]]
    return nearest
