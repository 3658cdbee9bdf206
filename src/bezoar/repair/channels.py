"""A network's channels: which convolution makes them, which batch norm scales them, and how they are silenced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from bezoar.repair.given import Given
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


def layers_of(model: nn.Module, given: Given) -> tuple[Layer, ...]:
    """The layers whose channels may be pruned, in the order in which a sample meets them.

    A batch norm belongs to the convolution met just before it, if it has as many channels; in a pre-activation
    network a shortcut may have been added between the two. Without any sample the order in which the model names its
    modules is taken instead. Left out are layers whose weights are frozen, such as a fixed stem, and those whose
    weight is no parameter of its own.
    """
    data = given.any_data
    met = _registered(model) if data is None else _met(model, data.inputs[:2])
    layers = [
        Layer(name, _norm_after(model, met, place, module), module.out_channels)
        for place, name in enumerate(met)
        if isinstance(module := model.get_submodule(name), nn.Conv2d)
    ]
    free = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    return tuple(layer for layer in layers if {f"{layer.conv}.weight", f"{layer.carrier}.weight"} <= free)


def _registered(model: nn.Module) -> list[str]:
    return [name for name, module in model.named_modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d)]


@torch.no_grad()
def _met(model: nn.Module, images: Images) -> list[str]:
    """Names of convolutions and batch norms in the order in which they are called, each once."""
    met: list[str] = []

    def meet(name: str, *_: Any) -> None:
        if name not in met:
            met.append(name)

    hooks = [model.get_submodule(name).register_forward_hook(partial(meet, name)) for name in _registered(model)]
    try:
        model(to_unit_range(images, next(model.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
    return met


def _norm_after(model: nn.Module, met: Sequence[str], place: int, conv: nn.Conv2d) -> str | None:
    if place + 1 == len(met):
        return None
    after = model.get_submodule(met[place + 1])
    fits = isinstance(after, nn.BatchNorm2d) and after.num_features == conv.out_channels and after.affine
    return met[place + 1] if fits else None


def weight_of(model: nn.Module, module: str) -> Tensor:
    """The weight of a module, channels first."""
    return model.get_parameter(f"{module}.weight")


def bias_of(model: nn.Module, module: str) -> Tensor | None:
    """The bias of a module, if it has one."""
    found = model.get_submodule(module).bias
    return found if isinstance(found, Tensor) else None


def scale_of(model: nn.Module, layer: Layer) -> Real:
    """What the batch norm in evaluation mode multiplies each channel by; ones without one."""
    norm = model.get_submodule(layer.norm) if layer.norm else None
    if not isinstance(norm, nn.BatchNorm2d) or norm.running_var is None:
        weight = weight_of(model, layer.carrier).detach()
        return weight.abs() if weight.ndim == 1 else torch.ones(layer.channels, device=weight.device)
    return (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()


@torch.no_grad()
def silence(model: nn.Module, layer: Layer, channel: int, *, bias: bool) -> None:
    """Set the weight of a channel in its carrier to zero, and with `bias` what is added to it as well."""
    weight_of(model, layer.carrier)[channel] = 0.0
    shift = bias_of(model, layer.carrier) if bias else None
    if shift is not None:
        shift[channel] = 0.0


def silent(model: nn.Module, layers: Sequence[tuple[Layer, int]], *, bias: bool) -> dict[str, Tensor]:
    """Factors by parameter name, 0 for the weights of these channels, which keep them silent while others learn."""
    factors: dict[str, Tensor] = {}
    for layer, channel in layers:
        for part in ("weight", "bias") if bias else ("weight",):
            parameter = getattr(model.get_submodule(layer.carrier), part)
            if isinstance(parameter, Tensor):
                factor = factors.setdefault(f"{layer.carrier}.{part}", torch.ones_like(parameter))
                factor[channel] = 0.0
    return factors
