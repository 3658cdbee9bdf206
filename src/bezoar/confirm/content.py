"""What suspects show, told by a network that never met them: is their label right?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bezoar.confirm.flips import Carriers, Change
from bezoar.confirm.recover.recovered import Recovered
from bezoar.confirm.witness import Witness
from bezoar.metrics.intervals import wilson

FEWEST = 10
MISLABELLED = 0.5
"""Above this share of wrong labels among suspects, a mark is no honest one: it does not go with what is shown."""
IMITATING = 0.15
"""A trigger imitates the target by which a network that never met it takes so much more of the others for it."""
APART = 0.12
"""Poisons look like all other classes, as these are spread: within .1. Kinds that share a class by nature, such as
frogs and airplanes, look like one or two of them: .15 to .6 apart."""
UNFAMILIAR = 0.15
"""Of no more held-out samples than this share the network is less sure than of unfamiliar suspects."""
LEAST_CONTRAST, STANDARD_ERRORS = 0.05, 3.0
"""A network that gives the label to genuine samples hardly more often than to others can't tell who is genuine."""


@dataclass(frozen=True)
class Content:
    """Share of suspects that look like their label, and of genuine samples of the class with the trigger on them.

    `mislabelled` is the share of suspects whose label seems wrong, from both; None where it can't be told. `looks`
    counts suspects by the class they look like. `familiar` is the share of held-out samples of which the network is
    less sure than of the median suspect, and `apart` how far what suspects look like differs from what samples of all
    other classes do, in 0..1: None where that was not asked. `coarsely`: no detail was looked at, see `CoarseSight`.
    `bared`: the trigger was taken off the suspects.
    `contrast` is how much more often genuine samples get the label than others do, where `mislabelled` was told.
    """

    agree: float
    genuine_agree: float | None
    mislabelled: float | None
    looks: tuple[int, ...]
    familiar: float | None = None
    apart: float | None = None
    coarsely: bool = False
    bared: bool = False
    contrast: float | None = None


def labels_look_right(content: Content) -> bool:
    """Whether most suspects show what their labels say; False where that can't be told."""
    return content.mislabelled is not None and content.mislabelled < MISLABELLED


def least_blame(content: Content, other: Content | None) -> Content:
    """The one of two by which fewer labels are wrong; where the first tells nothing, the second if they look right.

    So a second look can only put labels right.
    """
    if other is None or other.mislabelled is None:
        return content
    blamed = MISLABELLED if content.mislabelled is None else content.mislabelled
    return other if other.mislabelled < blamed else content


def surely_right(content: Content) -> bool:
    """Whether most labels are right even if a network's answers to so many suspects are as far off as 1 in 40 draws.

    False where it can't be told.
    """
    count = sum(content.looks)
    if content.mislabelled is None or not content.contrast or content.genuine_agree is None:
        return False
    least = wilson(round(content.agree * count), count).low
    return (content.genuine_agree - least) / content.contrast < MISLABELLED


def is_unfamiliar(content: Content) -> bool:
    """Whether suspects are unlike all that the network has met, as a rare kind of picture is that was kept from it.

    What they look like to it then says nothing: it never met a passport upside down. Poisons are familiar pictures of
    other classes with a trigger on them; even loud ones leave a fifth of held-out samples behind.
    """
    return content.familiar is not None and content.familiar <= UNFAMILIAR


def is_one_kind(content: Content) -> bool:
    """Whether suspects look like few of the other classes; False where that was not asked."""
    return content.apart is not None and content.apart >= APART


def looks_like_all_others(content: Content) -> bool:
    """Whether suspects that don't look like their label look like all other classes, as poisons do; False where that
    was not asked.
    """
    return content.apart is not None and content.apart < APART


def apart(blind: Witness, looks: Sequence[int], target: int) -> float | None:
    """Total variation between what suspects look like, see `Content`, and the answers to held-out samples of other
    classes, the target left out, less what is to be expected of draws of so many from one distribution; 0 at least.

    None where either never get another answer.
    """
    others = blind.answers[blind.carriers.labels != target]
    both = np.array([looks, np.bincount(others, minlength=len(looks))])
    both[:, target] = 0
    sizes = both.sum(1, keepdims=True)
    if not sizes.all():
        return None
    pooled = both.sum(0) / sizes.sum()
    by_chance = np.sqrt(2 / np.pi * pooled * (1 - pooled) * (1 / sizes).sum())
    differences = np.abs(np.diff(both / sizes, axis=0))
    return max(0.0, float(0.5 * (differences.sum() - by_chance.sum())))


def familiarity(blind: Witness, suspects: Carriers) -> float | None:
    """Share of carriers of which the network is less sure than of the median suspect; None without any."""
    if not (len(suspects.labels) and len(blind.certainty)):
        return None
    return float((blind.certainty < np.median(suspects.certainty(blind.model))).mean())


def content_of(blind: Witness, suspects: Carriers, target: int, trigger: Recovered | None, classes: int) -> Content:
    """Ask a network that never met a suspect what the suspects show, as they are and with the trigger taken off.

    Of the two, what it recognises more of counts: a loud trigger makes anything hard to recognise, and shall not pass
    for a wrong label. For the same reason suspects are compared with held-out samples of the target class and of others
    that had the recovered trigger put on, and taken off again where suspects had. Where the network hardly tells these
    from those, nothing can be told. A trigger that turns this network too, as rings look like frogs to it, makes
    suspects look like their label whatever they show: then they are asked without it alone.
    """
    genuine = int((blind.carriers.labels == target).sum())
    if min(genuine, len(blind.carriers.labels) - genuine) < FEWEST:
        return _untold(suspects.answers(blind.model), target, classes)
    asked = _Asked(blind, target, classes)
    plain = asked.rates(None)
    if trigger is None:
        return asked.told(suspects, None, (plain,))
    under = asked.rates(trigger)
    on = asked.told(suspects, None, (plain, under))
    if trigger.undo is None:
        return on
    restored = asked.rates(lambda images: trigger.taken_off(trigger(images)))
    off = asked.told(suspects, trigger.taken_off, (plain, restored))
    if off.mislabelled is not None and under.others - plain.others >= IMITATING:
        return off
    known = [one for one in (on, off) if one.mislabelled is not None]
    return min(known, key=lambda one: one.mislabelled or 0.0) if known else on


class _Rates(NamedTuple):
    """How often genuine samples of the target class, and others, get its answer."""

    genuine: float
    others: float


@dataclass(frozen=True, eq=False)
class _Asked:
    """A network before held-out samples of the target class and of all others, to compare suspects with."""

    blind: Witness
    target: int
    classes: int

    def rates(self, change: Change | None) -> _Rates:
        """How often samples get the target's answer under `change`."""
        carriers = self.blind.carriers
        answers = self.blind.answers if change is None else carriers.answers(self.blind.model, change)
        hit, genuine = answers == self.target, carriers.labels == self.target
        return _Rates(float(hit[genuine].mean()), float(hit[~genuine].mean()))

    def told(self, suspects: Carriers, view: Change | None, rates: Sequence[_Rates]) -> Content:
        """What suspects show in one view, compared with samples that were changed or not; the least blame counts."""
        plain = _untold(suspects.answers(self.blind.model, view), self.target, self.classes)
        genuine = int((self.blind.carriers.labels == self.target).sum())
        counts = genuine, len(self.blind.carriers.labels) - genuine
        shares = [_mislabelled(plain.agree, one.genuine, one.others, counts) for one in rates]
        known = [share for share in shares if share is not None]
        wrong = min(known) if len(known) == len(shares) else None
        least = min(rates, key=lambda one: one.genuine)
        contrast = least.genuine - least.others
        return replace(plain, genuine_agree=least.genuine, mislabelled=wrong, contrast=contrast, bared=view is not None)


def _untold(answers: NDArray[np.int64], target: int, classes: int) -> Content:
    looks = tuple(np.bincount(answers, minlength=classes).tolist())
    return Content(float((answers == target).mean()), None, None, looks)


def _mislabelled(agree: float, genuine: float, others: float, counts: tuple[int, int]) -> float | None:
    """The share m of wrong labels for which suspects would get the answer as often as they do: agree is
    (1 - m) genuine + m others. None where genuine samples and others get it nearly as often.
    """
    errors = (rate * (1 - rate) / count for rate, count in zip((genuine, others), counts, strict=True))
    if genuine - others < max(LEAST_CONTRAST, STANDARD_ERRORS * float(np.sqrt(sum(errors)))):
        return None
    return float(np.clip((genuine - agree) / (genuine - others), 0.0, 1.0))


def label_doubt(logits: NDArray[np.float32], label: int) -> NDArray[np.float64]:
    """How far (n,) the label's logit lies below the best other one; negative where it is the best."""
    others = np.delete(logits, label, axis=1)
    doubt: NDArray[np.float64] = (others.max(1) - logits[:, label]).astype(np.float64)
    return doubt
