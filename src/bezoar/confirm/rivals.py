"""Several hypotheses of one class: which of them names the carriers is told by what their triggers do."""

from __future__ import annotations

from collections.abc import Sequence

from bezoar.confirm.confirm import ENOUGH, LEAST_WORTH, NEARLY, Confirmation, confirm
from bezoar.confirm.content import labels_look_right
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.witness import Witnesses
from bezoar.data.dataset import Dataset


def confirm_rivals(
    data: Dataset,
    rivals: Sequence[Hypothesis],
    witnesses: Witnesses,
    *,
    seed: int,
    from_samples_alone: bool = False,
) -> Confirmation:
    """The confirmation of the rival that is borne out best; `rivals` are of one class, the most trusted first.

    Triggers that show in samples are tried for each. Of the rivals whose triggers gain nearly as much as the best,
    the one taken names most samples that don't show what their label says, less those that do. Where the labels of
    all look right that says nothing, and the first is taken. Networks are asked, if need be, for that one alone, and
    for none with `from_samples_alone`.
    """
    if len(rivals) == 1:
        return confirm(data, rivals[0], witnesses, seed=seed, from_samples_alone=from_samples_alone)
    tried = [confirm(data, one, witnesses, seed=seed, from_samples_alone=True) for one in rivals]
    best = borne_out(tried)
    settled = best.worth >= ENOUGH and not best.may_be_its_own
    return best if from_samples_alone or settled else confirm(data, best.hypothesis, witnesses, seed=seed)


def borne_out(tried: Sequence[Confirmation]) -> Confirmation:
    """The one among rivals that flips and labels speak for most; the first of equals.

    Where no trigger gains anything to speak of, flips say nothing.
    """
    most = max(one.worth for one in tried)
    near = [one for one in tried if most < LEAST_WORTH or one.worth >= most - NEARLY]
    if all(labels_look_right(one.content) for one in near):
        return near[0]
    return max(near, key=_wrong_labels)


def _wrong_labels(one: Confirmation) -> float:
    """About how many more suspects carry a wrong label than a right one."""
    wrong = one.content.mislabelled
    return 0.0 if wrong is None else (2 * wrong - 1) * len(one.hypothesis.suspects)
