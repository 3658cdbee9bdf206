"""The one loop in which every repair learns: seeded batches, a rule that makes gradients, steps that slow down."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.data.dataset import Dataset
from bezoar.errors import TrainingError
from bezoar.repair.base import Work, require
from bezoar.training.batches import Augmentation, epoch_batches, to_unit_range
from bezoar.training.optimizers import Scheduled
from bezoar.training.predict import predict_logits
from bezoar.training.recipe import Recipe
from bezoar.training.tuning import training_mode

STEEPEST = 1.0
"""A longer gradient is cut to this length: without batch norm a single odd batch could ruin the weights."""
BATCHES, SMALLEST_BATCH = 4, 16
"""An epoch of few samples is still divided into 4 batches, if each has 16."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How to fine-tune. The rate falls from `learning_rate` to zero along a line.

    `least_steps` lets few samples come up in more than `epochs` epochs. `shift` varies images as in training, by up
    to so many pixels. `distillation` is how much of the goal are the answers that the model gave before the repair,
    the rest being the labels: few samples teach a network their accidents, and its own answers keep what it knew
    (Li and Hoiem 2016, arXiv 1606.09282, who call it learning without forgetting).
    """

    epochs: int = 5
    least_steps: int = 100
    batch_size: int = 128
    learning_rate: float = 0.03
    momentum: float = 0.9
    weight_decay: float = 5e-4
    shift: int = 2
    distillation: float = 0.0

    def __post_init__(self) -> None:
        most = float("inf")
        require(
            type(self).__name__,
            epochs=(self.epochs, 1, most),
            least_steps=(self.least_steps, 0, most),
            batch_size=(self.batch_size, 2, most),
            learning_rate=(self.learning_rate, 0, most),
            momentum=(self.momentum, 0, 1),
            weight_decay=(self.weight_decay, 0, most),
            shift=(self.shift, 0, most),
            distillation=(self.distillation, 0, 1),
        )

    def recipe(self, samples: int) -> Recipe:
        """The recipe for so many samples: even batches, and as many epochs as the least steps ask for."""
        wanted = min(self.batch_size, max(SMALLEST_BATCH, samples // BATCHES))
        batches = max(1, math.ceil(samples / wanted))
        return Recipe(
            epochs=max(self.epochs, math.ceil(self.least_steps / batches)),
            # Else the last batch would hold what is left over, perhaps one sample, which batch norm can't take.
            batch_size=math.ceil(samples / batches),
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            warm_up=0.0,
            shift=self.shift,
        )


@dataclass(frozen=True, eq=False)
class Batch:
    """Images (n, c, h, w) in 0..1 and their labels, on the device, and the rows of the data set that they are.

    `goals` (n, classes) are the probabilities that shall be answered, where these are not the labels alone.
    """

    images: Tensor
    labels: Tensor
    rows: Tensor
    goals: Tensor | None = None

    @property
    def wanted(self) -> Tensor:
        """What shall be answered, as cross-entropy takes it."""
        return self.labels if self.goals is None else self.goals


Loss: TypeAlias = Callable[[nn.Module, Batch], Tensor]
"""A scalar to descend, computed with the model in whatever mode it is in."""
Gradients: TypeAlias = Callable[[nn.Module, Batch], Tensor]
"""Leaves a gradient on every parameter that learns, and returns the loss."""


def cross_entropy(model: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy of what shall be answered, in nats."""
    return F.cross_entropy(model(batch.images), batch.wanted)


def downhill(loss: Loss) -> Gradients:
    """The gradients of plain descent."""

    def gradients(model: nn.Module, batch: Batch) -> Tensor:
        value = loss(model, batch)
        value.backward()  # type: ignore[no-untyped-call]
        return value.detach()

    return gradients


def tune(
    work: Work,
    data: Dataset,
    tuning: Tuning,
    *,
    stage: str,
    gradients: Gradients | None = None,
    steady: bool = False,
    go_on: Callable[[int], bool] | None = None,
    held: Mapping[str, Tensor] | None = None,
    goals: Tensor | None = None,
) -> int:
    """Fine-tune `work.model` on the data, in place. Returns how many epochs it took.

    `gradients` are those of cross-entropy unless given. With `steady` the model stays in evaluation mode: batch norms
    keep their statistics and nothing is dropped; otherwise those of frozen batch norms alone do. `go_on` is asked
    before every epoch, by its number from 0. `held` are parameters by name and what they are multiplied by after
    every step, 0 for weights that must stay zero. `goals` (n, classes) are what the samples shall be answered, see
    `goals_of`, in place of their labels. The order of samples depends on the work's seed alone. Raises
    TrainingError when the loss is no longer finite.
    """
    recipe = tuning.recipe(len(data))
    rule = gradients or downhill(cross_entropy)
    optimizer = Scheduled(work.model, recipe)
    for epoch in range(recipe.epochs):
        if go_on is not None and not go_on(epoch):
            return epoch
        if steady:
            work.model.eval()
        else:
            training_mode(work.model)
        batches = batches_of(work, data, recipe.batch_size, recipe.augmentation, epoch, goals)
        _epoch(work, batches, len(data), recipe, epoch, rule, optimizer, held or {})
        work.progress(stage, epoch + 1, recipe.epochs)
    return recipe.epochs


def _epoch(
    work: Work,
    batches: Iterator[Batch],
    samples: int,
    recipe: Recipe,
    epoch: int,
    rule: Gradients,
    optimizer: Scheduled,
    held: Mapping[str, Tensor],
) -> None:
    learning = learning_parameters(work.model)
    total, done = torch.zeros((), device=work.device), 0
    for batch in batches:
        total += rule(work.model, batch)
        nn.utils.clip_grad_norm_(learning, STEEPEST)
        optimizer.step((epoch + done / samples) / recipe.epochs)
        _hold(work.model, held)
        done += len(batch.rows)
    if not torch.isfinite(total):
        raise TrainingError(
            f"the repair diverged in epoch {epoch + 1}: the loss is not finite", remedy="Lower the learning rate"
        )


def goals_of(work: Work, data: Dataset, distillation: float) -> Tensor | None:
    """What samples shall be answered (n, classes): so much of what the model answers now, and the rest of the labels.

    To be asked before anything of the model is changed. None where the labels are all.
    """
    if distillation == 0:
        return None
    answers = predict_logits(work.model, data.inputs).softmax(1)
    labels = F.one_hot(data.labels, answers.shape[1]).to(answers)
    return (distillation * answers + (1 - distillation) * labels).to(work.device)


def batches_of(
    work: Work,
    data: Dataset,
    batch_size: int,
    augmentation: Augmentation,
    epoch: int,
    goals: Tensor | None = None,
) -> Iterator[Batch]:
    """The batches of one epoch, shuffled and varied by the work's seed and the number of the epoch."""
    numbers = torch.arange(len(data))
    for images, rows in epoch_batches(
        data.inputs, numbers, batch_size=batch_size, augmentation=augmentation, seed=work.seed, epoch=epoch
    ):
        there = rows.to(work.device)
        yield Batch(
            to_unit_range(images, work.device),
            data.labels[rows].to(work.device),
            there,
            None if goals is None else goals[there],
        )


def endless_batches(
    work: Work, data: Dataset, batch_size: int, augmentation: Augmentation, goals: Tensor | None = None
) -> Iterator[Batch]:
    """Batches of one epoch after the other without end."""
    for epoch in itertools.count():
        yield from batches_of(work, data, batch_size, augmentation, epoch, goals)


def learning_parameters(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that are free to learn, in the model's order."""
    return [one for one in model.parameters() if one.requires_grad]


def leave_gradients(parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor]) -> None:
    """Put gradients where the optimizer looks for them."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.detach()


@torch.no_grad()
def _hold(model: nn.Module, held: Mapping[str, Tensor]) -> None:
    for name, factor in held.items():
        model.get_parameter(name).mul_(factor)
