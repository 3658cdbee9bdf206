"""A model on clean and on triggered test data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bezoar.attacks import Backdoor
from bezoar.data.dataset import Dataset
from bezoar.errors import ModelError
from bezoar.metrics import measure, pooled
from bezoar.records import Measurement
from bezoar.training import predict_logits
from bezoar.training.allocator import recycled_memory
from bezoar.triggers import Trigger

BATCH = 1000


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a model answered: logits (n, classes) on the clean test data, and on them under each trigger.

    `measurements` are one for each trigger, `measurement` all of them pooled.
    """

    clean_logits: Tensor
    triggered_logits: tuple[Tensor, ...]
    measurements: tuple[Measurement, ...]

    @property
    def measurement(self) -> Measurement:
        """The headline: all triggers counted together."""
        return pooled(self.measurements)

    @property
    def clean_predictions(self) -> Tensor:
        """Predicted labels (n,) on clean data."""
        return self.clean_logits.argmax(1)


def evaluate(model: nn.Module, test: Dataset, backdoors: Sequence[Backdoor]) -> Evaluation:
    """Measure `model` on `test`, clean and with each backdoor's trigger on every sample, without augmentation.

    Raises ModelError when the model's classes don't match the data's.
    """
    clean = _logits(model, test, None)
    if clean.shape[1] != len(test.class_names):
        raise ModelError(
            f"the model and {test.name} differ in their classes",
            expected=f"{clean.shape[1]} classes, as the model answers",
            found=f"{len(test.class_names)}: {', '.join(test.class_names[:12])}",
        )
    triggered = tuple(_logits(model, test, backdoor.trigger) for backdoor in backdoors)
    measurements = tuple(
        measure(test.labels, clean.argmax(1), logits.argmax(1), backdoor.relabelling, test.class_names)
        for logits, backdoor in zip(triggered, backdoors, strict=True)
    )
    return Evaluation(clean, triggered, measurements)


def _logits(model: nn.Module, test: Dataset, trigger: Trigger | None) -> Tensor:
    batches = (batch if trigger is None else trigger(batch) for batch, _ in test.batches(BATCH))
    with recycled_memory():
        return torch.cat([predict_logits(model, batch) for batch in batches])
