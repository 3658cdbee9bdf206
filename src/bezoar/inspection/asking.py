"""One detector asked of one model, be it the one in question or a reference."""

from __future__ import annotations

from bezoar.data.dataset import Dataset
from bezoar.detect.models.base import MODEL_DETECTORS, ModelScores, Progress, unheard
from bezoar.inspection.samples import Kind
from bezoar.records import Skipped
from bezoar.training.opening import OpenedModel

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
