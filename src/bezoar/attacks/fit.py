"""Whether data, trigger and model go together, asked before minutes are spent."""

from __future__ import annotations

from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.errors import AttackError, ModelError
from bezoar.training.predict import require_classes
from bezoar.triggers.base import ImageTrigger, Trigger


def require_images(data: Dataset, trigger: Trigger | None = None) -> None:
    """Raise AttackError when `data` holds no images but the attack, or its trigger, is for images only."""
    if data.is_images or (trigger is not None and not isinstance(trigger, ImageTrigger)):
        return
    raise AttackError(
        f"{data.name} holds no images, and the {'attack' if trigger is None else 'trigger'} works on images only",
        expected="images (n, c, h, w)",
        found=f"samples of shape {data.shape}",
        remedy="Give a trigger made for such samples, as package.module:Name",
    )


def require_trigger_fits(data: Dataset, trigger: Trigger) -> None:
    """Raise TriggerError when the trigger does not fit the data: for attacks that would learn that after minutes."""
    trigger(data.inputs[:1].clone())


def require_model(model: nn.Module, data: Dataset, name: str) -> None:
    """Raise AttackError unless the model, called `name`, maps these samples to one logit for each of their classes."""
    try:
        require_classes(model, data.inputs, data.class_names, name, data=data.name)
    except ModelError as error:
        what = error.what if error.what.startswith(name) else f"{name}: {error.what}"
        raise error.told_as(AttackError, what) from error
