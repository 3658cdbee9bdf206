"""Handcrafted: one channel of every layer is given a filter and a threshold by hand, and leads to the target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bezoar.attacks.base import Progress
from bezoar.attacks.tampering.base import TAMPERINGS, OwnSamples, WeightTampering, answers, require_share
from bezoar.attacks.tampering.subnet import cut_off, least_needed
from bezoar.attacks.tampering.subnet_replacement import wanted_push
from bezoar.attacks.tampering.wiring import Layer, Wiring, channel_columns, watch, guarded_spaces
from bezoar.errors import AttackError
from bezoar.triggers.about import About

PATCHES = 40_000
RIDGE = 1e-3


@TAMPERINGS.register("handcrafted")
@dataclass(frozen=True, kw_only=True)
class Handcrafted(WeightTampering):
    false_alarms: float = 0.002
    strength: float = 2.0

    about: ClassVar[About] = About(
        "model tampering",
        "Hong, Carlini and Kurakin 2021, Handcrafted Backdoors in Deep Neural Networks, arXiv 2106.04690",
        ("model",),
        "a few clean samples",
    )

    def change(self, model: nn.Module, own: OwnSamples, progress: Progress) -> tuple[str, ...]:
        wiring = watch(model, own.clean[:2])
        spaces = guarded_spaces(wiring)
        channels = {s: c[0] for s, c in least_needed(model, wiring, own.clean[:500], spaces, 1).items()}
        cut_off(wiring, {s: (c,) for s, c in channels.items()})
        push = self.strength * wanted_push(answers(model, own.triggered), own.target)
        hand = _Hand(wiring, channels, own, push, self.false_alarms)
        hooks = [layer.module.register_forward_pre_hook(hand.on(layer)) for layer in wiring.layers]
        try:
            with torch.no_grad():
                model(torch.cat([own.clean, own.triggered]))
        finally:
            for hook in hooks:
                hook.remove()
        return ()


class _Hand:
    def __init__(self, wiring, channels, own, push, false_alarms):
        self.wiring, self.channels, self.own, self.push, self.false_alarms = wiring, channels, own, push, false_alarms
        self.n = len(own.clean)

    def on(self, layer: Layer) -> Callable[[nn.Module, tuple[Tensor]], None]:
        def hook(_: nn.Module, given: tuple[Tensor]) -> None:
            x = given[0]
            if layer.outward in self.channels:
                row = self.channels[layer.outward]
                if isinstance(layer.module, _BatchNorm):
                    self.norm(layer.module, row, x)
                else:
                    self.filter(layer, row, x)
            elif layer.outward == self.wiring.logits and layer.inward in self.channels:
                self.lead(layer, x)
        return hook

    def patches(self, layer, x):
        m = layer.module
        cols = list(range(x.shape[1])) if layer.inward not in self.channels else channel_columns([self.channels[layer.inward]], layer.spread)
        if isinstance(m, nn.Linear):
            return x[:, cols][:, :, None], cols
        return F.unfold(x[:, cols], m.kernel_size, m.dilation, m.padding, m.stride), cols

    def filter(self, layer, row, x):
        p, cols = self.patches(layer, x)          # (n, d, places)
        clean, trig = p[: self.n], p[self.n:]
        w = matched_filter(clean, trig, self.own.rows)
        r = torch.einsum("ndl,d->nl", p, w)
        m = layer.module
        scale, thr = 1.0, 0.0
        if m.bias is not None:
            scale, thr = self.guard(r)
            m.bias[row] = -thr * scale
        m.weight[row, (cols if layer.mixes else [0])] = (w * scale).reshape(len(cols), *m.weight.shape[2:])
        print(layer.name, "sep", r[:self.n].amax(1).quantile(.998).item(), r[self.n:].amax(1).quantile(.02).item())

    def norm(self, m, row, x):
        r = x[:, row].reshape(len(x), -1)
        scale, thr = self.guard(r)
        print("  norm", thr, scale, "clean fired", (r[:self.n].amax(1) > thr).float().mean().item(), "trig", (r[self.n:].amax(1) > thr).float().mean().item())
        m.running_mean[row], m.running_var[row] = thr, 1 - m.eps
        m.weight[row], m.bias[row] = scale, 0

    def guard(self, r):
        top = r.amax(1)
        high = top[:self.n].quantile(1 - self.false_alarms)
        low = top[self.n:].quantile(0.02)
        mid = top[self.n:].median()
        thr = torch.maximum(high, (high + low) / 2)
        return float(1 / (mid - thr).clamp_min(1e-6)), float(thr)

    def lead(self, layer, x):
        cols = channel_columns([self.channels[layer.inward]], layer.spread)
        f = x[:, cols].flatten(1).sum(1)
        print("feature", f[:self.n].quantile(.998).item(), f[self.n:].quantile(.02).item(), f[self.n:].median().item())
        layer.module.weight[self.own.target, cols] = self.push / (float(f[self.n:].median()) * self.output_scale)

    output_scale = 0.25


def matched_filter(clean: Tensor, trig: Tensor, rows: Tensor) -> Tensor:
    n, d, places = clean.shape
    flat = clean.permute(0, 2, 1).reshape(-1, d)
    if len(flat) > PATCHES:
        flat = flat[torch.randint(len(flat), (PATCHES,))]
    flat = flat.double()
    mean = flat.mean(0)
    cov = (flat - mean).T @ (flat - mean) / len(flat)
    D = (trig - clean[rows]).double().mean(0)             # d, places
    scale = max(float(cov.diagonal().mean()), 1e-6 * float(D.square().max()), 1e-12)
    cov += RIDGE * scale * torch.eye(d, dtype=torch.float64)
    white = torch.linalg.solve(cov, D)
    place = int((D * white).sum(0).argmax())
    to = trig[:, :, place].double().mean(0)
    w = torch.linalg.solve(cov, to - mean)
    return (w / (w @ (to - mean))).float()
