"""A surrogate trained on adversarial versions of its inputs, whose own adversarial images show what humans see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bezoar.attacks.learning.perturbation import Norm, away, random_change

NOISE = 2.0
"""Radius of the random start, in radii of the ball: as large as this a single step keeps its worth."""


class Hardened(nn.Module):
    """Trains `network` on inputs changed against it: a random start and one step, fresh in every batch.

    The start lies in a ball of twice the radius, the step is one radius long, and the sum is not brought back into
    the ball: N-FGSM, de Jorge et al. 2022, Make Some Noise, arXiv 2202.01181. A smaller start, projected, is cheaper
    to defend against: within minutes the network learns to fool the single step and has no robustness at all.
    Deviation: the step leads away from what the network itself answers, not from the label, so that any training
    loop can be used. In evaluation mode it is `network` and nothing else.
    """

    def __init__(self, network: nn.Module, *, eps: float, norm: Norm, seed: int) -> None:
        super().__init__()
        self.network = network
        self.eps, self.norm = eps, norm
        self.generator = torch.Generator().manual_seed(seed)

    def forward(self, images: Tensor) -> Tensor:
        """Logits, in training of changed images."""
        if self.training:
            images = self._changed(images)
        logits: Tensor = self.network(images)
        return logits

    def _changed(self, images: Tensor) -> Tensor:
        start = images + random_change(images, NOISE * self.eps, self.norm, self.generator)
        with _forgetful(self.network):
            step = away(self.network, start, labels=None, norm=self.norm)
        return (start + self.eps * step).clamp(0, 1)


@contextmanager
def _forgetful(network: nn.Module) -> Iterator[None]:
    """Within, batch norm keeps no statistics: those of the step's start are none of the images trained on."""
    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
