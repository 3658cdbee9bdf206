"""What a drill is asked to do, and what it has so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from bezoar.attacks import Attack, Poisoned
from bezoar.data.dataset import Dataset
from bezoar.drill.evaluate import Evaluation
from bezoar.errors import BezoarError
from bezoar.records import Skipped, StageTime
from bezoar.repair.story import Cured
from bezoar.scan import Scanned
from bezoar.training import Recipe, Trained
from bezoar.training.listening import Listener

T = TypeVar("T")


@dataclass(frozen=True)
class DrillPlan:
    """Everything a drill depends on beside the data: replaying a plan replays the drill.

    With `start`, a run's model, both victim and twin are that model fine-tuned at a tenth of the recipe's learning
    rates: all of it, or only the modules that `tune` names.
    """

    title: str
    attack: Attack
    model: str
    recipe: Recipe
    seed: int
    device: str = "auto"
    start: Path | None = None
    tune: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class DrillState:
    """A plan and what its stages have made of it so far; a part that is not made yet is None."""

    plan: DrillPlan
    out: Path
    train: Dataset | None = None
    test: Dataset | None = None
    poisoned: Poisoned | None = None
    victim: Trained | None = None
    twin: Trained | None = None
    victim_evaluation: Evaluation | None = None
    twin_evaluation: Evaluation | None = None
    scanned: Scanned | None = None
    repaired: Cured | Skipped | None = None
    repaired_evaluation: Evaluation | None = None
    times: tuple[StageTime, ...] = field(default=())


def made(part: T | None, name: str) -> T:
    """The part a stage needs. Raises BezoarError when the stage that makes it has not run."""
    if part is None:
        raise BezoarError(f"the drill has no {name} yet", remedy="Run the stage that makes it first")
    return part


@dataclass(frozen=True)
class Stage:
    """One step of a drill: its name as a user reads it, and what it adds to the state."""

    name: str
    run: Callable[[DrillState, Listener], DrillState]


def run_stages(state: DrillState, stages: Sequence[Stage], listener: Listener) -> DrillState:
    """Run the stages in order and note the wall time of each."""
    for stage in stages:
        listener.begins(stage.name)
        started = time.perf_counter()
        state = stage.run(state, listener)
        seconds = time.perf_counter() - started
        state = replace(state, times=(*state.times, StageTime(stage.name, seconds)))
        listener.ends(stage.name, seconds)
    return state
