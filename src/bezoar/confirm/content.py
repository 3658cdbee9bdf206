"""What suspects show, told by a network that never met them: is their label right?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from bezoar.confirm.flips import Carriers, Change

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
    blind: nn.Module, suspects: Carriers, carriers: Carriers, target: int, change: Change | None, classes: int
) -> Content:
    """Ask a network that never met a suspect what the suspects show.

    Genuine held-out samples of the target class are asked about too, with the recovered trigger on them if there is
    one: a loud trigger makes anything hard to recognise, and shall not pass for a wrong label.
    """
    answers = suspects.answers(blind)
    agree = float((answers == target).mean())
    genuine = carriers.part(carriers.labels == target)
    looks = tuple(np.bincount(answers, minlength=classes).tolist())
    if len(genuine.labels) < FEWEST:
        return Content(agree, None, None, looks)
    genuine_agree = float((genuine.answers(blind, change) == target).mean())
    if change is not None:
        genuine_agree = min(genuine_agree, float((genuine.answers(blind) == target).mean()))
    by_chance = 1.0 / classes
    if genuine_agree < 2 * by_chance:
        return Content(agree, genuine_agree, None, looks)
    return Content(agree, genuine_agree, float(np.clip(1 - agree / genuine_agree, 0.0, 1.0)), looks)


def label_doubt(logits: NDArray[np.float32], label: int) -> NDArray[np.float64]:
    """How far (n,) the label's logit lies below the best other one; negative where it is the best."""
    others = np.delete(logits, label, axis=1)
    doubt: NDArray[np.float64] = (others.max(1) - logits[:, label]).astype(np.float64)
    return doubt
