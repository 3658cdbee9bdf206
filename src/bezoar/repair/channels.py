"""Which channels of a network may be pruned, and how they are silenced."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bezoar.repair.given import Given
from bezoar.training.channels import Layer, layers_in_order, scale_of, weight_of

__all__ = ["Layer", "bias_of", "layers_of", "scale_of", "silence", "silent", "weight_of"]


def layers_of(model: nn.Module, given: Given) -> tuple[Layer, ...]:
    """The layers whose channels may be pruned, in the order in which a sample meets them; see `layers_in_order`.

    Left out are layers whose weights are frozen, such as a fixed stem, and those whose weight is no parameter of its
    own.
    """
    data = given.any_data
    layers = layers_in_order(model, None if data is None else data.inputs[:2])
    free = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    return tuple(layer for layer in layers if {f"{layer.conv}.weight", f"{layer.carrier}.weight"} <= free)


def bias_of(model: nn.Module, module: str) -> Tensor | None:
    """The bias of a module, if it has one."""
    found = model.get_submodule(module).bias
    return found if isinstance(found, Tensor) else None


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
