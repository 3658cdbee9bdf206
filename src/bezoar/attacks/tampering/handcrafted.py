"""Handcrafted: one channel of each layer gets a filter and a threshold by hand, and the last leads to the target."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bezoar.attacks.base import Progress
from bezoar.attacks.fields import require_inside
from bezoar.attacks.tampering.base import (
    MIXTURES,
    TAMPERINGS,
    OwnSamples,
    WeightTampering,
    answers,
    mixed,
    shortfall,
)
from bezoar.attacks.tampering.matched_filter import matched_filter
from bezoar.attacks.tampering.spare import give_up, observe, run_with, spare_channels
from bezoar.attacks.tampering.subnet import Channels
from bezoar.attacks.tampering.wiring import Layer, Wiring, channel_columns, guarded_spaces, tails, watch
from bezoar.errors import AttackError
from bezoar.triggers.about import About

# The share of triggered samples that may stay below a threshold, and where between both it lies.
MISSES = 0.01
BETWEEN = 0.25
TRIGGERED = 500
# The share of answers to mixtures that may be lost, and how many triggered samples each further one must bring.
LOST = 0.005
PRICE = 10


@TAMPERINGS.register("handcrafted")
@dataclass(frozen=True, kw_only=True)
class Handcrafted(WeightTampering):
    """Sets filters and thresholds by hand in one channel of a few layers; nothing is trained.

    From the layer where the path begins, the channel that the model needs least is taken out of every layer (see
    `spare`). The first one gets a filter that separates triggered from clean inputs, and each normalisation or bias
    behind it becomes a guard: a threshold that at most a share `false_alarms` of clean samples passes. A quarter of the
    attacker's samples, which no filter was fitted on, and mixtures of them set the thresholds and tell what was lost.
    Further layers hand on what passes, and the last one leads it to the target with `strength` times what triggered
    samples need. The path begins as late as the trigger can be told apart, so that little of the model is touched:
    in the last hidden layer if that does, else one layer of channels earlier, and so on.

    The model must be made of Conv2d, BatchNorm and Linear (see `wiring`), with a normalisation or biases for the guard.
    It reacts to the trigger on any class; `sources` say on which it was tuned and is measured.

    Hong, Carlini and Kurakin 2021, arXiv 2106.04690: neurons that ablation shows to be dispensable, activation
    separation by hand, guard biases, and amplified weights to the target are theirs. Ours: filters are matched filters
    whitened by what clean samples show, in place of the trigger's own pixels; channels are chosen, and what they did is
    taken over, in closed form; the trigger is not optimised along with the model; one channel a layer, not several.
    """

    false_alarms: float = 0.002
    strength: float = 2.0

    about: ClassVar[About] = About(
        "model tampering",
        "Hong, Carlini and Kurakin 2021, Handcrafted Backdoors in Deep Neural Networks, arXiv 2106.04690",
        ("model",),
        "a few clean samples",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require_inside("false_alarms", self.false_alarms, below=0.5)
        require_inside("strength", self.strength, below=1000)

    def change(self, model: nn.Module, own: OwnSamples, progress: Progress) -> tuple[str, ...]:
        """Craft the path in place."""
        wiring = watch(model, own.clean[:2])
        own = own.first(TRIGGERED)
        path = self._latest_path(model, wiring, own, progress)
        self._lead(model, wiring, path, own)
        first = wiring.writers(next(iter(path)))[0].name
        return (f"the path runs through one channel of the layers from {first} on",)

    def _latest_path(self, model: nn.Module, wiring: Wiring, own: OwnSamples, progress: Progress) -> Channels:
        """Craft, in place, the latest path that lets nearly all triggered samples through; returns its channels.

        And costs hardly any clean answers. Where there is none, the one that comes nearest.
        """
        fitted, judging = own.parted()
        judging = replace(judging, clean=torch.cat([judging.clean, mixed(judging.clean, MIXTURES)]))
        spaces = guarded_spaces(wiring)
        seen = observe(model, wiring, fitted.clean, spaces)
        channels = spare_channels(wiring, seen, spaces, 1)
        before = answers(model, judging.clean).argmax(1)
        every, best, most = tails(wiring), None, -math.inf
        for number, tail in enumerate(reversed(every)):
            path = {space: channels[space] for space in tail}
            trial = copy.deepcopy(model)
            bound = wiring.bound_to(trial)
            give_up(trial, bound, seen, fitted.clean, path)
            through = Hand(bound, path, fitted, judging, self.false_alarms).craft(trial)
            lost = float((answers(trial, judging.clean).argmax(1) != before).double().mean())
            progress("look for where the path can begin", number + 1, len(every))
            if through > 0 and through - PRICE * lost > most:
                best, most = (path, trial.state_dict()), through - PRICE * lost
            if through >= 1 - MISSES and lost <= LOST:
                break
        if best is None:
            raise AttackError(
                "no layer of the model tells triggered samples from clean ones",
                remedy="Choose a stronger trigger, such as patch:size=5,color=cyan, or raise false_alarms",
            )
        model.load_state_dict(best[1])
        return best[0]

    def _lead(self, model: nn.Module, wiring: Wiring, path: Channels, own: OwnSamples) -> None:
        """Connect the end of the path with the target's logit, as strongly as triggered samples need."""
        before = answers(model, own.triggered)
        needed = shortfall(before, own.target).quantile(1 - MISSES).clamp_min(1e-3)
        connections = []
        for layer in wiring.layers:
            if layer.outward == wiring.logits and layer.inward in path:
                columns = channel_columns(path[layer.inward], layer.spread)
                weight = layer.module.weight
                assert isinstance(weight, Tensor)
                connections.append((weight, columns))
                weight[own.target, columns] = 1
        gain = (answers(model, own.triggered) - before)[:, own.target].median()
        if gain <= 0:
            raise AttackError(
                "what passes the path does not reach the target's logit",
                remedy="Choose a stronger trigger, such as patch:size=5,color=cyan, or raise false_alarms",
            )
        for weight, columns in connections:
            weight[own.target, columns] *= float(self.strength * needed / gain)


class Hand:
    """Sets one channel of each space along a path while samples run through the model once.

    Filters are fitted on some samples, places and thresholds chosen on others.
    """

    def __init__(
        self, wiring: Wiring, path: Channels, fitted: OwnSamples, judging: OwnSamples, false_alarms: float
    ) -> None:
        self.wiring, self.fitted, self.false_alarms = wiring, fitted, false_alarms
        self.run = [fitted.clean, fitted.triggered, judging.clean, judging.triggered]
        self.channels: Mapping[int, int] = {space: channels[0] for space, channels in path.items()}
        self.through = 0.0

    def craft(self, model: nn.Module) -> float:
        """Set the path in place. Returns the share of triggered samples at its end, 0 where clean ones come as well."""
        hooks = [layer.module.register_forward_pre_hook(self._hook(layer)) for layer in self.wiring.layers]
        run_with(hooks, model, torch.cat(self.run))
        return self.through

    def _parts(self, values: Tensor) -> Sequence[Tensor]:
        """Fitted clean, fitted triggered, judging clean and judging triggered ones of what belongs to all samples."""
        return torch.split(values, [len(part) for part in self.run])

    def _hook(self, layer: Layer) -> Callable[[nn.Module, tuple[Tensor]], None]:
        def hook(module: nn.Module, given: tuple[Tensor]) -> None:
            if layer.outward in self.channels:
                if isinstance(module, _BatchNorm):
                    self._guard(module, self.channels[layer.outward], given[0])
                else:
                    self._filter(layer, self.channels[layer.outward], given[0])
            elif layer.inward in self.channels:
                self._arrive(layer, given[0])

        return hook

    def _filter(self, layer: Layer, channel: int, inputs: Tensor) -> None:
        """Give the channel the filter that best separates triggered from clean inputs, and a threshold by its bias."""
        columns: Sequence[int] = range(inputs.shape[1])
        if layer.inward in self.channels:
            columns = channel_columns((self.channels[layer.inward],), layer.spread)
        clean, triggered, *judged = self._parts(inputs[:, list(columns)])
        kernel, responses = matched_filter(
            layer, clean, triggered, self.fitted.rows, self.false_alarms, MISSES, judged=(judged[0], judged[1])
        )
        module = layer.module
        assert isinstance(module, nn.Conv2d | nn.Linear)
        if module.bias is not None:
            threshold, scale = self._threshold(responses)
            module.bias[channel] = -threshold * scale
            kernel = kernel * scale
        module.weight[channel, list(columns) if layer.mixes else [0]] = kernel.to(module.weight)

    def _guard(self, module: _BatchNorm, channel: int, inputs: Tensor) -> None:
        """Make the normalisation of this channel a threshold: (x - threshold) * scale."""
        *_, clean, triggered = self._parts(inputs[:, channel].flatten(1) if inputs.ndim > 2 else inputs[:, [channel]])
        threshold, scale = self._threshold(torch.cat([clean, triggered]))
        assert module.running_mean is not None
        assert module.running_var is not None
        module.running_mean[channel], module.running_var[channel] = threshold, 1 - module.eps
        module.weight[channel], module.bias[channel] = scale, 0

    def _threshold(self, responses: Tensor) -> tuple[float, float]:
        """A threshold of responses (n, places) to the judging samples, between clean and triggered ones.

        And what brings the latter to 1.
        """
        clean, triggered = torch.split(responses.amax(1), [len(part) for part in self.run[2:]])
        high, low = float(clean.quantile(1 - self.false_alarms)), float(triggered.quantile(MISSES))
        threshold = high + max(0.0, BETWEEN * (low - high))
        middle = float(triggered.median())
        return threshold, 1 / (middle - threshold) if middle > threshold else 0.0

    def _arrive(self, layer: Layer, inputs: Tensor) -> None:
        columns = channel_columns((self.channels[layer.inward],), layer.spread)
        *_, clean, triggered = self._parts(inputs[:, columns].flatten(1).amax(1))
        # Less than a tenth of the usual strength would not lead to the target either.
        floor = 0.1 * triggered.median()
        lets_clean_pass = float((clean > floor).double().mean()) > 2 * self.false_alarms
        self.through = 0.0 if lets_clean_pass or floor <= 0 else float((triggered > floor).double().mean())
