"""Triggers within triggers: one is named by its specification, and each image draws which parts of it it gets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bezoar.errors import TriggerError
from bezoar.shapes import Images
from bezoar.triggers.base import TRIGGERS, ImageTrigger, Trigger
from bezoar.triggers.learnt import LearntTrigger
from bezoar.triggers.placement import image_draws


def inner_trigger(outer: str, spec: str) -> ImageTrigger:
    """The trigger that `spec` names, to be part of the trigger `outer`; a user's own one may be a plain callable.

    Raises TriggerError for one that must learn: a specification holds no tensors.
    """
    trigger = TRIGGERS.create(spec)
    if isinstance(trigger, LearntTrigger) or not callable(trigger):
        raise TriggerError(
            f"{outer}: the trigger {spec} cannot be a part of another",
            expected="a trigger that has nothing to learn",
            found=type(trigger).__name__,
        )
    return trigger if isinstance(trigger, ImageTrigger) else _Own(trigger)


@dataclass(frozen=True)
class _Own(ImageTrigger):
    """A user's own trigger with the checks of a built-in one."""

    trigger: Trigger

    @property
    def adds_pattern(self) -> bool:
        """As the trigger says, if it does."""
        return bool(getattr(self.trigger, "adds_pattern", True))

    def apply(self, images: Images) -> Images:
        """Put it on the images."""
        return self.trigger(images)


def drawn_subset(images: Images, of: int, *, chosen: int, seed: int) -> Tensor:
    """Which `chosen` of `of` things each image gets, (n, of) of True and False, every choice equally likely.

    Drawn from the seed and the image's content (see `placement.image_draws`).
    """
    order = image_draws(images, of, seed=seed).argsort(dim=1, stable=True)
    subset = torch.zeros(order.shape, dtype=torch.bool, device=order.device)
    return subset.scatter_(1, order[:, :chosen], True)
