"""What a repair is: a model and what a defender has in, a new model out, or the reason why there is none.

`Repair` is all that other rooms ask for. `ModelRepair` does the checking, copying and counting once and leaves its
author two hooks.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, TypeAlias, final, runtime_checkable

import torch
from torch import nn

from bezoar.errors import ModelError, TrainingError, UsageError
from bezoar.records import Skipped
from bezoar.registry import Registry
from bezoar.repair.given import Given
from bezoar.repair.meter import Cost, Meter
from bezoar.training.allocator import recycled_memory
from bezoar.training.elsewhere import computing_natively
from bezoar.training.listening import Working
from bezoar.training.listening import unheard as unheard
from bezoar.training.precision import choose_device
from bezoar.training.predict import require_classes
from bezoar.training.randomness import seeded

Progress: TypeAlias = Working


@dataclass(frozen=True)
class Used:
    """What of all that was given a repair made use of: numbers of samples, and whether it needed trigger and target."""

    trusted: int = 0
    training: int = 0
    suspects: int = 0
    trigger: bool = False
    target: bool = False


@dataclass(frozen=True, eq=False)
class Repaired:
    """A new model, in evaluation mode on the CPU, what was used for it, what it cost, and what was done to it."""

    model: nn.Module
    used: Used
    cost: Cost
    notes: tuple[str, ...]

    @property
    def epochs_equivalent(self) -> float:
        """Samples through the network and back, in epochs of `cost.epoch` samples."""
        return self.cost.epochs_equivalent


@runtime_checkable
class Repair(Protocol):
    """Takes a backdoor out of a model. The configuration is its fields; calls keep no state."""

    def repair(
        self, model: nn.Module, given: Given, *, seed: int, device: str = "auto", progress: Progress = unheard
    ) -> Repaired | Skipped:
        """A repaired copy, or why there is none; `model` is left as it is, its mode too.

        On the CPU the same model, data, seed and thread count give bitwise the same copy. Raises ModelError for a
        model whose weights are not finite or that does not fit the data, TrainingError where learning diverges.
        """
        ...


REPAIRS: Registry[Repair] = Registry("repair")


@dataclass(frozen=True, eq=False)
class Work:
    """A repair under way: a copy of the model that may be changed, on the device, and all there is to do it with."""

    model: nn.Module
    given: Given
    seed: int
    device: torch.device
    meter: Meter
    progress: Progress

    def on(self, model: nn.Module) -> Work:
        """The same work on another model, such as a teacher."""
        return replace(self, model=model)


@dataclass(frozen=True, eq=False)
class Mended:
    """What an author's hook gives back: what it used and did, and the model where it is not that of the work."""

    used: Used
    notes: tuple[str, ...]
    model: nn.Module | None = None


class ModelRepair(ABC):
    """A repair of an image classifier: an author says what it `lacks` and writes `mend`."""

    learns: ClassVar[bool] = True
    """Whether it changes the model by learning, for which some of its parameters must be free to."""

    @abstractmethod
    def lacks(self, given: Given) -> str:
        """Why it can't be done with what was given; empty where it can."""

    @abstractmethod
    def mend(self, work: Work) -> Mended | Skipped:
        """Change `work.model`; torch draws from the seed meanwhile. Frozen parameters stay as they are."""

    @final
    def repair(
        self, model: nn.Module, given: Given, *, seed: int, device: str = "auto", progress: Progress = unheard
    ) -> Repaired | Skipped:
        """Check, copy, mend, and count what it costs. See `Repair.repair`."""
        if reason := _no_images(given) or self.lacks(given):
            return Skipped(reason)
        target = choose_device(device)
        patient = _private_copy(model)
        _require_sound(patient, given)
        if self.learns and not any(one.requires_grad for one in patient.parameters()):
            return Skipped("every parameter of the model is frozen, so that nothing can be learnt")
        meter = Meter()
        patient.to(target)
        with seeded(seed), recycled_memory(), meter.watching(patient), computing_natively(patient, target):
            mended = self.mend(Work(patient, given, seed, target, meter, progress))
        if isinstance(mended, Skipped):
            return mended
        repaired = (patient if mended.model is None else mended.model).to("cpu").eval()
        repaired.zero_grad(set_to_none=True)
        _require_finite(
            repaired, TrainingError, "the repair diverged: weights are not finite", "Lower the learning rate"
        )
        return Repaired(repaired, mended.used, Cost(meter.forward, meter.backward, given.epoch), mended.notes)


def require(method: str, **fields: tuple[float, float, float]) -> None:
    """Raise UsageError unless each field (value, lowest, highest) lies within its limits, both included."""
    for name, (value, low, high) in fields.items():
        if not low <= value <= high:
            raise UsageError(f"{method}: {name} is out of range", expected=f"{low:g} to {high:g}", found=f"{value:g}")


def _no_images(given: Given) -> str:
    data = given.any_data
    return "" if data is None or data.is_images else f"it repairs image classifiers, and samples are of {data.shape}"


def _private_copy(model: nn.Module) -> nn.Module:
    patient = copy.deepcopy(model)
    patient.zero_grad(set_to_none=True)
    return patient.eval()


def _require_sound(model: nn.Module, given: Given) -> None:
    _require_finite(
        model, ModelError, "the model's weights are not all finite", "Give a model whose training succeeded"
    )
    if (data := given.any_data) is not None:
        require_classes(model, data.inputs, data.class_names, "the model", data=data.name)


def _require_finite(model: nn.Module, error: type[TrainingError], what: str, remedy: str) -> None:
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise error(what, found=f"NaN or infinity in {name}", remedy=remedy)
