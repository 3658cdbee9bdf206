"""RONI, reject on negative impact: samples without which a head answers others better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bezoar.detect.numerics.logistic_head import (
    fit_logistic,
    logistic_group_harms,
    logistic_harms,
    logistic_influences,
)
from bezoar.detect.numerics.ridge_head import Part, Rows, fit_ridge, ridge_group_harms, ridge_harms
from bezoar.detect.scores import SAMPLE_DETECTORS, Scores
from bezoar.errors import UsageError
from bezoar.evidence import Evidence, Real
from bezoar.records import Skipped

LEAST = 20
"""Samples below which a head that leaves one out says nothing."""

Way = Literal["exact", "groups", "influence"]


@SAMPLE_DETECTORS.register("roni")
@dataclass(frozen=True)
class Roni:
    """Samples that harm: the loss on other samples of a linear head trained with them, less that without them.

    The head is trained on the last of `evidence.layers`. It is judged on `trusted` evidence of the same layer, or,
    without it, on held-out samples: the set is halved at random within its classes, and each half is judged by those of
    the other to which its head gives their label, since poisons in the judge would speak for poisons. `head` is ridge
    regression to one-hot targets or softmax regression, with a weight decay of `penalty` times the number of samples on
    standardised features. `way` says how a sample is left out:

    - `exact`: a training without each sample; for ridge in closed form, at any size.
    - `groups`: a training without each group of about `group` similar samples of a class; all of a group share its
      harm. It sees what single samples hide, as others of their kind fill in for them.
    - `influence`: to first order, without any training but one; for softmax regression alone.
    - `auto`: `exact` for ridge, and for softmax regression up to `exact_up_to` samples; beyond those `influence`.

    Needs a layer, two classes and 20 samples, else Skipped; scores rank only. Assumes that poison harms clean samples:
    a backdoor does not, being made to leave them alone, so that this finds label errors and crude poison.

    Nelson et al. 2008 ("Exploiting machine learning to subvert your spam filter", LEET). Deviations: left out of the
    whole set instead of added to small random ones; loss instead of accuracy, which one sample hardly moves; a head on
    a probe's features, and not the whole learner, is trained anew, on features standardised once with all samples.
    """

    head: Literal["ridge", "logistic"] = "ridge"
    way: Literal["auto", "exact", "groups", "influence"] = "auto"
    penalty: float = 0.01
    group: int = 20
    exact_up_to: int = 300

    def __post_init__(self) -> None:
        if self.penalty <= 0 or self.group < 1:
            raise UsageError("roni: penalty must be above 0 and group at least 1", found=repr(self))
        if self.head == "ridge" and self.way == "influence":
            raise UsageError("roni: ridge needs no influence", remedy="Choose way=exact, which costs as little")

    def score(self, evidence: Evidence, *, trusted: Evidence | None = None, seed: int) -> Scores | Skipped:
        """Harm of each sample, in its half's median absolute harms where there are two halves, (n,)."""
        if (reason := _unusable(evidence)) is not None:
            return Skipped(reason)
        layer = list(evidence.layers)[-1]
        # By id, since groups, halves and rounding must not depend on the order of rows.
        order = np.argsort(np.array(evidence.ids), kind="stable")
        rows = evidence.layers[layer][order].astype(np.float64)
        labels = evidence.labels[order]
        values = np.empty(len(order))
        if trusted is not None and layer in trusted.layers and len(trusted):
            judge = _part(trusted.layers[layer].astype(np.float64), trusted.labels, rows, evidence.classes)
            values[order] = self._harms(_part(rows, labels, rows, evidence.classes), judge, labels, seed)
            return Scores(evidence.ids, values, notes=(f"judged on {len(trusted):,} trusted samples",))
        halves = _halves(labels, seed)
        for own, other in (halves, halves[::-1]):
            train, judge = (_part(rows[half], labels[half], rows[own], evidence.classes) for half in (own, other))
            harms = self._harms(train, self._answered(train, judge), labels[own], seed)
            values[order[own]] = harms / (np.median(np.abs(harms)) or 1.0)
        return Scores(
            evidence.ids,
            values,
            notes=("judged on held-out samples that a head answers rightly, learnt poisons among them",),
        )

    def _harms(self, train: Part, judge: Part, labels: Rows, seed: int) -> Real:
        penalty, way = self.penalty * len(train.rows), self._chosen_way(len(train.rows))
        if way == "groups":
            groups = similar_groups(train.rows, labels, self.group, seed=seed)
            by_group = ridge_group_harms if self.head == "ridge" else logistic_group_harms
            return _spread_over(by_group(train, judge, penalty, groups), groups, len(labels))
        if self.head == "ridge":
            return ridge_harms(train, judge, penalty)
        return (logistic_harms if way == "exact" else logistic_influences)(train, judge, penalty)

    def _answered(self, train: Part, judge: Part) -> Part:
        """The samples of the judge to which the head gives their label; all where there are none."""
        fit = fit_ridge if self.head == "ridge" else fit_logistic
        answers = judge.rows @ fit(train, self.penalty * len(train.rows))
        wrong = np.flatnonzero(answers.argmax(axis=1) != judge.targets.argmax(axis=1))
        return judge.without(wrong) if len(wrong) < len(answers) else judge

    def _chosen_way(self, samples: int) -> Way:
        if self.way != "auto":
            return self.way
        return "exact" if self.head == "ridge" or samples <= self.exact_up_to else "influence"


def similar_groups(rows: Real, labels: Rows, size: int, *, seed: int) -> list[Rows]:
    """Rows divided into groups of one class each and of about `size` similar samples (k-means), at least two a class.

    A class of one sample is a group.
    """
    from sklearn.cluster import KMeans  # at the top it would cost every command a second

    groups = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = min(len(members), max(2, round(len(members) / size)))
        places = KMeans(count, n_init=1, random_state=seed).fit_predict(rows[members])
        groups += [members[places == place] for place in range(count) if (places == place).any()]
    return groups


def _spread_over(harms: Real, groups: list[Rows], samples: int) -> Real:
    spread = np.empty(samples)
    for harm, group in zip(harms, groups, strict=True):
        spread[group] = harm
    return spread


def _part(rows: Real, labels: Rows, standard: Real, classes: int) -> Part:
    """Samples for a head: features in the units of `standard`, an intercept's column, one-hot targets."""
    deviation = standard.std(axis=0)
    scaled = (rows - standard.mean(axis=0)) / np.where(deviation > 1e-8, deviation, 1.0)
    return Part(np.hstack([scaled, np.ones((len(rows), 1))]), np.eye(classes)[labels])


def _halves(labels: Rows, seed: int) -> tuple[Rows, Rows]:
    """Two halves of the rows, random within each class."""
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    return np.sort(by_class[::2]), np.sort(by_class[1::2])


def _unusable(evidence: Evidence) -> str | None:
    if not evidence.layers:
        return "no features of a probe"
    if len(evidence) < LEAST:
        return f"{len(evidence)} samples, and {LEAST} are needed"
    if len(np.unique(evidence.labels)) < 2:
        return "all samples carry the same label"
    return None
