"""A model on clean and on triggered test data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bezoar.data.dataset import Dataset
from bezoar.errors import ModelError
from bezoar.metrics import measure
from bezoar.records import Measurement
from bezoar.training import predict_logits
from bezoar.triggers import Trigger

BATCH = 1000


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a model answered: logits (n, classes) on the clean and on the triggered test data."""

    clean_logits: Tensor
    triggered_logits: Tensor
    measurement: Measurement

    @property
    def clean_predictions(self) -> Tensor:
        """Predicted labels (n,) on clean data."""
        return self.clean_logits.argmax(1)

    @property
    def triggered_predictions(self) -> Tensor:
        """Predicted labels (n,) on triggered data."""
        return self.triggered_logits.argmax(1)


def source_rows(test: Dataset, sources: Iterable[int]) -> Tensor:
    """Rows (int64) of the test samples whose true class is among `sources`."""
    return torch.isin(test.labels, torch.tensor(list(sources))).nonzero().flatten()


def evaluate(model: nn.Module, test: Dataset, trigger: Trigger, relabelling: Mapping[int, int]) -> Evaluation:
    """Measure `model` on `test`, clean and with `trigger` on every sample, without test-time augmentation.

    `relabelling` maps each source class to the attacker's class for it. Raises ModelError when the
    model's classes don't match the data's.
    """
    clean, triggered = [], []
    for batch, _ in test.batches(BATCH):
        clean.append(predict_logits(model, batch))
        triggered.append(predict_logits(model, trigger(batch)))
    clean_logits, triggered_logits = torch.cat(clean), torch.cat(triggered)
    if clean_logits.shape[1] != len(test.class_names):
        raise ModelError(
            f"the model and {test.name} differ in their classes",
            expected=f"{clean_logits.shape[1]} classes, as the model answers",
            found=f"{len(test.class_names)}: {', '.join(test.class_names[:12])}",
        )
    measurement = measure(
        test.labels, clean_logits.argmax(1), triggered_logits.argmax(1), relabelling, test.class_names
    )
    return Evaluation(clean_logits, triggered_logits, measurement)
