"""What a detector of backdoored models is given and what it gives back. Higher is more suspicious, everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.detect.inversion.invert import Inverted
from bezoar.errors import DataError
from bezoar.records import Skipped
from bezoar.registry import Registry

Progress: TypeAlias = Callable[[int, int], None]
"""Hears how many steps are done, and of how many."""


def unheard(done: int, total: int) -> None:
    """A progress that tells nobody."""


@dataclass(frozen=True, eq=False)
class ModelScores:
    """How suspicious each class (k,) is as the target of a backdoor: comparable within a detector alone.

    `inverted` are the triggers found on the way, one for each class, where the detector looks for such. Raises
    DataError on statistics that are not finite.
    """

    classes: NDArray[np.float64]
    inverted: Inverted | None = None
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not np.isfinite(self.classes).all():
            raise DataError("statistics of classes must be finite", found=str(self.classes))


@runtime_checkable
class ModelDetector(Protocol):
    """Looks for a backdoor in a model. The configuration is its fields; calls keep no state."""

    def inspect(
        self,
        model: nn.Module,
        trusted: Dataset | None,
        shape: tuple[int, ...],
        classes: int,
        *,
        seed: int,
        progress: Progress = unheard,
    ) -> ModelScores | Skipped:
        """Scores by class, or why there are none. `trusted` are clean samples; `shape` is that of one, (c, h, w).

        `model` maps float images in 0..1 to `classes` logits, is differentiable, and is left as it is.
        """
        ...


MODEL_DETECTORS: Registry[ModelDetector] = Registry("model detector")
