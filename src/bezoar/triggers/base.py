"""What a trigger is: a function from a batch to a batch of the same shape and dtype."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from bezoar.registry import Registry


@runtime_checkable
class Trigger(Protocol):
    """`trigger(batch) -> batch`: same shape and dtype, input untouched.

    An image batch is (n, c, h, w), uint8 in 0..255 or float in 0..1. A trigger that draws
    something anew for each sample takes its randomness from a seed among its own fields.
    """

    def __call__(self, batch: Tensor) -> Tensor:
        """The batch with the trigger on every sample."""
        ...


TRIGGERS: Registry[Trigger] = Registry("trigger")
