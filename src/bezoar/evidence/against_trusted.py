"""Short trainings that set a suspect set against a trusted one: what the gatherers of this kind share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from bezoar.data import Dataset
from bezoar.errors import DataError, TrainingError
from bezoar.training import Recipe, default_recipe, predict_logits, train
from bezoar.training.batches import to_unit_range
from bezoar.training.optimizers import Scheduled
from bezoar.training.precision import choose_device, choose_precision

Objective = Callable[[Tensor], Tensor]
"""Logits of a mixed batch to the loss that a step lowers."""


def by_id(data: Dataset) -> Dataset:
    """The same samples in the order of their ids, so that nothing drawn depends on the order of rows."""
    return data.select(data.positions(sorted(data.ids)))


def in_order_of(data: Dataset, columns: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Columns of values of the samples by id, as rows (n, columns) in the order of `data`."""
    order = np.argsort(np.array(data.ids), kind="stable")
    matrix = np.empty((len(order), len(columns)), dtype=np.float32)
    matrix[order] = np.stack(columns, axis=1)
    return matrix


def require_alike(data: Dataset, trusted: Dataset) -> None:
    """Raise DataError unless both sets have the same classes and shape of samples, and two classes at least."""
    if data.class_names != trusted.class_names or data.shape != trusted.shape:
        raise DataError(
            "the trusted set is of another kind than the data",
            expected=f"classes {', '.join(data.class_names[:12])}, samples {data.shape}",
            found=f"classes {', '.join(trusted.class_names[:12])}, samples {trusted.shape}",
            remedy="Give trusted samples of the same classes, in the same order, and of the same size",
        )
    if len(data.class_names) < 2:
        raise DataError("one class alone cannot be told from another", found=data.class_names[0])


def probe_recipe(model: str, epochs: int) -> Recipe:
    """The architecture's own recipe for so many epochs, without augmentation, which hides small triggers."""
    recipe = default_recipe(model)
    batch_size = min(recipe.batch_size, 256)
    return replace(recipe, epochs=epochs, shift=0, flips=False, label_smoothing=0.0, batch_size=batch_size)


def warmed_up(data: Dataset, *, model: str, epochs: int, seed: int, device: str) -> nn.Module:
    """A fresh network trained on `data` for a few epochs, on `device`."""
    trained = train(data, model=model, recipe=probe_recipe(model, epochs), seed=seed, device=device)
    network: nn.Module = trained.model.to(choose_device(device))
    return network


class Steps:
    """Updates of one network by an objective of its own, with the rates of the architecture's recipe times `share`."""

    def __init__(self, network: nn.Module, *, model: str, steps: int, share: float) -> None:
        recipe = probe_recipe(model, 1)
        self.network, self.steps, self.done = network, steps, 0
        self.device = next(network.parameters()).device
        self.dtype = choose_precision(self.device)
        self.optimizer = Scheduled(
            network,
            replace(
                recipe,
                learning_rate=share * recipe.learning_rate,
                other_learning_rate=share * recipe.other_learning_rate,
            ),
        )

    def step(self, batch: Tensor, objective: Objective) -> Tensor:
        """One update on a uint8 batch of both kinds, which share batch norm's statistics: else those would tell.

        Returns the logits before it, float32. Raises TrainingError when the loss is not finite.
        """
        self.network.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype is torch.bfloat16):
            logits: Tensor = self.network(to_unit_range(batch, self.device))
        logits = logits.float()
        loss = objective(logits)
        if not torch.isfinite(loss):
            raise TrainingError(
                "training against the trusted set diverged: the loss is not finite", remedy="Lower the learning rate"
            )
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step(min(1.0, self.done / self.steps))
        self.done += 1
        return logits.detach()


def losses_and_answers(network: nn.Module, data: Dataset) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Cross-entropy (n,) to the labels given, and whether the network gives the label (n,), in evaluation mode."""
    logits = predict_logits(network, data.inputs)
    loss = F.cross_entropy(logits, data.labels, reduction="none")
    return loss.numpy(), (logits.argmax(1) == data.labels).numpy()


def drawn(samples: int, size: int, generator: torch.Generator) -> Tensor:
    """`size` row numbers below `samples`, drawn with replacement."""
    return torch.randint(samples, (size,), generator=generator)


def unlearning_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """-log(1 - p) of the labels, mean over the batch: 0 once they are unlearnt, where -cross-entropy has no bound."""
    chances = F.softmax(logits, dim=1).gather(1, labels[:, None]).squeeze(1)
    return -torch.log1p(-chances.clamp(max=1 - 1e-4)).mean()
