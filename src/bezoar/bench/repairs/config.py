"""A benchmark of repairs as a TOML file: models as in a zoo, methods, and how many clean samples they get."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic.dataclasses import dataclass as checked

from bezoar.bench.config import STRICT, Names, read_as, says
from bezoar.bench.zoo.config import Subject, ZooConfig, ZooData, ZooGroup, ZooNetwork, subjects
from bezoar.errors import UsageError
from bezoar.repair.auto import choice_of
from bezoar.scan.panel import Budget


@checked(frozen=True, config=STRICT)
class RepairsConfig:
    """Which models, by which `methods` each is repaired, and with how many `clean` samples of its defender.

    These are numbers, or percentages of the samples that the model was trained on. Groups without an attack are the
    clean twins of those with the same data, network and seed. With `scan`, its budget, the methods get the
    training data too, and the suspects of such a scan; those named in `alone` are measured a second time without.
    Those named in `once` learn from no clean samples, and are measured with the first number of them alone.
    """

    title: str
    data: tuple[ZooData, ...]
    network: tuple[ZooNetwork, ...]
    group: tuple[ZooGroup, ...]
    methods: Names
    clean: Names
    scan: Budget | None = None
    alone: Names = ()
    once: Names = ()

    @property
    def zoo(self) -> ZooConfig:
        """The models alone."""
        return ZooConfig(self.title, self.data, self.network, self.group)


@dataclass(frozen=True)
class RepairCase:
    """One repair: of which model, by which method, with `samples` clean samples, as `clean` says.

    `alone` says that the defender has nothing beside them, where others have the training data and a scan's suspects.
    """

    key: str
    subject: Subject
    method: str
    clean: str
    samples: int
    alone: bool = False

    @property
    def label(self) -> str:
        """What it is, as a reader knows it."""
        return f"{self.method} with {self.clean}{' alone' if self.alone else ''}: {self.subject.label}"


def is_repairs_config(path: Path) -> bool:
    """Whether a benchmark file is that of repairs: it says `repairs = true`. One that can't be read is not."""
    return says(path, "repairs")


def read_repairs(path: Path) -> RepairsConfig:
    """Read a file of repairs. Raises UsageError that names the place of the first fault, SpecError for a method."""
    config = read_as(path, RepairsConfig, without="repairs")
    for method in (*config.methods, *config.alone, *config.once):
        choice_of(method)  # raises for what is none
    repair_cases(config)  # raises for samples that are not there
    return config


def repair_cases(config: RepairsConfig) -> tuple[RepairCase, ...]:
    """All repairs, model by model, so that a trigger is searched for once for each number of samples."""
    return tuple(
        _case(config, subject, method, clean, alone)
        for subject in subjects(config.zoo)
        if subject.is_backdoored
        for clean in config.clean
        for methods, alone in ((config.methods, config.scan is None), (config.alone, True))
        for method in methods
        if clean == config.clean[0] or method not in config.once
    )


def twin_of(subject: Subject, among: Iterable[Subject]) -> Subject | None:
    """The model that was trained alike and never met poison, None where there is none."""
    like = (subject.data.name, subject.network.name, subject.seed)
    twins = (one for one in among if (one.data.name, one.network.name, one.seed) == like)
    return next((one for one in twins if not one.is_backdoored), None)


def _case(config: RepairsConfig, subject: Subject, method: str, clean: str, alone: bool) -> RepairCase:
    samples = _number(clean, subject.data)
    settings = (subject.key, method, samples, None if alone else config.scan)
    key = hashlib.sha256(repr(settings).encode()).hexdigest()[:16]
    return RepairCase(key, subject, method, clean, samples, alone)


def _number(clean: str, data: ZooData) -> int:
    try:
        samples = round(float(clean[:-1]) / 100 * data.samples) if clean.endswith("%") else int(clean)
    except ValueError:
        samples = 0
    if not 0 < samples <= data.clean:
        raise UsageError(
            f"of {data.name} there are not so many clean samples",
            expected=f"a number such as 100, or a percentage such as 5%, at most {data.clean} samples in all",
            found=clean,
            remedy="Raise `clean` of the data",
        )
    return samples
