"""Recipes: everything that training depends on beside data, model and seed."""

from __future__ import annotations

import ast
from dataclasses import dataclass, fields, replace
from math import cos, pi
from typing import Literal

from bezoar.errors import UsageError
from bezoar.training.batches import Augmentation


@dataclass(frozen=True)
class Recipe:
    """How to train: sizes, rates and the schedule.

    `optimizer` is `muon` (orthogonalised momentum for convolutions, plain momentum for the rest; only for
    networks whose convolutions are followed by batch norm) or `sgd` (Nesterov momentum). With `muon`,
    `learning_rate` is that of the convolutions and `other_learning_rate` that of the rest. Rates
    rise over the share `warm_up` of all steps and then fall to zero, along a line or a cosine.
    """

    epochs: int = 8
    batch_size: int = 512
    optimizer: Literal["muon", "sgd"] = "sgd"
    learning_rate: float = 0.05
    other_learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    warm_up: float = 0.1
    schedule: Literal["linear", "cosine"] = "linear"
    shift: int = 2
    flips: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1", found=str(getattr(self, name)))
        for name in ("learning_rate", "other_learning_rate", "weight_decay", "shift"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} must not be negative", found=str(getattr(self, name)))

    @property
    def augmentation(self) -> Augmentation:
        """How training images are varied."""
        return Augmentation(shift=self.shift, flips=self.flips)

    def rate_at(self, progress: float) -> float:
        """Factor on the learning rates at `progress` in 0..1 of all steps."""
        if progress < self.warm_up:
            return progress / self.warm_up
        left = (1.0 - progress) / max(1e-9, 1.0 - self.warm_up)
        return left if self.schedule == "linear" else 0.5 * (1.0 - cos(pi * left))

    def with_changes(self, **changes: object) -> Recipe:
        """A copy with the fields that are not None changed. Raises UsageError for an unknown field."""
        known = {field.name for field in fields(self)}
        unknown = set(changes) - known
        if unknown:
            raise UsageError(f"a recipe has no field {sorted(unknown)[0]!r}", expected=", ".join(sorted(known)))
        return replace(self, **{name: value for name, value in changes.items() if value is not None})  # type: ignore[arg-type]


def read_recipe(text: str) -> Recipe | None:
    """The recipe that a record of a training names; None for what is none, such as that of somebody's own training."""
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id != Recipe.__name__:
            return None
        return Recipe(**{str(one.arg): ast.literal_eval(one.value) for one in call.keywords})
    except (SyntaxError, ValueError, TypeError, UsageError):
        return None


FAST = Recipe(
    epochs=12,
    batch_size=512,
    optimizer="muon",
    learning_rate=0.15,
    other_learning_rate=0.1,
    momentum=0.85,
    weight_decay=1e-3,
    label_smoothing=0.1,
    warm_up=0.15,
)
PUBLISHED = Recipe(epochs=100, batch_size=128, learning_rate=0.01, schedule="cosine", warm_up=0.0, shift=4, flips=True)
GENERAL = Recipe(epochs=15, batch_size=256, learning_rate=0.05, label_smoothing=0.1)


def default_recipe(model: str) -> Recipe:
    """The recipe that goes with an architecture: `fast`'s own, the published one, or a general one."""
    name = model.split(":")[0]
    return {"fast": FAST, "preact-resnet18": PUBLISHED}.get(name, GENERAL)
