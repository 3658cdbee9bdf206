"""What a repair costs, counted at the model itself so that no method can forget to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Cost:
    """Samples that passed through the network, and back through it.

    A sample counts each time it passes. `samples_forward` counts predictions as well as the first half of learning,
    `samples_backward` every pass of a gradient through the logits: two a step for sharpness-aware minimisation, and
    one for each product with a second derivative, which takes about twice as long as another. `epoch` is how many
    samples an epoch has: the training data, else the trusted ones; 0 where neither was given.
    """

    samples_forward: int
    samples_backward: int
    epoch: int

    @property
    def epochs_equivalent(self) -> float:
        """Samples through the network and back, in epochs; 0 where no data were given."""
        return self.samples_backward / self.epoch if self.epoch else 0.0


class Meter:
    """Counts the samples that pass through the models it watches."""

    def __init__(self) -> None:
        self.forward = self.backward = 0

    def __deepcopy__(self, memo: object) -> Meter:
        # A copy of a watched model counts for the same repair.
        return self

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """Count what passes through `model` meanwhile, and through copies of it that are made meanwhile."""
        hook = model.register_forward_hook(self._passed)
        try:
            yield
        finally:
            hook.remove()

    def _passed(self, module: nn.Module, inputs: tuple[Tensor, ...], answer: object) -> None:  # noqa: ARG002
        if not isinstance(answer, Tensor):
            return
        count = len(answer)
        self.forward += count
        if answer.requires_grad:
            answer.register_hook(lambda gradient: self._returned(gradient, count))  # type: ignore[no-untyped-call]

    def _returned(self, gradient: Tensor, count: int) -> None:  # noqa: ARG002
        self.backward += count
