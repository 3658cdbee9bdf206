"""Triggers with parts learnt from data: a pattern, an encoder, a generator.

Their fields are the configuration, as everywhere; what was learnt are tensors beside it. An attack learns
them, the truth file keeps them, and both together build the trigger again.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self, final

import torch
import torch.nn.functional as F
from torch import Tensor

from bezoar.errors import TriggerError
from bezoar.shapes import AnyPattern, Images
from bezoar.triggers.base import TRIGGERS, ImageTrigger


@dataclass(frozen=True)
class LearntTrigger(ImageTrigger):
    """A trigger that needs tensors: an author writes `apply_learnt` and `expected`.

    Two with the same fields are equal whatever they learnt, since the tensors are no configuration.
    """

    tensors: Mapping[str, Tensor] = field(init=False, repr=False, compare=False, default_factory=dict)

    adds_pattern: ClassVar[bool] = False

    @final
    def with_tensors(self, tensors: Mapping[str, Tensor]) -> Self:
        """The same trigger with these tensors, which are copied to the CPU.

        Raises TriggerError when one is missing, not expected, of another shape, or not all of finite numbers.
        """
        expected = self.expected(tensors)
        found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        numbers = (tensor.is_floating_point() and bool(torch.isfinite(tensor).all()) for tensor in tensors.values())
        if found != expected or not all(numbers):
            raise TriggerError(
                f"these tensors do not belong to the trigger {TRIGGERS.spec_of(self)}",
                expected=_listed(expected),
                found=_listed(found),
                remedy="Give the truth file of the attack that learnt this trigger",
            )
        learnt = copy.copy(self)
        kept = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
        object.__setattr__(learnt, "tensors", kept)
        learnt.prepare()
        return learnt

    @abstractmethod
    def expected(self, tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
        """Names and shapes that `tensors` must have; they may depend on one size found in them, such as the image's.

        The tensors come from a file that nobody vouches for: look at shapes only, and never raise.
        """

    def prepare(self) -> None:
        """Build what `apply_learnt` works with, once, from `self.tensors`. Does nothing unless overridden."""

    @final
    def apply(self, images: Images) -> Images:
        """Put the trigger on the images. Raises TriggerError before anything was learnt."""
        self.require_learnt()
        return self.apply_learnt(images)

    @final
    def require_learnt(self) -> None:
        """Raise TriggerError before anything was learnt."""
        if not self.tensors:
            raise TriggerError(
                f"the trigger {TRIGGERS.name_of(self)} has not learnt anything yet",
                remedy="Run the attack of this name, which learns it from the data, or load it from a truth file",
            )

    @abstractmethod
    def apply_learnt(self, images: Images) -> Images:
        """As ImageTrigger.apply, with `self.tensors` at hand."""


def ready_triggers() -> tuple[str, ...]:
    """Names of the registered triggers that can be put on images as they are, without an attack that learns them."""
    return tuple(name for name in TRIGGERS.names() if not issubclass(TRIGGERS.get(name), LearntTrigger))


def sized(pattern: AnyPattern, height: int, width: int) -> Tensor:
    """A learnt pattern (c, rows, columns) at the size of the images it meets: itself, or resized (bilinear)."""
    if pattern.shape[1:] == (height, width):
        return pattern
    return F.interpolate(pattern[None], (height, width), mode="bilinear", antialias=True)[0]


def tensors_of(trigger: object) -> Mapping[str, Tensor]:
    """What a trigger has learnt; nothing for an ordinary one."""
    return trigger.tensors if isinstance(trigger, LearntTrigger) else {}


def _listed(shapes: Mapping[str, tuple[int, ...]]) -> str:
    parts = [f"{name} {'x'.join(map(str, shape))}" for name, shape in sorted(shapes.items())]
    return ", ".join(parts[:6]) + (", ..." if len(parts) > 6 else "") or "none"
