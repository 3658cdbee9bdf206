"""Channels that can amplify far more than the others of their layer, and the classes that they lead to. No data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from bezoar.data.dataset import Dataset
from bezoar.detect.inversion.quiet import untouched
from bezoar.detect.models.base import MODEL_DETECTORS, ModelScores, Progress, unheard
from bezoar.detect.numerics.lipschitz import channel_bounds, spreads_above_mean
from bezoar.records import Skipped
from bezoar.training.channels import Layer, device_of, layers_in_order, scale_of, weight_of

FEWEST_CLASSES = 3


@dataclass(frozen=True)
class LoudChannel:
    """A channel by its number in its layer, its bound, and by how many spreads that lies above the layer's mean."""

    layer: Layer
    number: int
    bound: float
    spreads: float


@MODEL_DETECTORS.register("channel-bounds")
@dataclass(frozen=True, kw_only=True)
class ChannelBounds:
    """How far the bounds of channels that lead to a class stand out of their layers.

    A channel's bound is the most by which convolution and batch norm can amplify what comes in. Of each layer the
    `followed` channels that stand out most are made as active, in `images` images of noise, as an input of the usual
    energy can make them, and the class whose logit rises most, beside the others, is the one they lead to. The
    statistic of a class is the largest number of spreads above the layer's mean among channels that lead to it, 0 where
    none was followed. Layers with a batch norm count; where there are none, all convolutions do. Needs no data;
    Skipped for fewer than 3 classes and for networks without convolutions.

    Zheng et al., ECCV 2022 (arXiv 2208.03111), whose bound and spreads these are. Deviations: the paper prunes, and
    names no class; following channels into classes is ours.
    """

    black_box: ClassVar[bool] = False

    followed: int = 4
    images: int = 8

    def inspect(
        self,
        model: nn.Module,
        trusted: Dataset | None,
        shape: tuple[int, ...],
        classes: int,
        *,
        seed: int,
        progress: Progress = unheard,
    ) -> ModelScores | Skipped:
        """Spreads above the layer's mean (k,). `trusted` is not used."""
        if classes < FEWEST_CLASSES:
            return Skipped(f"a class that is led to more than others needs {FEWEST_CLASSES} classes")
        noise = torch.rand(self.images, *shape, generator=torch.Generator().manual_seed(seed)).to(device_of(model))
        said = np.zeros(classes)
        with untouched(model), torch.no_grad():
            loud = list(_loud_channels(model, noise, self.followed))
            if not loud:
                return Skipped("the network has no convolution whose channels could be bounded")
            energies, quiet = _asked(model, noise, {one.layer for one in loud})
            for place, one in enumerate(loud):
                risen = _with_push(model, noise, one, one.bound * energies[one.layer]) - quiet
                target = int((risen - risen.mean()).argmax())
                said[target] = max(said[target], one.spreads)
                progress(place + 1, len(loud))
        return ModelScores(said, measure="spreads above the mean of a layer's channels", from_samples=False)


def _loud_channels(model: nn.Module, noise: Tensor, followed: int) -> Iterator[LoudChannel]:
    """Of each layer the channels that stand out most, loudest first."""
    layers = layers_in_order(model, noise) if noise.ndim == 4 else ()
    for layer in [one for one in layers if one.norm] or layers:
        bounds = channel_bounds(weight_of(model, layer.conv).detach(), scale_of(model, layer))
        spreads = spreads_above_mean(bounds)
        for number in spreads.argsort(descending=True, stable=True)[:followed].tolist():
            yield LoudChannel(layer, number, float(bounds[number]), float(spreads[number]))


def _asked(model: nn.Module, noise: Tensor, layers: set[Layer]) -> tuple[dict[Layer, float], Tensor]:
    """The usual length of a patch that each layer's kernels see, and mean logits (k,)."""
    energies: dict[Layer, float] = {}

    def see(layer: Layer, conv: Any, given: tuple[Tensor, ...], _: Tensor) -> None:
        numbers = conv.weight[0].numel()
        energies[layer] = math.sqrt(numbers * float(given[0].float().square().mean()))

    hooks = [model.get_submodule(one.conv).register_forward_hook(partial(see, one)) for one in layers]
    try:
        return energies, model(noise).mean(0)
    finally:
        for hook in hooks:
            hook.remove()


def _with_push(model: nn.Module, noise: Tensor, one: LoudChannel, push: float) -> Tensor:
    """Mean logits (k,) where everywhere `push` is added to the channel."""

    def add(_: Any, __: Any, out: Tensor) -> Tensor:
        pushed = out.clone()
        pushed[:, one.number] += push
        return pushed

    hook = model.get_submodule(one.layer.carrier).register_forward_hook(add)
    try:
        logits: Tensor = model(noise).mean(0)
        return logits
    finally:
        hook.remove()
