"""How many held-out samples a trigger still turns, beside the same trigger mirrored."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bezoar.confirm.flips import Carriers, Flips, flips
from bezoar.data.dataset import Dataset
from bezoar.metrics.intervals import rate_or_skipped, wilson
from bezoar.records import Rate, Skipped
from bezoar.records.repairing import ClassRate, FlipCheck
from bezoar.repair.given import with_trigger
from bezoar.triggers.base import Trigger

WAYS = {"the trigger turned by half": (2, 3), "the trigger mirrored": (3,), "the trigger upside down": (2,)}
COMPARED = 50
NONE_RIGHT = "the model gets no held-out sample of another class right"
NONE_OF_CLASS = "the model gets no held-out sample of this class right"
SAME = "the trigger is the same however it is turned"


@dataclass(frozen=True)
class Turned:
    """A trigger of the same kind that nobody put into the model: the same on the image turned, and turned back."""

    trigger: Trigger
    axes: tuple[int, ...]

    def __call__(self, batch: Tensor) -> Tensor:
        """The batch with the turned trigger."""
        return self.trigger(batch.flip(self.axes)).flip(self.axes)


def control_of(trigger: Trigger, data: Dataset) -> tuple[str, Turned] | None:
    """The turned trigger that is least like the trigger itself, and its name; None where all are the same."""
    some = data.select(torch.arange(min(COMPARED, len(data))))
    seen = with_trigger(some, trigger).inputs.float()
    turned = {name: Turned(trigger, axes) for name, axes in WAYS.items()}
    unlike = {name: float((with_trigger(some, one).inputs.float() - seen).abs().mean()) for name, one in turned.items()}
    name = max(unlike, key=lambda one: unlike[one])
    return (name, turned[name]) if unlike[name] > 0 else None


def flip_check(model: nn.Module, data: Dataset, trigger: Trigger, target: int) -> FlipCheck | Skipped:
    """Flips of samples that the model gets right and that are not of the target, by class, and those of a control."""
    carriers = Carriers(data.inputs, data.labels.numpy())
    right = carriers.answers(model) == carriers.labels
    counted = right & (carriers.labels != target)
    if not counted.any():
        return Skipped(NONE_RIGHT)
    answers = carriers.answers(model, trigger)
    done = Flips((answers == target) & counted, counted)
    beside = control_of(trigger, data)
    control = None if beside is None else flips(model, carriers, beside[1], target, right)
    return FlipCheck(
        target=data.class_names[target],
        flips=rate_of(done),
        control=Skipped(SAME) if control is None else rate_of(control),
        control_kind="" if beside is None else beside[0],
        by_source=tuple(
            ClassRate(name, _rate_among(done, carriers, label))
            for label, name in enumerate(data.class_names)
            if label != target
        ),
        rightly=wilson(int((answers == carriers.labels)[counted].sum()), int(counted.sum())),
    )


def rate_of(done: Flips) -> Rate:
    """The flips as a rate; some must be counted."""
    return wilson(int(done.flipped.sum()), int(done.counted.sum()))


def _rate_among(done: Flips, carriers: Carriers, label: int) -> Rate | Skipped:
    among = carriers.labels == label
    return rate_or_skipped(int((done.flipped & among).sum()), int((done.counted & among).sum()), NONE_OF_CLASS)
