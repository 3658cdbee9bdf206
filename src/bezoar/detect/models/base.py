"""What a detector of backdoored models is given and what it gives back. Higher is more suspicious, everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.detect.inversion.form import Parameters
from bezoar.detect.inversion.forms import FORMS
from bezoar.detect.inversion.invert import Inverted
from bezoar.errors import DataError
from bezoar.records import Skipped
from bezoar.registry import Registry

Progress: TypeAlias = Callable[[int, int], None]
"""Hears how many steps are done, and of how many."""


def unheard(done: int, total: int) -> None:
    """A progress that tells nobody."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """A trigger that was found to lead `sources` to `target`, () for all other classes.

    It is of a form (by its name) with `parameters` (1, ...), and as large as `size` in the form's unit.
    """

    target: int
    sources: tuple[int, ...]
    form: str
    parameters: Parameters
    size: float


@dataclass(frozen=True, eq=False)
class ModelScores:
    """How suspicious each class (k,) is as the target of a backdoor: comparable within a detector alone.

    `inverted` are the triggers found on the way by descent, one for each class, where the detector looks for such;
    `proposals` those found otherwise, one for each class. `measure` is what the statistics are counted in, in words
    that follow a number. `sized` says whether sizes of triggers tell classes apart: not where all are bounded alike;
    `from_samples` whether clean samples were looked at.
    Raises DataError on statistics that are not finite.
    """

    classes: NDArray[np.float64]
    inverted: Inverted | None = None
    proposals: tuple[Proposal, ...] = ()
    notes: tuple[str, ...] = field(default=())
    measure: str = "spreads below the median of all classes"
    sized: bool = True
    from_samples: bool = True

    def size(self, label: int) -> float | None:
        """How large the trigger towards a class is, in `unit`; None where the detector looks for none."""
        if self.inverted is not None:
            return float(self.inverted.sizes[label])
        return self.proposals[label].size if self.proposals else None

    @property
    def unit(self) -> str:
        """What sizes are counted in, "" where there are none."""
        if self.inverted is not None:
            return self.inverted.form.unit
        return FORMS[self.proposals[0].form].unit if self.proposals else ""

    def __post_init__(self) -> None:
        if not np.isfinite(self.classes).all():
            raise DataError("statistics of classes must be finite", found=str(self.classes))


@runtime_checkable
class ModelDetector(Protocol):
    """Looks for a backdoor in a model. The configuration is its fields; calls keep no state.

    `black_box` says that it only asks the model: no gradients, no weights.
    """

    black_box: ClassVar[bool]

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
