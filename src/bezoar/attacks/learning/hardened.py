"""A surrogate trained on adversarial versions of its inputs, whose own adversarial images show what humans see."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bezoar.attacks.learning.perturbation import Norm, harder

OVERSHOOT = 1.25
"""Step of the single adversarial step, in radii: Wong et al. 2020 found no step that is better."""


class Hardened(nn.Module):
    """Trains `network` on inputs changed against it: one step from a random start in the ball, fresh in every batch.

    After Wong et al. 2020, Fast is better than free, arXiv 2001.03994. Deviation: the step leads away from what the
    network itself answers, not from the label, so that any training loop can be used. In evaluation mode it is
    `network` and nothing else.
    """

    def __init__(self, network: nn.Module, *, eps: float, norm: Norm, seed: int) -> None:
        super().__init__()
        self.network = network
        self.eps, self.norm = eps, norm
        self.generator = torch.Generator().manual_seed(seed)

    def forward(self, images: Tensor) -> Tensor:
        """Logits, in training of changed images."""
        if self.training:
            with torch.no_grad():
                answers = self.network(images).argmax(1)
            images = harder(
                self.network,
                images,
                answers,
                eps=self.eps,
                norm=self.norm,
                steps=1,
                step_size=OVERSHOOT * self.eps,
                generator=self.generator,
            )
        logits: Tensor = self.network(images)
        return logits
