"""Labels that are likely wrong, by confident learning. A wrong label is no poison, and is told as what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from bezoar.errors import DataError, ShapeError
from bezoar.evidence import Labels, Matrix, Real
from bezoar.records import Remark
from bezoar.scan.honest.words import counted

SHOWN = 10
WORTH_TELLING = 0.02
"""Estimated noise below which nothing is said: a probe's own mistakes look like that."""

Counts: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class LikelyError:
    """A sample whose label is likely wrong: the label given, the likely one, and by how much that one leads, 0..1."""

    id: str
    given: int
    likely: int
    margin: float


@dataclass(frozen=True, eq=False)
class LabelErrors:
    """What confident learning estimates.

    `noise_rate` is the estimated share of wrong labels. `joint` (k, k) estimates how often a sample is given label i
    (row) while j (column) is true; it sums to 1. `class_errors` (k,) counts the likely errors by given label.
    `likely` are the errors, largest margin first.
    """

    noise_rate: float
    joint: Real
    class_errors: tuple[int, ...]
    likely: tuple[LikelyError, ...]


def find_label_errors(logits: Matrix, labels: Labels, ids: Sequence[str]) -> LabelErrors:
    """Likely label errors from logits (n, k) of a model that was not fitted on the sample it judges, labels (n,).

    Northcutt, Jiang and Chuang 2019, Confident Learning, arXiv 1911.00068: the threshold of a class is the mean
    probability of it among samples given its label; a sample counts, in the confident joint, for the most probable
    class among those whose threshold it reaches, and not at all when there is none; rows are scaled to the counts of
    the labels given; of each pair (i, j) the n * joint samples given i with the largest margin
    of j over i are likely errors (prune by noise rate). Assumes noise that depends on the class, not on the sample, and
    probabilities that are roughly right: a probe that errs makes the noise look larger, one that has learnt the
    labels by heart makes it look smaller.

    Deviations: a label whose samples reach no threshold stays as it is (the paper's scaling would divide by zero); a
    class without samples gets no threshold; a sample chosen for several pairs is told once, for its largest margin;
    of a pair only samples with a positive margin are told, so that no sample is called wrong that the model gives its
    own label. Raises ShapeError where shapes don't fit, DataError on logits that are not finite.
    """
    values = np.asarray(logits, dtype=np.float64)
    _check(values, labels, ids)
    chances = softmax(values, axis=1)
    joint = calibrated_joint(confident_joint(chances, labels), labels)
    likely = _likely(chances, labels, ids, joint)
    by_class = np.bincount([error.given for error in likely], minlength=values.shape[1])
    return LabelErrors(float(1 - np.trace(joint)), joint, tuple(by_class.tolist()), likely)


def confident_joint(chances: Real, labels: Labels) -> Counts:
    """Counts (k, k) of samples given label i (row) that are confidently j (column), from probabilities (n, k)."""
    classes = chances.shape[1]
    sums = np.zeros(classes)
    np.add.at(sums, labels, chances[np.arange(len(labels)), labels])
    counts = np.bincount(labels, minlength=classes)
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    reached = np.where(chances >= thresholds - 1e-12, chances, -1.0)
    confident = reached.max(axis=1) >= 0
    joint = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(joint, (labels[confident], reached.argmax(axis=1)[confident]), 1)
    return joint


def calibrated_joint(counts: Counts, labels: Labels) -> Real:
    """The confident joint with rows scaled to the number of samples of each label, then to a sum of 1."""
    given = np.bincount(labels, minlength=len(counts)).astype(np.float64)
    rows = counts.sum(axis=1, keepdims=True)
    shares = np.where(rows > 0, counts / np.maximum(rows, 1), np.eye(len(counts)))
    joint: Real = shares * given[:, None] / given.sum()
    return joint


def label_error_remarks(
    found: LabelErrors, class_names: Sequence[str], *, smallest: float = WORTH_TELLING
) -> tuple[Remark, ...]:
    """One remark when the estimated noise rate is at least `smallest` and there are likely errors.

    Each example is an id, its label and the likely one.
    """
    if found.noise_rate < smallest or not found.likely:
        return ()
    worst = int(np.argmax(found.class_errors))
    sentence = (
        f"About {found.noise_rate:.0%} of the labels may be wrong, by the estimate of confident learning; "
        f"{counted(len(found.likely), 'label')} would have to be looked at, {found.class_errors[worst]:,} of them "
        f"{class_names[worst]}. A probe that errs makes this estimate too large."
    )
    examples = tuple((error.id, class_names[error.given], class_names[error.likely]) for error in found.likely[:SHOWN])
    return (Remark("label errors", sentence, len(found.likely), examples),)


def _check(logits: Real, labels: Labels, ids: Sequence[str]) -> None:
    if logits.ndim != 2 or len(logits) != len(labels) or len(ids) != len(labels) or not len(labels):
        found = f"logits {logits.shape}, {len(labels)} labels, {len(ids)} ids"
        raise ShapeError(
            "label errors need one row of logits a label", expected="logits (n, k), n labels, n ids", found=found
        )
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ShapeError(
            "a label has no column of logits", expected=f"0..{logits.shape[1] - 1}", found=str(labels.max())
        )
    if not np.isfinite(logits).all():
        raise DataError("logits must be finite", found=str(logits[~np.isfinite(logits)][0]))


def _likely(chances: Real, labels: Labels, ids: Sequence[str], joint: Real) -> tuple[LikelyError, ...]:
    """The most likely errors of each pair of classes, as many as the joint says, each sample once."""
    best: dict[int, tuple[float, int]] = {}
    for given, likely in np.argwhere(joint * (1 - np.eye(len(joint))) > 0).tolist():
        rows = np.flatnonzero(labels == given)
        margins = chances[rows, likely] - chances[rows, given]
        # Ids break ties, so that the order of the rows does not.
        ranked = sorted(zip((-margins).tolist(), rows.tolist(), strict=True), key=lambda one: (one[0], ids[one[1]]))
        for behind, row in ranked[: round(len(labels) * float(joint[given, likely]))]:
            if -behind > best.get(row, (0.0, 0))[0]:
                best[row] = (-behind, likely)
    errors = [LikelyError(ids[row], int(labels[row]), likely, margin) for row, (margin, likely) in best.items()]
    return tuple(sorted(errors, key=lambda error: (-error.margin, error.id)))
