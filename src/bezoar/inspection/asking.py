"""One detector asked of one model, be it the one in question or a reference."""

from __future__ import annotations

import torch

from bezoar.data.dataset import Dataset
from bezoar.detect.models.base import MODEL_DETECTORS, ModelScores, Progress, unheard
from bezoar.errors import UsageError
from bezoar.inspection.samples import Kind
from bezoar.records import Skipped
from bezoar.training.channels import device_of
from bezoar.training.elsewhere import runs_on
from bezoar.training.opening import OpenedModel
from bezoar.training.precision import choose_device

BLACK_BOX = Skipped("the model can only be asked: no gradients go through it")


def asked(
    spec: str,
    opened: OpenedModel,
    trusted: Dataset | None,
    kind: Kind,
    seed: int,
    progress: Progress = unheard,
) -> ModelScores | Skipped:
    """What the detector says; Skipped for a black box where it needs more than answers."""
    detector = MODEL_DETECTORS.create(spec)
    if not opened.differentiable and not detector.black_box:
        return BLACK_BOX
    return detector.inspect(opened.model, trusted, kind.shape, len(kind.class_names), seed=seed, progress=progress)


def device_for(opened: OpenedModel, kind: Kind, wanted: str) -> torch.device:
    """Where the model is asked: with `auto` where it is if it can't be moved.

    Raises UsageError where it can't be asked on a device that is wanted by name.
    """
    device, home = choose_device(wanted), device_of(opened.model)
    if device == home or runs_on(opened.model, device, kind.shape):
        return device
    if wanted == "auto":
        return home
    raise UsageError(
        f"the model can't be asked on {wanted!r}",
        expected="a model that can be moved: all its tensors are parameters or buffers",
        found=f"it answers on {home.type} alone",
        remedy="Leave the device out, or register the model's tensors",
    )
