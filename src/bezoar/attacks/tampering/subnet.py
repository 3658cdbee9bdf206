"""A few channels of every space taken as a network of their own: chosen, cut off, cut out, and put back."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bezoar.attacks.tampering.wiring import Layer, Wiring, channel_columns

Channels: TypeAlias = Mapping[int, tuple[int, ...]]
"""Channels of a space, by its number; a space that is not named is whole."""


@torch.no_grad()
def cut_off(wiring: Wiring, channels: Channels) -> None:
    """Cut every connection between these channels and the others, and to the logits; empty what makes the channels."""
    for layer in wiring.layers:
        weight, bias = _parameters(layer)
        if layer.outward in channels and layer.mixes:
            weight[list(channels[layer.outward])] = 0
            if bias is not None:
                bias[list(channels[layer.outward])] = 0
        if layer.inward in channels and layer.mixes:
            weight[:, channel_columns(channels[layer.inward], layer.spread)] = 0


def cut_out(model: nn.Module, wiring: Wiring, channels: Channels) -> nn.Module:
    """A network of the same architecture with nothing but these channels, their parameters copied.

    Raises AttackError when the architecture does not work with fewer channels.
    """
    narrow = copy.deepcopy(model)
    for layer in wiring.bound_to(narrow).layers:
        _keep(layer, channels)
    return narrow


def _keep(layer: Layer, channels: Channels) -> None:
    module = layer.module
    outward = channels.get(layer.outward)
    if outward is not None:
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            if tensor.ndim > 0:
                _replace(module, name, tensor[list(outward)])
        for count in ("out_channels", "out_features", "num_features"):
            if hasattr(module, count):
                setattr(module, count, len(outward))
    if layer.mixes and layer.inward in channels:
        columns = channel_columns(channels[layer.inward], layer.spread)
        _replace(module, "weight", _parameters(layer)[0][:, columns])
        setattr(module, "in_channels" if isinstance(module, nn.Conv2d) else "in_features", len(columns))
    elif isinstance(module, nn.Conv2d) and module.groups > 1 and outward is not None:
        module.in_channels = module.groups = len(outward)


def _replace(module: nn.Module, name: str, tensor: Tensor) -> None:
    kept = tensor.detach().clone()
    setattr(module, name, nn.Parameter(kept) if isinstance(getattr(module, name), nn.Parameter) else kept)


@torch.no_grad()
def put_back(wiring: Wiring, narrow: Wiring, channels: Channels) -> None:
    """Write the parameters of a network cut out (its wiring is `narrow`) into these channels, all else cut off."""
    cut_off(wiring, channels)
    for layer, small in zip(wiring.layers, narrow.layers, strict=True):
        for name, tensor in (*layer.module.named_parameters(), *layer.module.named_buffers()):
            new = getattr(small.module, name)
            if name == "weight" and layer.mixes:
                rows = list(channels.get(layer.outward, range(tensor.shape[0])))
                inward = channels.get(layer.inward)
                columns = list(range(tensor.shape[1])) if inward is None else channel_columns(inward, layer.spread)
                tensor[torch.tensor(rows)[:, None], torch.tensor(columns)[None]] = new
            elif layer.outward in channels and tensor.ndim > 0:
                tensor[list(channels[layer.outward])] = new


def _parameters(layer: Layer) -> tuple[Tensor, Tensor | None]:
    module = layer.module
    assert isinstance(module, nn.Conv2d | nn.Linear | _BatchNorm)
    return module.weight, module.bias
