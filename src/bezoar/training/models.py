"""Networks by name, and a user's own.

A model maps float images (n, c, h, w) in 0..1 to logits (n, classes); its normalisation is inside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from bezoar.errors import ModelError
from bezoar.importing import import_object
from bezoar.registry import Registry
from bezoar.training.randomness import seeded


@runtime_checkable
class Architecture(Protocol):
    """Builds a fresh network; its fields are its configuration."""

    def build(self, *, classes: int, sample: Tensor) -> nn.Module:
        """A network for `classes` classes; `sample` is a uint8 batch of training images to take statistics from."""
        ...


MODELS: Registry[Architecture] = Registry("model")


class Normalise(nn.Module):
    """Centre and scale each channel by the statistics of a sample of the training images."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, sample: Tensor) -> None:
        super().__init__()
        unit = sample.to(torch.float32) / 255.0
        self.register_buffer("mean", unit.mean((0, 2, 3), keepdim=True))
        # A constant channel has no scale; 1/255 keeps it finite.
        self.register_buffer("deviation", unit.std((0, 2, 3), keepdim=True, correction=0).clamp_min(1 / 255))

    def forward(self, x: Tensor) -> Tensor:
        """(x - mean) / deviation, channel by channel."""
        return (x - self.mean) / self.deviation


@dataclass(frozen=True)
class UserFactory:
    """A user's own network: `factory` is `package.module:name`, called with the number of classes."""

    factory: str

    def build(self, *, classes: int, sample: Tensor) -> nn.Module:
        """Call the factory. Raises ModelError when it fails or returns something else than a module."""
        function = cast(Callable[[int], object], import_object(self.factory, "model"))
        try:
            model = function(classes)
            with torch.no_grad():
                logits = cast(nn.Module, model).eval()(sample[:2].to(torch.float32) / 255.0)
        except Exception as error:
            raise ModelError(
                f"the model factory {self.factory!r} failed",
                expected=f"a module that maps images {tuple(sample.shape[1:])} in 0..1 to {classes} logits",
                found=f"{type(error).__name__}: {error}",
            ) from error
        if not isinstance(model, nn.Module) or not isinstance(logits, Tensor) or logits.shape[-1] != classes:
            raise ModelError(
                f"the model factory {self.factory!r} does not fit the data",
                expected=f"logits of shape (n, {classes})",
                found=str(tuple(getattr(logits, "shape", ()))),
            )
        return model.train()


def create_architecture(spec: str) -> Architecture:
    """The architecture named by `spec`: `fast`, `preact-resnet18:...`, or a user's `package.module:factory`."""
    own = ":" in spec and "=" not in spec.split(":")[1] and spec.split(":")[0] not in MODELS.names()
    return UserFactory(spec) if own else MODELS.create(spec)


def build_model(spec: str, *, classes: int, sample: Tensor, seed: int) -> nn.Module:
    """A fresh network, its weights drawn from `seed` alone; the global random state is left as it was.

    Raises ModelError when the network cannot be built for such images.
    """
    architecture = create_architecture(spec)
    with seeded(seed):
        model = architecture.build(classes=classes, sample=sample)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
