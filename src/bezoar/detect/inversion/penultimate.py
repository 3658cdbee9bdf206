"""What a network's last linear layer is given, and what the network makes of features put in their place."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Penultimate:
    """A model and its last linear layer, the one that is called last; None where it has none.

    The features of a model without a linear layer are its inputs.
    """

    model: nn.Module
    layer: nn.Linear | None

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, ...) of float images, and logits (n, k), in one pass. Differentiable."""
        seen: list[Tensor] = []
        images = images.contiguous(memory_format=torch.channels_last) if images.ndim == 4 else images
        with ExitStack() as stack:
            if self.layer is not None:
                handle = self.layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
                stack.callback(handle.remove)
            logits: Tensor = self.model(images)
        return (seen[-1].to(images) if seen else images), logits

    def answers(self, features: Tensor, image: Tensor) -> Tensor:
        """Logits (n, k) of features (n, ...): one image (1, c, h, w) goes through, and they take its features' place.

        What follows the last linear layer must treat the samples of a batch alike.
        """
        if self.layer is None:
            logits: Tensor = self.model(features)
            return logits
        with ExitStack() as stack:
            there = features.to(self.layer.weight.device)
            stack.callback(self.layer.register_forward_pre_hook(lambda _, given: (there, *given[1:])).remove)
            logits = self.model(image)
        return logits


@torch.no_grad()
def penultimate(model: nn.Module, image: Tensor) -> Penultimate:
    """The last linear layer that `model`, in evaluation mode, calls for one float image (1, c, h, w)."""
    called: list[nn.Linear] = []
    with ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, nn.Linear):
                stack.callback(module.register_forward_pre_hook(_noted(called)).remove)
        model(image)
    return Penultimate(model, called[-1] if called else None)


def _noted(called: list[nn.Linear]) -> Callable[[nn.Module, tuple[object, ...]], None]:
    def note(module: nn.Module, _: tuple[object, ...]) -> None:
        assert isinstance(module, nn.Linear)
        called.append(module)

    return note
