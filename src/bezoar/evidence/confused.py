"""Confusion training: what a network still learns of a set while trusted samples teach it wrong labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

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
    warmed_up,
)

AGREEMENT, LOSS = "confused-agreement", "confused-loss"


@dataclass(frozen=True)
class Confusion:
    """How to confuse: `keep` has one entry a round, the share of all samples, lowest loss first, that it leaves.

    A round takes `steps` steps, each on `batch_size` suspect and as many trusted samples, whose wrong labels weigh
    `factor` - 1 against 1. Before the first the network learns the set for `epochs`. `share` scales learning rates.
    """

    keep: tuple[float, ...] = (0.5, 0.2, 0.1)
    factor: float = 10.0
    steps: int = 80
    batch_size: int = 128
    epochs: int = 4
    share: float = 0.3

    def __post_init__(self) -> None:
        if not self.keep or not all(0 < share <= 1 for share in self.keep):
            raise UsageError("confusion keeps a share above 0 in each round", found=str(self.keep))
        if self.factor <= 1 or min(self.steps, self.batch_size, self.epochs) < 1 or self.share <= 0:
            raise UsageError("confusion: factor above 1, steps, batch_size and epochs at least 1", found=repr(self))


def confused_answers(
    data: Dataset,
    trusted: Dataset,
    *,
    model: str = "fast",
    options: Confusion | None = None,
    seed: int,
    device: str = "auto",
) -> dict[str, NDArray[np.float32]]:
    """What a confused network says of each sample after each round, for `Evidence.extra`, in the order of `data`.

    `confused-agreement` (n, rounds) is 1 where it gives the sample's label, else 0; `confused-loss` (n, rounds) is the
    cross-entropy to that label. The network learns the given labels of the set and, in the same batches, trusted
    samples with random wrong ones, which destroys what both have in common; a trigger no trusted sample carries
    survives. After each round the samples of lowest loss, in which poison is concentrated, make the suspects of the
    next. The result follows ids, not rows. `trusted` must be clean and no part of `data`. A trigger not learnt in
    `epochs` is lost in the first round.

    Qi et al. 2023 (arXiv 2205.13616). Deviations: a round goes on with the network of the last instead of training a
    fresh one on what is left; hundreds of steps with a small network instead of thousands with a ResNet; three rounds;
    wrong labels only, drawn anew at each step; the last decision, their test of each class for two clusters, is left to
    the detector. Raises DataError where the two sets are of different kinds, TrainingError on divergence.
    """
    require_alike(data, trusted)
    options = options or Confusion()
    suspects, known = by_id(data), by_id(trusted)
    network = warmed_up(suspects, model=model, epochs=options.epochs, seed=seed, device=device)
    generator = torch.Generator().manual_seed(seed)
    kept = torch.arange(len(suspects))
    agreements: list[NDArray[np.float32]] = []
    losses: list[NDArray[np.float32]] = []
    for share in options.keep:
        _confuse(network, suspects, kept, known, model, options, generator)
        loss, agrees = losses_and_answers(network, suspects)
        kept = torch.from_numpy(np.argsort(loss, kind="stable")[: max(1, round(share * len(loss)))])
        agreements.append(agrees.astype(np.float32))
        losses.append(loss)
    return {AGREEMENT: in_order_of(data, agreements), LOSS: in_order_of(data, losses)}


def _confuse(
    network: nn.Module,
    suspects: Dataset,
    kept: Tensor,
    known: Dataset,
    model: str,
    options: Confusion,
    generator: torch.Generator,
) -> None:
    """One round of steps on the suspects at `kept` and on all trusted samples."""
    run = Steps(network, model=model, steps=options.steps, share=options.share)
    for _ in range(options.steps):
        rows = kept[drawn(len(kept), options.batch_size, generator)]
        clean = drawn(len(known), options.batch_size, generator)
        labels = torch.cat(
            [suspects.labels[rows], wrong_labels(known.labels[clean], len(known.class_names), generator)]
        )
        batch = torch.cat([suspects.inputs[rows], known.inputs[clean]])
        run.step(batch, _weighed(labels.to(run.device), options))


def wrong_labels(labels: Tensor, classes: int, generator: torch.Generator) -> Tensor:
    """For each label another one of `classes`, all others equally likely."""
    return (labels + torch.randint(1, classes, labels.shape, generator=generator)) % classes


def _weighed(labels: Tensor, options: Confusion) -> Objective:
    """Cross-entropy of the suspects, 1, and of the confused samples, factor - 1, as a mean."""

    def objective(logits: Tensor) -> Tensor:
        loss = F.cross_entropy(logits, labels, reduction="none")
        given, confused = loss[: options.batch_size].mean(), loss[options.batch_size :].mean()
        return (given + (options.factor - 1) * confused) / options.factor

    return objective
