"""Triggers within triggers: one is named by its specification, and each image draws which parts of it it gets."""

from __future__ import annotations

import torch
from torch import Tensor

from bezoar.errors import TriggerError
from bezoar.shapes import Images
from bezoar.triggers.base import TRIGGERS, ImageTrigger
from bezoar.triggers.learnt import LearntTrigger
from bezoar.triggers.placement import image_draws


def inner_trigger(outer: str, spec: str) -> ImageTrigger:
    """The trigger that `spec` names, to be part of the trigger `outer`.

    Raises TriggerError for one that is not for images, and for one that must learn: a specification holds no tensors.
    """
    trigger = TRIGGERS.create(spec)
    if not isinstance(trigger, ImageTrigger) or isinstance(trigger, LearntTrigger):
        raise TriggerError(
            f"{outer}: the trigger {spec} cannot be a part of another",
            expected="a trigger on images that has nothing to learn",
            found=type(trigger).__name__,
        )
    return trigger


def drawn_subset(images: Images, of: int, *, chosen: int, seed: int) -> Tensor:
    """Which `chosen` of `of` things each image gets, (n, of) of True and False, every choice equally likely.

    Drawn from the seed and the image's content (see `placement.image_draws`).
    """
    order = image_draws(images, of, seed=seed).argsort(dim=1, stable=True)
    subset = torch.zeros(order.shape, dtype=torch.bool, device=order.device)
    return subset.scatter_(1, order[:, :chosen], True)
