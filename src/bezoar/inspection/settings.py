"""What an inspection is asked to do."""

from __future__ import annotations

from dataclasses import dataclass

from bezoar.detect.models.base import MODEL_DETECTORS

PANEL = (
    "neural-cleanse",
    "added-pattern",
    "warp-inversion",
    "colour-inversion",
    "feature-re",
    "stamp-probing",
    "wave-probing",
    "lone-weight",
    "quiet-weights",
    "mm-bd",
    "channel-bounds",
    "last-layer",
)
"""The detectors of an inspection, in the order in which they run."""


@dataclass(frozen=True)
class InspectionSettings:
    """Everything an inspection depends on beside model and clean data. `commands` are what was typed.

    `device` is auto, cpu or cuda. With auto a model that can't be moved to a GPU is asked where it is.
    """

    detectors: tuple[str, ...] = PANEL
    seed: int = 0
    commands: tuple[str, ...] = ()
    device: str = "auto"

    def __post_init__(self) -> None:
        for spec in self.detectors:
            MODEL_DETECTORS.create(spec)  # raises SpecError before anything runs
