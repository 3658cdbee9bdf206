"""A trained model to be measured: a run folder of bezoar, or a user's own model from anywhere."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.drill.stages import RECORD_FILE
from bezoar.drill.train_run import check_classes
from bezoar.errors import ModelError, RecordError
from bezoar.importing import import_object
from bezoar.records import DatasetRecord, Skipped, TrainingRecord, TrainingRunRecord, from_json
from bezoar.training import load_model
from bezoar.training.predict import require_classes

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
UNKNOWN = Skipped("the model was trained elsewhere and came without a record")


@dataclass(frozen=True, eq=False)
class Subject:
    """A trained model, and of its training what is known."""

    name: str
    model: nn.Module
    training: TrainingRecord | Skipped = UNKNOWN
    dataset: DatasetRecord | Skipped = UNKNOWN
    commands: tuple[str, ...] = ()


def open_subject(place: str, test: Dataset) -> Subject:
    """The model in the run folder `place`, or the one that `place`, a `package.module:name`, gives.

    A user's own is a module (images in 0..1 to logits of the test data's classes, in their order), or a
    function that returns one, called with the number of classes if it takes an argument. Raises ModelError
    or RecordError when there is no such model or it does not fit the test data.
    """
    folder = Path(place)
    if ":" in place and not folder.exists():
        return Subject(place, _own_model(place, test))
    training, (model, card) = read_training(folder), load_model(folder)
    check_classes(card, test, folder)
    return Subject(folder.name, model, training.training, training.dataset, training.commands)


def read_training(run: Path) -> TrainingRunRecord:
    """The record of a `bezoar train` run folder. Raises RecordError when there is none."""
    path = run / RECORD_FILE
    if not path.exists():
        raise RecordError(
            f"{path} does not exist", expected="a run folder of bezoar train, or your own model as package.module:name"
        )
    return from_json(TrainingRunRecord, path.read_bytes(), origin=str(path))


def _own_model(path: str, test: Dataset) -> nn.Module:
    found = import_object(path, "model")
    if not isinstance(found, nn.Module):
        found = _called(path, found, len(test.class_names))
    if not isinstance(found, nn.Module):
        raise ModelError(f"{path} gave no model", expected="a torch.nn.Module", found=type(found).__name__)
    model = found.to("cpu").eval()
    require_classes(model, test.inputs, test.class_names, f"the model {path}")
    return model


def _called(path: str, found: object, classes: int) -> object:
    if not callable(found):
        return found
    function = cast(Callable[..., object], found)
    try:
        parameters = inspect.signature(function).parameters.values()
        wants_classes = any(option.default is option.empty and option.kind in POSITIONAL for option in parameters)
        with torch.random.fork_rng(devices=[]):
            return function(classes) if wants_classes else function()
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"{path} failed",
            expected="a function that loads and returns your trained torch.nn.Module",
            found=f"{type(error).__name__}: {error}".splitlines()[0],
            remedy="Call it yourself in Python until it works",
        ) from error
