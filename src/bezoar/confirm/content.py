"""What suspects show, told by a network that never met them: is their label right?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from bezoar.confirm.flips import Carriers, Change
from bezoar.confirm.recover.recovered import Recovered

FEWEST = 10


@dataclass(frozen=True)
class Content:
    """Share of suspects that look like their label, and of genuine samples of the class with the trigger on them.

    `mislabelled` is the share of suspects whose label seems wrong, from both; None where it can't be told. `looks`
    counts suspects by the class they look like.
    """

    agree: float
    genuine_agree: float | None
    mislabelled: float | None
    looks: tuple[int, ...]


def content_of(
    blind: nn.Module, suspects: Carriers, carriers: Carriers, target: int, trigger: Recovered | None, classes: int
) -> Content:
    """Ask a network that never met a suspect what the suspects show, as they are and with the trigger taken off.

    Of the two, what it recognises more of counts: a loud trigger makes anything hard to recognise, and shall not pass
    for a wrong label. For the same reason the comparison is with genuine held-out samples of the target class that had
    the recovered trigger put on, and taken off again where suspects had. Where such samples are hardly recognised
    either, nothing can be told.
    """
    genuine = carriers.part(carriers.labels == target)
    plain = suspects.answers(blind)
    looks = tuple(np.bincount(plain, minlength=classes).tolist())
    if len(genuine.labels) < FEWEST:
        return Content(float((plain == target).mean()), None, None, looks)
    views: list[tuple[Change | None, Change | None]] = [(None, trigger)]
    if trigger is not None and trigger.undo is not None:
        views.append((trigger.taken_off, lambda images: trigger.taken_off(trigger(images))))
    told = [_told(blind, suspects, genuine, target, view, classes) for view in views]
    known = [one for one in told if one.mislabelled is not None]
    return min(known, key=lambda one: one.mislabelled or 0.0) if known else told[0]


def _told(
    blind: nn.Module,
    suspects: Carriers,
    genuine: Carriers,
    target: int,
    view: tuple[Change | None, Change | None],
    classes: int,
) -> Content:
    answers = suspects.answers(blind, view[0])
    agree = float((answers == target).mean())
    looks = tuple(np.bincount(answers, minlength=classes).tolist())
    genuine_agree = min(float((genuine.answers(blind, one) == target).mean()) for one in (None, view[1]))
    if genuine_agree < 2.0 / classes:
        return Content(agree, genuine_agree, None, looks)
    return Content(agree, genuine_agree, float(np.clip(1 - agree / genuine_agree, 0.0, 1.0)), looks)


def label_doubt(logits: NDArray[np.float32], label: int) -> NDArray[np.float64]:
    """How far (n,) the label's logit lies below the best other one; negative where it is the best."""
    others = np.delete(logits, label, axis=1)
    doubt: NDArray[np.float64] = (others.max(1) - logits[:, label]).astype(np.float64)
    return doubt
