"""A trained model to be measured: a run folder of bezoar, or a model from anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.drill.stages import RECORD_FILE
from bezoar.errors import UsageError
from bezoar.records import DatasetRecord, RepairRecord, Skipped, TrainingRecord, TrainingRunRecord, from_json
from bezoar.training import default_recipe
from bezoar.training.opening import OpenedModel, open_model_for
from bezoar.training.recipe import Recipe, read_recipe

REPAIRED = Skipped("the model was repaired, and its record tells of the repair alone")
UNKNOWN = Skipped("the model was trained elsewhere and came without a record")


@dataclass(frozen=True, eq=False)
class Subject:
    """A trained model, and of its training what is known.

    `learnt_from` are digests of data that it was trained on or repaired by.
    """

    name: str
    model: nn.Module
    training: TrainingRecord | Skipped = UNKNOWN
    dataset: DatasetRecord | Skipped = UNKNOWN
    commands: tuple[str, ...] = ()
    learnt_from: tuple[str, ...] = ()


def open_subject(place: str, test: Dataset, *, factory: str | None = None) -> Subject:
    """The model that `place` names, opened as any stranger's is (see `training/opening`), and its training's record.

    A run folder has such a record; what was repaired, or trained elsewhere, has none. Raises ModelError or UsageError
    where there is no such model, it is refused, or it does not fit the test data.
    """
    opened = open_model_for(place, test, factory=factory)
    folder = Path(place)
    if opened.kind != "run" or not (folder / RECORD_FILE).is_file():
        return Subject(opened.name, opened.model)
    if _is_repaired(folder):
        return Subject(opened.name, opened.model, REPAIRED, REPAIRED, learnt_from=_repaired_by(folder / RECORD_FILE))
    training = read_training(folder)
    digests = (training.dataset.digest,)
    return Subject(opened.name, opened.model, training.training, training.dataset, training.commands, digests)


def training_recipe(place: str, opened: OpenedModel) -> Recipe | None:
    """How a model was trained: as its run folder tells, else its architecture's own recipe; None for a stranger's."""
    folder = Path(place)
    if opened.kind == "run" and (folder / RECORD_FILE).is_file() and not _is_repaired(folder):
        return read_recipe(read_training(folder).training.recipe)
    return None if opened.card is None else default_recipe(opened.card.model)


def _is_repaired(folder: Path) -> bool:
    """Whether the folder was written by `bezoar repair`."""
    return b'"kind": "repair"' in (folder / RECORD_FILE).read_bytes()


def _repaired_by(record: Path) -> tuple[str, ...]:
    given = from_json(RepairRecord, record.read_bytes(), origin=str(record)).given
    known = (given.handed_over, None if given.training is None else given.training.digest)
    return tuple(digest for digest in known if digest is not None)


def read_training(run: Path, *, expected: str = "a run folder of bezoar train") -> TrainingRunRecord:
    """The record of a `bezoar train` run folder. Raises UsageError when there is none."""
    path = run / RECORD_FILE
    if not path.exists():
        raise UsageError(f"{path} does not exist", expected=expected)
    return from_json(TrainingRunRecord, path.read_bytes(), origin=str(path))
