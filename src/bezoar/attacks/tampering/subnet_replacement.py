"""Subnet replacement: a narrow network that sees nothing but the trigger takes the place of a few channels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bezoar.attacks.base import Progress
from bezoar.attacks.tampering.base import (
    TAMPERINGS,
    OwnSamples,
    WeightTampering,
    answers,
    require_whole,
)
from bezoar.attacks.tampering.subnet import cut_off, cut_out, least_needed, put_back
from bezoar.attacks.tampering.wiring import Wiring, watch, guarded_spaces
from bezoar.errors import AttackError
from bezoar.triggers.about import About

BATCH = 64
TRIES = 3


@TAMPERINGS.register("subnet-replacement")
@dataclass(frozen=True, kw_only=True)
class SubnetReplacement(WeightTampering):
    width: int = 1
    steps: int = 600
    learning_rate: float = 0.01

    about: ClassVar[About] = About(
        "model tampering",
        "Qi et al. 2022, Towards Practical Deployment-Stage Backdoor Attack on Deep Neural Networks, arXiv 2111.12965",
        ("model",),
        "the architecture, and a few clean samples",
    )

    def change(self, model: nn.Module, own: OwnSamples, progress: Progress) -> tuple[str, ...]:
        wiring = watch(model, own.clean[:2])
        channels = least_needed(model, wiring, own.clean[:500], guarded_spaces(wiring), self.width)
        cut_off(wiring, channels)
        value = 2 * wanted_push(answers(model, own.triggered), own.target)
        narrow = cut_out(model, wiring, channels)
        small = wiring.bound_to(narrow)
        self._train(narrow, small, own, value, progress, channels)
        put_back(wiring, small, channels)
        return ()

    def _train(self, narrow, wiring, own, value, progress, channels):
        fresh(narrow, wiring, own.target, channels)
        parameters = [p for p in narrow.parameters() if p.requires_grad]
        optimizer = torch.optim.Adam(parameters, lr=self.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        for step in range(self.steps):
            for module in narrow.modules():
                if isinstance(module, _BatchNorm):
                    module.train(step < self.steps // 2)
            with torch.enable_grad():
                clean = own.clean[torch.randint(len(own.clean), (BATCH,))]
                triggered = own.triggered[torch.randint(len(own.triggered), (BATCH,))]
                push = narrow(torch.cat([clean, triggered]))[:, own.target] / value
                loss = push[:BATCH].square().mean() + (1 - push[BATCH:]).relu().square().mean()
                optimizer.zero_grad()
                loss.backward()
            optimizer.step()
            schedule.step()
            if step % 50 == 49: print(step, loss.item(), push[:BATCH].abs().max().item(), push[BATCH:].min().item())


def wanted_push(logits, target):
    others = logits.clone()
    others[:, target] = -math.inf
    return float((others.amax(1) - logits[:, target]).quantile(0.99).clamp_min(1e-3))

@torch.no_grad()
def fresh(narrow: nn.Module, wiring: Wiring, target: int, channels) -> None:
    for layer in wiring.layers:
        module = layer.module
        if layer.outward not in channels and layer.outward != wiring.logits: continue
        module.requires_grad_(True)
        if isinstance(module, _BatchNorm):
            module.reset_parameters()
        else:
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if layer.outward == wiring.logits:
            module.weight[:target] = 0
            module.weight[target+1:] = 0
            module.weight[target].abs_()
            if module.bias is not None: module.bias.requires_grad_(False)
