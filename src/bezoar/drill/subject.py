"""A trained model to be measured: a run folder of bezoar, or a user's own model from anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.drill.stages import RECORD_FILE
from bezoar.drill.train_run import check_classes
from bezoar.errors import UsageError
from bezoar.records import DatasetRecord, Skipped, TrainingRecord, TrainingRunRecord, from_json
from bezoar.training import load_model
from bezoar.training.own import own_model
from bezoar.training.predict import require_classes

REPAIRED = Skipped("the model was repaired, and its record tells of the repair alone")
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
    or UsageError when there is no such model or it does not fit the test data.
    """
    folder = Path(place)
    if ":" in place and not folder.exists():
        return Subject(place, _own_model(place, test))
    if _is_repaired(folder):
        model, card = load_model(folder)
        check_classes(card, test, folder)
        return Subject(folder.name, model, REPAIRED, REPAIRED)
    training = read_training(folder, expected="a run folder of bezoar train, or your own model as package.module:name")
    model, card = load_model(folder)
    check_classes(card, test, folder)
    return Subject(folder.name, model, training.training, training.dataset, training.commands)


def _is_repaired(folder: Path) -> bool:
    """Whether the folder was written by `bezoar repair`."""
    path = folder / RECORD_FILE
    return path.is_file() and b'"kind": "repair"' in path.read_bytes()


def read_training(run: Path, *, expected: str = "a run folder of bezoar train") -> TrainingRunRecord:
    """The record of a `bezoar train` run folder. Raises UsageError when there is none."""
    path = run / RECORD_FILE
    if not path.exists():
        raise UsageError(f"{path} does not exist", expected=expected)
    return from_json(TrainingRunRecord, path.read_bytes(), origin=str(path))


def _own_model(path: str, test: Dataset) -> nn.Module:
    model = own_model(path, len(test.class_names)).to("cpu").eval()
    require_classes(model, test.inputs, test.class_names, f"the model {path}")
    return model
