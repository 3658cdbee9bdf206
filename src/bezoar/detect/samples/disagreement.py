"""Neighbours at every layer: samples whose neighbours carry their label unusually often, or late but not early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bezoar.detect.numerics.neighbours import Metric, label_share
from bezoar.detect.numerics.within_class import SMALLEST_CLASS, centred_in_class, tail_excess
from bezoar.detect.scores import SAMPLE_DETECTORS, Scores
from bezoar.errors import UsageError
from bezoar.evidence import Evidence, Matrix, Real
from bezoar.records import Skipped


@SAMPLE_DETECTORS.register("neighbour-disagreement")
@dataclass(frozen=True)
class NeighbourDisagreement:
    """Samples whose neighbours at the layers of a network carry their label as others of their class's do not.

    At every layer of `evidence.layers` the share of the `neighbours` nearest samples that carry the sample's label is
    taken. `compare` says what is scored:

    - `agreement`: the mean share over all layers. Poisons are neighbours of one another wherever the trigger shows in
      the features; easy samples, duplicates and honest marks of one class are as well.
    - `late-minus-early`: the mean share over the later half of the layers less that over the earlier half (a middle
      layer counts for neither). Of a poison with a wrong label only the trigger makes it agree, late in the network; a
      label error disagrees early and late. It fails where the trigger shows early.
    - `late-disagreement`: one less the share over the later half, which label errors have.

    The class statistic says how many more of a class than of the others lie in the upper tail of scores centred within
    their class.

    Distances are cosine about the mean, or Euclidean after whitening. Where there are more than `reference` samples,
    neighbours are sought among that many, drawn evenly from all: time is n * reference * d, and memory a block.

    Needs a layer (two for `late-minus-early`), `neighbours` + 1 samples and a class of 10, else Skipped. The idea of
    comparing layers is that of TED (Mo et al. 2023, arXiv 2312.02673), which ranks the nearest sample of the predicted
    class at each layer of a deployed model; deviations: shares among neighbours of training samples by their given
    labels, no fitted outlier detector.
    """

    neighbours: int = 20
    metric: Literal["cosine", "whitened"] = "cosine"
    reference: int = 4_000
    compare: Literal["agreement", "late-minus-early", "late-disagreement"] = "agreement"

    def __post_init__(self) -> None:
        if self.neighbours < 1 or self.reference <= self.neighbours:
            raise UsageError(
                "neighbour-disagreement: neighbours must be at least 1 and fewer than reference",
                found=f"{self.neighbours} of {self.reference}",
            )

    def score(self, evidence: Evidence, *, trusted: Evidence | None = None, seed: int) -> Scores | Skipped:
        """What `compare` says of the shares (n,); `trusted` is not used, `seed` draws the reference."""
        layers = list(evidence.layers.values())
        least = 2 if self.compare == "late-minus-early" else 1
        if len(layers) < least:
            return Skipped(f"{len(layers)} layers of features, and {least} are needed")
        if len(evidence) <= self.neighbours or np.bincount(evidence.labels).max() < SMALLEST_CLASS:
            return Skipped(f"too few samples for {self.neighbours} neighbours and a class of {SMALLEST_CLASS}")
        shares = layer_agreement(
            layers,
            evidence,
            neighbours=self.neighbours,
            metric=self.metric,
            reference=self.reference,
            seed=seed,
        )
        values = self._compared(shares)
        excess = tail_excess(centred_in_class(values, evidence.labels), evidence.labels, evidence.classes)
        return Scores(evidence.ids, values, excess, self._notes(evidence))

    def _compared(self, shares: Real) -> Real:
        if self.compare == "agreement":
            return np.asarray(shares.mean(axis=0))
        half = len(shares) // 2
        late: Real = shares[len(shares) - max(1, half) :].mean(axis=0)
        early = shares[:half].mean(axis=0) if half else np.zeros(shares.shape[1])
        return np.asarray(late - early if self.compare == "late-minus-early" else 1.0 - late)

    def _notes(self, evidence: Evidence) -> tuple[str, ...]:
        if len(evidence) <= self.reference:
            return ()
        return (f"neighbours were sought among {self.reference:,} of {len(evidence):,} samples",)


def layer_agreement(
    layers: Sequence[Matrix], evidence: Evidence, *, neighbours: int, metric: Metric, reference: int, seed: int
) -> Real:
    """Share of a sample's neighbours that carry its label, at each layer: (layers, n) in 0..1.

    `layers` are matrices (n, d) of the samples of `evidence`, whose ids and labels alone are used. At most `reference`
    rows, drawn from `seed` by id and the same at every layer, serve as neighbours; a sample is none of its own.
    """
    order = np.argsort(np.array(evidence.ids), kind="stable")
    chosen = order
    if len(order) > reference:
        chosen = order[np.sort(np.random.default_rng(seed).permutation(len(order))[:reference])]
    shares = np.empty((len(layers), len(order)))
    for place, matrix in enumerate(layers):
        # Queries go by id as well, so that rounding in the blocks does not depend on the order of rows.
        shares[place, order] = label_share(
            matrix, evidence.labels, queries=order, reference=chosen, neighbours=neighbours, metric=metric
        )
    return shares
