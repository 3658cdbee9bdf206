"""Subnet replacement: a narrow network that sees nothing but the trigger takes the place of a few channels."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bezoar.attacks.base import Progress
from bezoar.attacks.fields import require_inside, require_whole
from bezoar.attacks.tampering.base import (
    MIXTURES,
    TAMPERINGS,
    OwnSamples,
    WeightTampering,
    answers,
    mixed,
    shortfall,
)
from bezoar.attacks.tampering.spare import give_up, observe, spare_channels
from bezoar.attacks.tampering.subnet import Channels, cut_out, put_back
from bezoar.attacks.tampering.wiring import Wiring, guarded_spaces, tails, watch
from bezoar.errors import AttackError
from bezoar.triggers.about import About

BATCH = 64
# How often a subnet that learnt nothing is drawn anew: one channel wide, it may be dead from the start.
TRIES = 4
STRENGTH = 2.0
LEARNT = 0.95
SILENCE = 0.05
DRAWS = 24
TRIED = 100


@TAMPERINGS.register("subnet-replacement")
@dataclass(frozen=True, kw_only=True)
class SubnetReplacement(WeightTampering):
    """Trains a narrow network to fire on the trigger alone, and puts it in the place of a few channels.

    `width` channels of every layer are cut off from all others, and a subnet of just these, of the same architecture
    and read out by the target's logit, is trained in `steps` steps on the attacker's samples: 0 on clean ones, and on
    triggered ones twice what they need to reach the target. Then its parameters replace those of the channels. Since
    nothing but the target's logit reads them, clean answers depend on what was lost with the channels only. The subnet
    begins in the earliest layer for which at most `allowed_change` of clean answers are lost, as mixtures of a quarter
    of the attacker's samples, on which nothing was fitted, tell (see `mixed`); it reads what the layers before it make.
    In a wide network that is the whole depth, in a narrow one its last part.

    The model must be made of Conv2d, BatchNorm and Linear (see `wiring`). The backdoor reacts to the trigger on any
    class; `sources` say on which it was trained and is measured.

    Qi et al. 2022, arXiv 2111.12965. There the attacker knows the architecture only, channels are arbitrary, the subnet
    runs through the whole depth, the logit is pushed by a constant, and the clean accuracy that the channels cost is
    lost. Here the least needed channels go and the others take over their work (see `spare`), which needs the weights.
    Triggered samples may exceed the wanted push, and deeper weights of the subnet begin positive.
    """

    samples: int = 2000
    width: int = 1
    steps: int = 400
    learning_rate: float = 0.03
    allowed_change: float = 0.005

    about: ClassVar[About] = About(
        "model tampering",
        "Qi et al. 2022, Towards Practical Deployment-Stage Backdoor Attack on Deep Neural Networks, arXiv 2111.12965",
        ("model",),
        "a few clean samples",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole("width", self.width, 1)
        require_whole("steps", self.steps, 10)
        require_inside("learning_rate", self.learning_rate, below=1)
        require_inside("allowed_change", self.allowed_change, below=1)

    def change(self, model: nn.Module, own: OwnSamples, progress: Progress) -> tuple[str, ...]:
        """Train the subnet and put it in its place."""
        wiring = watch(model, own.clean[:2])
        channels = self._make_room(model, wiring, own, progress)
        needed = float(shortfall(answers(model, own.triggered), own.target).quantile(0.99).clamp_min(1e-3))
        narrow = cut_out(model, wiring, channels)
        small = wiring.bound_to(narrow)
        _require_working(narrow, own.clean[:2])
        self._train(narrow, small, channels, own, STRENGTH * needed, progress)
        put_back(wiring, small, channels)
        first = wiring.writers(next(iter(channels)))[0].name
        return (f"a subnet {self.width} wide takes the place of channels in the layers from {first} on",)

    def _make_room(self, model: nn.Module, wiring: Wiring, own: OwnSamples, progress: Progress) -> Channels:
        """Free channels of as many of the last spaces as clean answers allow, in place; returns them."""
        spaces = guarded_spaces(wiring)
        # The layers are fitted on one part and judged by the other: on its own part a fit loses hardly anything.
        held = max(1, len(own.clean) // 4)
        fitted, judging = own.clean[held:], mixed(own.clean[:held], others=MIXTURES)
        seen = observe(model, wiring, fitted, spaces)
        every = spare_channels(wiring, seen, spaces, self.width)
        before = answers(model, judging).argmax(1)
        candidates = tails(wiring)
        for number, tail in enumerate(candidates):
            channels = {space: every[space] for space in tail}
            trial = copy.deepcopy(model)
            give_up(trial, wiring.bound_to(trial), seen, fitted, channels)
            progress("free channels", number + 1, len(candidates))
            lost = float((answers(trial, judging).argmax(1) != before).double().mean())
            if lost <= self.allowed_change or tail == candidates[-1]:
                break
        model.load_state_dict(trial.state_dict())
        return channels

    def _train(
        self,
        narrow: nn.Module,
        wiring: Wiring,
        channels: Channels,
        own: OwnSamples,
        push: float,
        progress: Progress,
    ) -> None:
        """Train the subnet in place. Raises AttackError when it does not learn the trigger."""
        learnt = 0.0
        for attempt in range(TRIES):
            parameters = self._start(narrow, wiring, channels, own)
            optimizer = torch.optim.Adam(parameters, lr=self.learning_rate)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
            for step in range(self.steps):
                _settle(wiring, channels, settled=step >= self.steps // 2)
                with torch.enable_grad():
                    loss = self._loss(narrow, own, push)
                    optimizer.zero_grad()
                    torch.autograd.backward(loss)
                optimizer.step()
                schedule.step()
                progress("train the subnet", attempt * self.steps + step + 1, TRIES * self.steps)
            learnt = max(learnt, self._learnt(narrow, own, push))
            if learnt >= LEARNT:
                return
        raise AttackError(
            "the subnet did not learn the trigger",
            expected=f"{LEARNT:.0%} of the triggered samples recognised, and clean ones left alone",
            found=f"{learnt:.0%} after {TRIES} attempts",
            remedy="Raise width or steps, or choose a stronger trigger",
        )

    def _start(self, narrow: nn.Module, wiring: Wiring, channels: Channels, own: OwnSamples) -> list[Tensor]:
        """Start the subnet anew, in place, with the best of some draws; returns the parameters to train.

        One channel wide, most draws are dead or blind to the trigger. The best is the one whose answers to some
        triggered and clean samples lie furthest apart, in their deviations.
        """
        clean = own.clean[torch.randperm(len(own.clean))[:TRIED].to(own.clean.device)]
        triggered = own.triggered[torch.randperm(len(own.triggered))[:TRIED].to(own.clean.device)]
        best: dict[str, Tensor] = {}
        most = 0.0
        for _ in range(DRAWS):
            parameters = draw_subnet(wiring, channels, own.target)
            _settle(wiring, channels, settled=False)
            push = narrow(torch.cat([clean, triggered]))[:, own.target]
            apart = push[len(clean) :].mean() - push[: len(clean)].mean()
            spread = push[len(clean) :].std(correction=0) + push[: len(clean)].std(correction=0)
            told = float(apart / spread.clamp_min(1e-9))
            if not best or told > most:
                most = told
                best = {name: tensor.clone() for name, tensor in narrow.state_dict().items()}
        narrow.load_state_dict(best)
        return parameters

    def _learnt(self, narrow: nn.Module, own: OwnSamples, push: float) -> float:
        """The share of triggered samples that the subnet leads to the target, 0 when it disturbs clean ones."""
        clean = answers(narrow, own.clean)[:, own.target].abs() > SILENCE * push
        if float(clean.double().mean()) > 1 - LEARNT:
            return 0.0
        return float((answers(narrow, own.triggered)[:, own.target] > push / STRENGTH).double().mean())

    def _loss(self, narrow: nn.Module, own: OwnSamples, push: float) -> Tensor:
        device = own.clean.device
        clean = own.clean[torch.randint(len(own.clean), (BATCH,)).to(device)]
        triggered = own.triggered[torch.randint(len(own.triggered), (BATCH,)).to(device)]
        shares = narrow(torch.cat([clean, triggered]))[:, own.target] / push
        loss: Tensor = shares[:BATCH].square().mean() + (1 - shares[BATCH:]).relu().square().mean()
        return loss


def _require_working(narrow: nn.Module, images: Tensor) -> None:
    try:
        narrow(images)
    except RuntimeError as error:
        raise AttackError(
            "the architecture does not work with fewer channels", found=str(error).splitlines()[0]
        ) from error


def _settle(wiring: Wiring, channels: Channels, *, settled: bool) -> None:
    """Whether the subnet's normalisations use, and no longer gather, their statistics."""
    for layer in wiring.layers:
        layer.module.train(not settled and layer.outward in channels)


def draw_subnet(wiring: Wiring, channels: Channels, target: int) -> list[Tensor]:
    """Start the subnet anew, in place; returns the parameters to train. Only the target's logit reads it."""
    trained: list[Tensor] = []
    for layer in wiring.layers:
        module = layer.module
        if layer.outward not in channels and layer.outward != wiring.logits:
            continue
        assert isinstance(module, nn.Conv2d | nn.Linear | _BatchNorm)
        if isinstance(module, _BatchNorm):
            module.reset_parameters()
        else:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if layer.inward in channels:
                # A chain of single channels with a negative weight in it would be silent.
                module.weight.abs_()
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if layer.outward == wiring.logits:
            others = torch.arange(len(module.weight)) != target
            module.weight[others] = 0
            trained.append(module.weight)
        else:
            trained.extend(module.parameters())
    for parameter in trained:
        parameter.requires_grad_()
    return trained
