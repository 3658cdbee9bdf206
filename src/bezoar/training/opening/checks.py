"""What is asked of every model that was opened: sound weights, and logits for the classes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bezoar.errors import ModelError
from bezoar.training.opening.opened import Known, OpenedModel, few
from bezoar.training.predict import predict_logits, require_classes

UNTRIED = "it was tried on no sample, since the shape of its input is not known"
PROBABILITIES = "its answers look like probabilities, not logits"


def require_finite(model: nn.Module, name: str) -> None:
    """Raise ModelError that names the first tensors with NaN or infinite numbers."""
    tensors = {key: value for key, value in model.state_dict().items() if isinstance(value, Tensor)}
    damaged = [key for key, tensor in tensors.items() if not _finite(tensor)]
    if damaged:
        raise ModelError(
            f"the weights of {name} are not all finite numbers",
            found=f"NaN or infinity in {few(damaged)}",
            remedy="Its training diverged or the file is damaged: get another one",
        )


def _finite(tensor: Tensor) -> bool:
    if not tensor.is_floating_point() or tensor.is_meta:
        return True
    narrow = tensor.dtype.itemsize == 1  # which torch cannot ask for infinities
    return bool(torch.isfinite(tensor.float() if narrow else tensor).all())


def try_out(opened: OpenedModel, known: Known) -> tuple[str, ...]:
    """Ask the model about two grey samples, where their shape is known; notes on its answers.

    Raises ModelError unless it gives one finite logit for each class.
    """
    shape = known.shape or (opened.card.shape if opened.card else getattr(opened.model, "sample_shape", None))
    class_names = known.class_names if opened.card is None else opened.card.class_names
    if shape is None:
        return (UNTRIED,)
    grey = torch.stack([torch.full(tuple(shape), level, dtype=torch.uint8) for level in (96, 160)])
    try:
        logits = _logits(opened, grey, class_names, known.data)
    except ModelError as error:
        what = error.what if opened.name in error.what else f"{opened.name} cannot be used: {error.what}"
        raise error.told_as(ModelError, what) from error
    return (PROBABILITIES,) if _are_probabilities(logits) else ()


def _logits(opened: OpenedModel, samples: Tensor, class_names: tuple[str, ...] | None, data: str) -> Tensor:
    if class_names is not None:
        require_classes(opened.model, samples, class_names, opened.name, data=data)
    logits: Tensor = predict_logits(opened.model, samples)
    if logits.ndim != 2 or len(logits) != len(samples) or logits.shape[1] < 2:
        raise ModelError(
            f"{opened.name} gives no logits",
            expected="a number for each of several classes: (n, classes)",
            found=f"an answer of shape {tuple(logits.shape)} for {len(samples)} samples",
            remedy="Give a classifier of images",
        )
    return logits


def _are_probabilities(logits: Tensor) -> bool:
    return bool((logits >= 0).all()) and bool(torch.allclose(logits.sum(1), torch.ones(len(logits)), atol=1e-4))
