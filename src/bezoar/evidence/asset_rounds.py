"""ASSET: what a network has to forget of a set while it must not forget a trusted one."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from bezoar.data import Dataset
from bezoar.errors import UsageError
from bezoar.evidence.against_trusted import (
    Objective,
    Steps,
    by_id,
    drawn,
    in_order_of,
    losses_and_answers,
    require_alike,
    unlearning_loss,
    warmed_up,
)

LOSS = "asset-loss"


@dataclass(frozen=True)
class Offset:
    """How to offset: `rounds` of `steps` steps, each on `batch_size` suspect and as many trusted samples.

    Of a suspect batch only the share `concentrate` that the inner network takes for poison is unlearnt; 1 is no inner
    loop. Before the first round the network learns the set for `epochs`. `share` scales learning rates.
    """

    rounds: int = 3
    steps: int = 40
    batch_size: int = 128
    concentrate: float = 0.25
    epochs: int = 4
    share: float = 0.1

    def __post_init__(self) -> None:
        if min(self.rounds, self.steps, self.batch_size, self.epochs) < 1 or self.share <= 0:
            raise UsageError("asset: rounds, steps, batch_size and epochs must be at least 1", found=repr(self))
        if not 0 < self.concentrate <= 1:
            raise UsageError("asset: concentrate is a share of a batch", found=str(self.concentrate))


def offset_losses(
    data: Dataset,
    trusted: Dataset,
    *,
    model: str = "fast",
    options: Offset | None = None,
    seed: int,
    device: str = "auto",
) -> dict[str, NDArray[np.float32]]:
    """Cross-entropy of each sample after each round, for `Evidence.extra`: `asset-loss` (n, rounds), in `data`'s order.

    A network that learnt the set lowers its loss on trusted samples (min) and raises it on suspect ones (max). What
    suspects have in common with trusted samples offsets; a backdoor, which these don't carry, is forgotten and its loss
    rises. An inner network with the opposite aims (it learns the suspects and forgets the trusted samples) picks from
    each suspect batch those of lowest loss, so that a rare poison weighs more. The result follows ids, not rows.
    `trusted` must be clean and no part of `data`. A trigger not learnt in `epochs` is not there to be forgotten.

    Pan et al. 2023 (arXiv 2302.11408). Written from its published account of the two loops, without its text of the
    algorithm at hand. Deviations known: the inner network goes on through all steps instead of starting anew at each
    batch; what is raised is -log(1 - p) of the label, which has a bound, and no negated loss; a network that learnt
    the set for few epochs; tens of steps. Raises DataError where the two sets are of different kinds, TrainingError
    on divergence.
    """
    require_alike(data, trusted)
    options = options or Offset()
    suspects, known = by_id(data), by_id(trusted)
    network = warmed_up(suspects, model=model, epochs=options.epochs, seed=seed, device=device)
    loops = _Loops(network, suspects, known, model, options, torch.Generator().manual_seed(seed))
    losses = []
    for _ in range(options.rounds):
        for _ in range(options.steps):
            loops.step()
        losses.append(losses_and_answers(network, suspects)[0])
    return {LOSS: in_order_of(data, losses)}


class _Loops:
    """The outer network, which forgets poison, and the inner one, which forgets all else."""

    def __init__(
        self,
        network: torch.nn.Module,
        suspects: Dataset,
        known: Dataset,
        model: str,
        options: Offset,
        generator: torch.Generator,
    ) -> None:
        self.suspects, self.known, self.options, self.generator = suspects, known, options, generator
        steps = options.rounds * options.steps
        self.outer = Steps(network, model=model, steps=steps, share=options.share)
        self.inner = Steps(copy.deepcopy(network), model=model, steps=steps, share=options.share)

    def step(self) -> None:
        """One update of both on the same batches."""
        size = self.options.batch_size
        rows = drawn(len(self.suspects), size, self.generator)
        clean = drawn(len(self.known), size, self.generator)
        batch = torch.cat([self.suspects.inputs[rows], self.known.inputs[clean]])
        given = self.suspects.labels[rows].to(self.outer.device)
        right = self.known.labels[clean].to(self.outer.device)
        logits = self.inner.step(batch, _learn_and_unlearn(slice(0, size), given, slice(size, None), right))
        poison = _lowest(F.cross_entropy(logits[:size], given, reduction="none"), self.options.concentrate)
        self.outer.step(batch, _learn_and_unlearn(slice(size, None), right, poison, given[poison]))


def _learn_and_unlearn(learn: slice, right: Tensor, unlearn: slice | Tensor, given: Tensor) -> Objective:
    """The loss of some rows of a batch and the unlearning loss of others."""
    return lambda logits: F.cross_entropy(logits[learn], right) + unlearning_loss(logits[unlearn], given)


def _lowest(losses: Tensor, share: float) -> Tensor:
    """Places of the share of losses that are lowest, one at least."""
    return losses.argsort(stable=True)[: max(1, round(share * len(losses)))]
