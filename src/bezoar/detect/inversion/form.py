"""What a form of trigger is to the inversion: pure functions of parameters, for many hypotheses at a time."""

from __future__ import annotations

from typing import Protocol, TypeAlias

import torch
from torch import Tensor

Parameters: TypeAlias = dict[str, Tensor]
"""Tensors whose first axis are the hypotheses."""


class Form(Protocol):
    """One form of trigger: a patch, a pattern that is added, a warp. The configuration is its fields."""

    @property
    def name(self) -> str:
        """The form in one word."""
        ...

    @property
    def unit(self) -> str:
        """What sizes are counted in, in words."""
        ...

    @property
    def rate(self) -> float:
        """Adam's learning rate for the parameters."""
        ...

    def start(self, count: int, shape: tuple[int, ...], generator: torch.Generator) -> Parameters:
        """Parameters of `count` triggers on images of `shape` (c, h, w), before anything was learnt."""
        ...

    def put_on(self, parameters: Parameters, images: Tensor) -> Tensor:
        """Triggered images: of (H, b, c, h, w) in 0..1 the first axis are the hypotheses. Differentiable."""
        ...

    def sizes(self, parameters: Parameters) -> Tensor:
        """How large each trigger is (H,), in `unit`. Differentiable."""
        ...

    def scaled(self, parameters: Parameters, factors: Tensor) -> Parameters:
        """The same triggers so many times (H,) as strong, as far as there is such a thing."""
        ...

    def cost(self, sizes: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Sizes (H,) brought to a scale on which about 1 is much, for images of `shape`."""
        ...

    def limit(self, shape: tuple[int, ...]) -> float:
        """The largest size that is told apart from larger ones, for images of `shape`."""
        ...


def of_one(parameters: Parameters, place: int) -> Parameters:
    """The parameters of one hypothesis, its axis kept."""
    return {name: tensor[place : place + 1] for name, tensor in parameters.items()}
