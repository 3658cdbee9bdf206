"""A network's channels: which convolution makes them, which batch norm scales them, in which order they are met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from bezoar.shapes import Images, Real
from bezoar.training.batches import to_unit_range


@dataclass(frozen=True)
class Layer:
    """A convolution, by its name in the model, and the batch norm after it, if there is one."""

    conv: str
    norm: str | None
    channels: int

    @property
    def carrier(self) -> str:
        """The module whose weight and bias scale and shift the channels: the batch norm, else the convolution."""
        return self.norm or self.conv


def layers_in_order(model: nn.Module, images: Images | None) -> tuple[Layer, ...]:
    """All convolutions in the order in which a sample meets them, each with its batch norm.

    A batch norm belongs to the convolution met just before it, if it has as many channels; in a pre-activation
    network a shortcut may have been added between the two. Without any sample the order in which the model names its
    modules is taken instead.
    """
    met = modules_met(model, images, (nn.Conv2d, nn.BatchNorm2d))
    return tuple(
        Layer(name, _norm_after(model, met, place, module), module.out_channels)
        for place, name in enumerate(met)
        if isinstance(module := model.get_submodule(name), nn.Conv2d)
    )


@torch.no_grad()
def modules_met(model: nn.Module, images: Images | None, kinds: tuple[type[nn.Module], ...]) -> list[str]:
    """Names of the modules of these kinds in the order in which they are called, each once.

    Without any sample the order in which the model names them.
    """
    named = [name for name, module in model.named_modules() if isinstance(module, kinds)]
    if images is None:
        return named
    met: list[str] = []

    def meet(name: str, *_: Any) -> None:
        if name not in met:
            met.append(name)

    hooks = [model.get_submodule(name).register_forward_hook(partial(meet, name)) for name in named]
    try:
        model(to_unit_range(images, device_of(model)))
    finally:
        for hook in hooks:
            hook.remove()
    return met


def device_of(model: nn.Module) -> torch.device:
    """Where the model's numbers lie; the processor for a model without any."""
    return next((one.device for one in model.parameters()), torch.device("cpu"))


def _norm_after(model: nn.Module, met: Sequence[str], place: int, conv: nn.Conv2d) -> str | None:
    if place + 1 == len(met):
        return None
    after = model.get_submodule(met[place + 1])
    fits = isinstance(after, nn.BatchNorm2d) and after.num_features == conv.out_channels and after.affine
    return met[place + 1] if fits else None


def weight_of(model: nn.Module, module: str) -> Tensor:
    """The weight of a module, channels first."""
    return model.get_parameter(f"{module}.weight")


def scale_of(model: nn.Module, layer: Layer) -> Real:
    """What the batch norm in evaluation mode multiplies each channel by; ones without one."""
    norm = model.get_submodule(layer.norm) if layer.norm else None
    if not isinstance(norm, nn.BatchNorm2d) or norm.running_var is None:
        weight = weight_of(model, layer.carrier).detach()
        return weight.abs() if weight.ndim == 1 else torch.ones(layer.channels, device=weight.device)
    return (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
