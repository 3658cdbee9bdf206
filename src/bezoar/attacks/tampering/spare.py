"""Channels that a model can spare: which they are, and how the others take over their work.

The model's answers must stay as they are when a backdoor takes channels away. Every layer that read a channel is
therefore fitted anew, by least squares and in closed form, so that its outputs on the attacker's clean samples stay
what they were, from the channels that are left and in the order of the forward pass: the reconstruction of channel
pruning (He, Zhang and Sun 2017, arXiv 1707.06168). The channel chosen is the one whose loss costs the layers that
read it least after such a fit, which the inverse of their second moments tells for all channels at once (Optimal
Brain Surgeon, Hassibi and Stork 1993; for whole blocks Frantar and Alistarh 2022, arXiv 2208.11580).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.attacks.tampering.subnet import Channels, cut_off
from bezoar.attacks.tampering.wiring import Layer, Wiring, channel_columns
from bezoar.errors import AttackError
from bezoar.shapes import Images

CHUNK = 50
# Places of a feature map on which a layer is fitted: of each image, and in all as many as its inputs times this.
PLACES = 32
PER_INPUT = 8
# Against directions in which the inputs hardly vary, as a share of their mean square.
RIDGE = 1e-3


@dataclass(frozen=True, eq=False)
class Seen:
    """What a layer did in the model as it was: its outputs (m, out) at some `places` (n, p), and moments of its inputs.

    A Linear has one place. `gram` (d, d) are the second moments of the inputs (patches, of a convolution) there.
    """

    places: Tensor
    outputs: Tensor
    gram: Tensor


def observe(model: nn.Module, wiring: Wiring, images: Images, spaces: Sequence[int]) -> Mapping[str, Seen]:
    """What the layers that read from `spaces` do on clean images, by name of the layer."""
    seen: dict[str, Seen] = {}

    def look(layer: Layer) -> Callable[[nn.Module, tuple[Tensor], Tensor], None]:
        def hook(_: nn.Module, given: tuple[Tensor], output: Tensor) -> None:
            flat = output.flatten(2) if output.ndim > 2 else output[:, :, None]
            places = _places(layer, len(flat), flat.shape[2]).to(output.device)
            outputs = _picked(flat, places)
            seen[layer.name] = Seen(places, outputs, moments(layer, given[0], places)[0])

        return hook

    hooks = [
        layer.module.register_forward_hook(look(layer))
        for layer in wiring.layers
        if layer.mixes and layer.inward in spaces
    ]
    run_with(hooks, model, images)
    return seen


def run_with(hooks: Sequence[Any], model: nn.Module, images: Images) -> None:
    """Run all images at once through the model, then remove the hooks."""
    try:
        with torch.no_grad():
            model(images)
    finally:
        for hook in hooks:
            hook.remove()


def spare_channels(wiring: Wiring, seen: Mapping[str, Seen], spaces: Sequence[int], width: int) -> Channels:
    """The `width` channels of each space that can best be spared. Raises AttackError when there are too few."""
    costs = {space: torch.zeros(wiring.sizes[space], dtype=torch.float64) for space in spaces}
    for space, cost in costs.items():
        if len(cost) <= width:
            raise AttackError(
                "the model is too narrow to give channels away",
                expected=f"more than {width} in every layer but the last",
                found=f"{len(cost)} out of {wiring.writers(space)[0].name}",
                remedy="Take a smaller width",
            )
        for layer in wiring.readers(space):
            cost += _costs(layer, seen[layer.name]).cpu()
    return {space: tuple(sorted(cost.argsort(stable=True)[:width].tolist())) for space, cost in costs.items()}


def _costs(layer: Layer, seen: Seen) -> Tensor:
    """Of each inward channel, the error that its loss leaves in the layer's outputs, in shares of their variances."""
    inverse = torch.linalg.inv(ridged(seen.gram))
    weight = _matrix(layer).double()
    variance = seen.outputs.double().var(0).clamp_min(1e-12)
    block = _columns_of_channel(layer)
    costs = []
    for start in range(0, len(inverse), block):
        own = slice(start, start + block)
        kept = torch.linalg.inv(inverse[own, own])
        costs.append((((weight[:, own] @ kept) * weight[:, own]).sum(1) / variance).mean())
    return torch.stack(costs)


def give_up(model: nn.Module, wiring: Wiring, seen: Mapping[str, Seen], images: Images, channels: Channels) -> None:
    """Cut the channels off, in place, and let the others take over what they did for the layers that read them."""
    cut_off(wiring, channels)

    def refit(layer: Layer) -> Callable[[nn.Module, tuple[Tensor]], None]:
        return lambda _, given: _refit(layer, given[0], seen[layer.name], channels)

    hooks = [
        layer.module.register_forward_pre_hook(refit(layer))
        for layer in wiring.layers
        if layer.mixes and layer.inward in channels
    ]
    run_with(hooks, model, images)


def _refit(layer: Layer, inputs: Tensor, seen: Seen, channels: Channels) -> None:
    gram, cross = moments(layer, inputs, seen.places, seen.outputs - _bias(layer))
    weight = _matrix(layer).double()
    kept = torch.ones(len(gram), dtype=torch.bool, device=gram.device)
    kept[channel_columns(channels[layer.inward], _columns_of_channel(layer))] = False
    rows = torch.ones(len(weight), dtype=torch.bool, device=gram.device)
    rows[list(channels.get(layer.outward, ()))] = False
    missing = (cross - gram @ weight.T)[kept][:, rows]
    step = torch.linalg.solve(ridged(gram[kept][:, kept]), missing)
    weight[rows.nonzero(), kept.nonzero().T] += step.T
    module = layer.module
    assert isinstance(module, nn.Conv2d | nn.Linear)
    module.weight.copy_(weight.reshape(module.weight.shape))


def moments(layer: Layer, inputs: Tensor, places: Tensor, outputs: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean products (d, d) of a layer's inputs at these places, and (d, out) of them with `outputs` (m, out) there."""
    size = _matrix(layer).shape[1]
    gram = torch.zeros(size, size, dtype=torch.float64, device=inputs.device)
    width = 0 if outputs is None else outputs.shape[1]
    cross = torch.zeros(size, width, dtype=torch.float64, device=inputs.device)
    count, each = places.numel(), places.shape[1]
    for start in range(0, len(inputs), CHUNK):
        rows = _picked(patches(layer, inputs[start : start + CHUNK]), places[start : start + CHUNK])
        gram += (rows.T @ rows).double() / count
        if outputs is not None:
            cross += (rows.T @ outputs[start * each : start * each + len(rows)]).double() / count
    return gram, cross


def patches(layer: Layer, inputs: Tensor) -> Tensor:
    """What a layer sees at each place: (n, d, places), one place for a Linear."""
    module = layer.module
    if isinstance(module, nn.Linear):
        return inputs[:, :, None]
    assert isinstance(module, nn.Conv2d)
    if isinstance(module.padding, str) or module.padding_mode != "zeros":
        raise AttackError(f"{layer.name} pads in an unusual way", expected="zeros, as many as a number says")
    return F.unfold(inputs, module.kernel_size, module.dilation, module.padding, module.stride)


def _places(layer: Layer, images: int, places: int) -> Tensor:
    wanted = max(1, min(PLACES, places, PER_INPUT * _matrix(layer).shape[1] // images))
    return torch.randint(places, (images, wanted))


def _picked(maps: Tensor, places: Tensor) -> Tensor:
    """Of maps (n, d, places) the columns at `places` (n, p), as rows (n * p, d)."""
    picked = maps.gather(2, places[:, None].expand(-1, maps.shape[1], -1))
    return picked.permute(0, 2, 1).reshape(-1, maps.shape[1])


def _matrix(layer: Layer) -> Tensor:
    assert isinstance(layer.module, nn.Conv2d | nn.Linear)
    return layer.module.weight.flatten(1)


def _bias(layer: Layer) -> Tensor | float:
    bias = layer.module.bias
    return bias if isinstance(bias, Tensor) else 0.0


def _columns_of_channel(layer: Layer) -> int:
    kernel = layer.module.kernel_size if isinstance(layer.module, nn.Conv2d) else (layer.spread,)
    return int(torch.tensor(kernel).prod())


def ridged(gram: Tensor, least: float = 0.0) -> Tensor:
    """Second moments (d, d) with a ridge, a share of their mean square or of `least` where that is more."""
    scale = max(float(gram.diagonal().mean()), least, 1e-12)
    return gram + RIDGE * scale * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
