"""Run a model over many samples."""

from __future__ import annotations

import torch
from torch import nn

from bezoar.errors import ModelError
from bezoar.shapes import Logits, Samples
from bezoar.training.batches import to_unit_range


@torch.inference_mode()
def predict_logits(model: nn.Module, inputs: Samples, *, batch_size: int = 1000) -> Logits:
    """Logits (n, classes), float32 on the CPU, of uint8 inputs (n, ...), in evaluation mode, without augmentation.

    The model's mode is put back afterwards. Raises ModelError when the model fails or gives NaN.
    """
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    was_training = model.training
    model.eval()
    try:
        parts = [
            model(to_unit_range(inputs[start : start + batch_size], device)).float().cpu()
            for start in range(0, len(inputs), batch_size)
        ]
    except RuntimeError as error:
        raise ModelError(
            "the model cannot take these samples",
            found=f"samples of shape {tuple(inputs.shape[1:])}: {str(error).splitlines()[0]}",
            remedy="Give data of the shape the model was trained on (see --size)",
        ) from error
    finally:
        model.train(was_training)
    logits = torch.cat(parts).clone()
    if not torch.isfinite(logits).all():
        raise ModelError("the model's logits are not all finite", remedy="Its weights are damaged or training diverged")
    return logits
