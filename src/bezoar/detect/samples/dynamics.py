"""Training dynamics: samples that a probe learns much faster, or much more slowly, than others of their class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bezoar.detect.numerics.within_class import SMALLEST_CLASS, centred_in_class, tail_excess
from bezoar.detect.scores import SAMPLE_DETECTORS, Scores
from bezoar.errors import UsageError
from bezoar.evidence import Evidence, History, Matrix, Real
from bezoar.records import Skipped

FLOOR = 1e-4
"""Losses below are all the same: learnt."""

NOTE = "slow samples look like label errors and hard samples, fast ones like duplicates and easy ones: not proof"


@SAMPLE_DETECTORS.register("training-dynamics")
@dataclass(frozen=True)
class TrainingDynamics:
    """Samples that a probe learns at another pace than the rest of their class.

    `measure` is what is compared: the loss of the first `early` of all epochs, the area under the curve of losses, or
    the epoch from which on the sample was answered rightly. `side` says which pace is suspicious: strong triggers are
    learnt fast, weak and rare ones slowly. Scores are in spreads of a class; the class statistic says how many more of
    a class than of the others lie in the upper tail.

    Needs `history` of two epochs at least and 10 samples in some class, else Skipped. Assumes that most of a class is
    clean; where that fails, samples still compare, but its median is no longer that of clean ones.

    After Li et al. 2021 (arXiv 2110.11571), who isolate the samples of lowest loss after the first epochs. Deviations:
    no gradient ascent holds losses near a constant while training; losses compare within a class, since classes differ
    in how hard they are; both directions count; area and epoch are offered.
    """

    measure: Literal["early-loss", "area", "learnt"] = "early-loss"
    side: Literal["both", "fast", "slow"] = "both"
    early: float = 1 / 3

    def __post_init__(self) -> None:
        if not 0 < self.early <= 1:
            raise UsageError("training-dynamics: early is a share of all epochs", found=str(self.early))

    def score(self, evidence: Evidence, *, trusted: Evidence | None = None, seed: int) -> Scores | Skipped:
        """Spreads from the median of the class, (n,); `trusted` and `seed` are not used."""
        history = evidence.history
        if (reason := _unusable(evidence)) is not None or history is None:
            return Skipped(reason or "no training history")
        pace = centred_in_class(self._measured(history), evidence.labels)
        values: Real = {"both": np.abs(pace), "fast": -pace, "slow": pace}[self.side]
        return Scores(
            evidence.ids,
            values,
            tail_excess(values, evidence.labels, evidence.classes),
            (NOTE, _leaning(values, pace)),
        )

    def _measured(self, history: History) -> Real:
        if self.measure == "early-loss":
            return early_loss(history, self.early)
        return area(history) if self.measure == "area" else learnt_epoch(history)


def early_loss(history: History, share: float) -> Real:
    """Logarithm of the mean loss of the first `share` of all epochs (one at least), (n,); low is fast."""
    epochs = max(1, round(share * len(history.loss)))
    return _log_mean(history.loss[:epochs])


def area(history: History) -> Real:
    """Logarithm of the area under the curve of losses, epochs as unit steps and divided by their number, (n,)."""
    return _log_mean(history.loss)


def learnt_epoch(history: History) -> Real:
    """Number of epochs after which a sample was answered rightly ever after, (n,); all of them where it never was."""
    stays = np.logical_and.accumulate(history.correct[::-1], axis=0)
    return np.asarray(len(stays) - stays.sum(axis=0), dtype=np.float64)


def _log_mean(losses: Matrix) -> Real:
    # The logarithm makes the skewed losses nearly symmetric, so that both sides can be told.
    mean = np.asarray(losses.mean(axis=0, dtype=np.float64))
    return np.asarray(np.log(np.maximum(mean, FLOOR)), dtype=np.float64)


def _unusable(evidence: Evidence) -> str | None:
    if evidence.history is None:
        return "no training history: it needs a probe that is trained here"
    if len(evidence.history.loss) < 2:
        return "one epoch tells no pace of learning"
    if not np.isfinite(evidence.history.loss).all():
        return "losses of the training history are not finite"
    if not len(evidence) or np.bincount(evidence.labels).max() < SMALLEST_CLASS:
        return f"no class has {SMALLEST_CLASS} samples"
    return None


def _leaning(values: Real, pace: Real) -> str:
    """Whether the hundredth that stands out most was fast or slow."""
    top = np.argsort(-values, kind="stable")[: max(1, len(values) // 100)]
    fast = int((pace[top] < 0).sum())
    return f"of the {len(top):,} that stand out most {fast:,} were learnt fast and {len(top) - fast:,} slowly"
