"""Train and inspect the subjects of a zoo, one by one; what is done already is not done again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bezoar.bench.lines import append_line, read_lines
from bezoar.bench.zoo.build import Built, built, each_subject, load_subject
from bezoar.bench.zoo.config import Subject
from bezoar.bench.zoo.material import Shelf
from bezoar.inspection import InspectionSettings, inspect_model
from bezoar.records.inspecting import InspectionRecord
from bezoar.training.listening import Listener
from bezoar.training.opening import OpenedModel

RESULTS_FILE = "inspections.jsonl"
CLAIMS = "inspecting"


@dataclass(frozen=True)
class Statistics:
    """What one detector says of all classes, in their order, and the cut that it had."""

    detector: str
    classes: tuple[float, ...]
    cut: float | None


@dataclass(frozen=True)
class Inspection:
    """The figures of one subject: what it is, and what an inspection made of it that was told nothing."""

    built: Built
    verdict: str
    found: tuple[int, ...]
    statistics: tuple[Statistics, ...]
    seconds: float

    @property
    def score(self) -> float:
        """How suspicious the model is: the largest statistic of any class, in cuts of its detector."""
        return max((max(one.classes) / one.cut for one in self.statistics if one.cut), default=0.0)

    @property
    def accused(self) -> int | None:
        """The class with that statistic."""
        judging = [one for one in self.statistics if one.cut]
        loudest = max(judging, key=lambda one: max(one.classes) / (one.cut or 1.0), default=None)
        return None if loudest is None else loudest.classes.index(max(loudest.classes))


def inspect_zoo(
    wanted: Sequence[Subject], out: Path, listener: Listener, settings: InspectionSettings
) -> tuple[Inspection, ...]:
    """Train and inspect every subject that `out`/inspections.jsonl doesn't hold yet, and give all that are there.

    Several processes may share a zoo. A subject that fails keeps none of the others from it; at the end BezoarError
    names it.
    """
    shelf = Shelf()

    def inspect(subject: Subject) -> None:
        record = built(subject, shelf, out, listener, settings.device)
        clean = shelf.material(subject.data, subject.seed).clean
        opened = OpenedModel(subject.label, load_subject(out / subject.key), "run")
        told = inspect_model(opened, clean, settings).record
        append_line(out, RESULTS_FILE, _figures(record, told, sum(run.seconds for run in told.detectors)))

    each_subject(
        wanted,
        listener,
        inspect,
        folder=lambda one: out / CLAIMS / one.key,
        done=lambda one: one.key in inspected(out),
    )
    return tuple(inspected(out).values())


def inspected(out: Path) -> dict[str, Inspection]:
    """The inspections done so far, by key of the subject."""
    return {one.built.key: one for one in read_lines(out, RESULTS_FILE, Inspection)}


def _figures(built: Built, record: InspectionRecord, seconds: float) -> Inspection:
    names = list(record.class_names)
    statistics = tuple(
        Statistics(
            run.detector,
            tuple(one.statistic for one in record.statistics if one.detector == run.detector),
            run.cut,
        )
        for run in record.detectors
        if run.skipped is None
    )
    found = tuple(names.index(one.target) for one in record.findings)
    return Inspection(built, record.verdict, found, statistics, round(seconds, 1))
