"""Run a model over many samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bezoar.errors import ModelError
from bezoar.shapes import Logits, Samples
from bezoar.training.allocator import recycled_memory
from bezoar.training.batches import to_unit_range


def _logits(answer: object) -> Tensor:
    if not isinstance(answer, Tensor):
        raise ModelError(
            "the model's answer is no tensor",
            expected="logits of shape (n, classes)",
            found=type(answer).__name__,
            remedy="Wrap it in a module that returns the logits alone",
        )
    return answer.float().cpu()


def require_classes(
    model: nn.Module, inputs: Samples, class_names: Sequence[str], name: str, *, data: str = "the data"
) -> None:
    """Raise ModelError unless the model, called `name`, maps uint8 inputs of `data` to one logit for each class."""
    logits = predict_logits(model, inputs[:2])
    if logits.ndim != 2:
        raise ModelError(
            f"{name} gives no logits",
            expected="a number for each of several classes: (n, classes)",
            found=f"an answer of shape {tuple(logits.shape)} for {len(inputs[:2])} samples",
            remedy="Give a classifier of images",
        )
    if logits.shape[1] != len(class_names):
        raise differing_classes(name, logits.shape[1], class_names, data)


def differing_classes(name: str, outputs: int, class_names: Sequence[str], data: str = "the data") -> ModelError:
    """The error for a model, called `name`, that answers for more or fewer classes than `data` have."""
    return ModelError(
        f"{name} does not fit the data: {_classes(outputs)} in the model, {len(class_names):,} in the data",
        expected=f"data of the model's {_classes(outputs)}, in the order of its logits",
        found=f"{_classes(len(class_names))} in {data}: {', '.join(class_names[:12])}",
        remedy="Give a model and data of the same classes",
    )


def _classes(number: int) -> str:
    return "1 class" if number == 1 else f"{number:,} classes"


@torch.inference_mode()
def predict_logits(model: nn.Module, inputs: Samples, *, batch_size: int = 250) -> Logits:
    """Logits (n, classes), float32 on the CPU, of uint8 inputs (n, ...), in evaluation mode, without augmentation.

    The model's mode is put back afterwards. Raises ModelError when the model fails or gives NaN.
    """
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    was_training = model.training
    model.eval()
    try:
        with recycled_memory():
            parts = [
                _logits(model(to_unit_range(inputs[start : start + batch_size], device)))
                for start in range(0, len(inputs), batch_size)
            ]
    except ModelError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        raise ModelError(
            "the model cannot take these samples",
            expected="a model of float32 images in 0..1",
            found=f"samples of shape {tuple(inputs.shape[1:])}, {type(error).__name__}: {reason}",
            remedy="Give data of the shape the model was trained on (see --size), to a model of that number format",
        ) from error
    finally:
        model.train(was_training)
    logits = torch.cat(parts).clone()
    if not torch.isfinite(logits).all():
        raise ModelError("the model's logits are not all finite", remedy="Its weights are damaged or training diverged")
    return logits
