"""A zoo of models as a TOML file: data, networks, and groups of subjects with and without a backdoor."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic.dataclasses import dataclass as checked

from bezoar.attacks import Attack, create_attack
from bezoar.attacks.composing.layout import Placement
from bezoar.attacks.tampering import Tampering, create_tampering
from bezoar.bench.config import STRICT, Names, TrainConfig, read_as, says
from bezoar.errors import BezoarError, UsageError
from bezoar.inspection.settings import PANEL
from bezoar.training import Recipe

T = TypeVar("T")


@checked(frozen=True, config=STRICT)
class ZooData:
    """Data that subjects are trained on; `$NAME` in `source` is taken from the environment.

    Of the training part `samples` go to a subject, drawn by its seed, and `clean` others to whoever inspects it.
    `recipe` changes that of every network.
    """

    name: str
    source: str
    samples: int
    clean: int = 1000
    recipe: dict[str, Any] = field(default_factory=dict)
    train_split: str = "train"
    test_split: str = "test"


@checked(frozen=True, config=STRICT)
class ZooNetwork:
    """A network by name, and how it is trained."""

    name: str
    train: TrainConfig


@checked(frozen=True, config=STRICT)
class ZooGroup:
    """Subjects of one family, one for each seed; where a field has several values, seeds take them in turn.

    With `attack` the training data are poisoned, with `tamper` the weights of the finished model are changed, with
    neither there is no backdoor. `choosing` says that thresholds may be chosen by the group; all others are held out.
    `recipe` changes the network's own, `length` multiplies its epochs; `label_noise` is the share of wrong labels in
    the training data.
    """

    name: str
    data: Names
    network: Names
    seeds: tuple[int, ...]
    attack: Names = ()
    tamper: Names = ()
    trigger: Names = ()
    target: Names = ()
    source: Names = ()
    rate: float | None = None
    placement: Placement | None = None
    label_noise: float = 0.0
    recipe: dict[str, Any] = field(default_factory=dict)
    length: float = 1.0
    choosing: bool = False


@checked(frozen=True, config=STRICT)
class ZooConfig:
    """A whole zoo, and the `detectors` that inspect it."""

    title: str
    data: tuple[ZooData, ...]
    network: tuple[ZooNetwork, ...]
    group: tuple[ZooGroup, ...]
    detectors: Names = PANEL


@dataclass(frozen=True)
class Subject:
    """One model of the zoo; `key` names every setting that changes it. Specifications are "" where there are none."""

    key: str
    group: ZooGroup
    data: ZooData
    network: ZooNetwork
    seed: int
    attack: str
    tamper: str
    target: str | None
    source: tuple[str, ...]

    @property
    def recipe(self) -> Recipe:
        """How it is trained: as its network is, with what its data and its group change."""
        recipe = self.network.train.full_recipe().with_changes(**{**self.data.recipe, **self.group.recipe})
        return recipe.with_changes(epochs=max(1, round(self.group.length * recipe.epochs)))

    @property
    def label(self) -> str:
        """What it is, as a reader knows it."""
        return f"{self.group.name}, {self.data.name}, {self.network.name}, seed {self.seed}"

    @property
    def part(self) -> str:
        """Whether thresholds may be chosen by it."""
        return part_called(self.group.choosing)

    @property
    def is_backdoored(self) -> bool:
        """Whether it is given a backdoor on purpose."""
        return bool(self.attack or self.tamper)

    def build_attack(self) -> Attack:
        """Its attack on the training data. Raises UsageError for what cannot be built."""
        return self._built(
            lambda: create_attack(
                self.attack,
                source=self.source,
                target=self.target,
                rate=self.group.rate,
                placement=self.group.placement,
                trigger=self.group.trigger or None,
            )
        )

    def build_tampering(self) -> Tampering:
        """Its tampering with the finished model. Raises UsageError for what cannot be built."""
        trigger = self.group.trigger[0] if self.group.trigger else None
        return self._built(
            lambda: create_tampering(self.tamper, source=self.source, target=self.target, trigger=trigger)
        )

    def _built(self, build: Callable[[], T]) -> T:
        try:
            return build()
        except BezoarError as error:
            raise error.told_as(UsageError, f"the subject {self.label!r} cannot be built: {error.what}") from error


def part_called(choosing: bool) -> str:
    """The part of a zoo, as tables and the command line call it."""
    return "choosing" if choosing else "held out"


def is_zoo_config(path: Path) -> bool:
    """Whether a benchmark file is that of a zoo: it says `zoo = true`. One that can't be read is not."""
    return says(path, "zoo")


def read_zoo(path: Path) -> ZooConfig:
    """Read a zoo file. Raises UsageError that names the place of the first fault."""
    return read_as(path, ZooConfig, without="zoo")


def subjects(config: ZooConfig) -> tuple[Subject, ...]:
    """All subjects: of every group the first, then the second, so that a little of everything comes early."""
    longest = max((len(group.seeds) for group in config.group), default=0)
    return tuple(
        _subject(config, group, place) for place in range(longest) for group in config.group if place < len(group.seeds)
    )


def _subject(config: ZooConfig, group: ZooGroup, place: int) -> Subject:
    data = _called(config.data, _turn(group.data, place), "data")
    network = _called(config.network, _turn(group.network, place), "network")
    attack, tamper, target, source = (
        _turn(names, place) for names in (group.attack, group.tamper, group.target, group.source)
    )
    subject = Subject(
        "", group, data, network, group.seeds[place], attack, tamper, target or None, (source,) if source else ()
    )
    return replace(subject, key=_key(subject))


def _key(subject: Subject) -> str:
    data, group = subject.data, subject.group
    settings = (
        (data.source, data.samples, data.clean, data.train_split, data.test_split),
        (subject.network.train.model, subject.recipe, subject.seed, group.label_noise),
        (subject.attack, subject.tamper, group.trigger, subject.target, subject.source, group.rate, group.placement),
    )
    return hashlib.sha256(repr(settings).encode()).hexdigest()[:16]


def _turn(names: tuple[str, ...], place: int) -> str:
    return names[place % len(names)] if names else ""


def _called(choices: tuple[Any, ...], name: str, what: str) -> Any:
    found = [one for one in choices if one.name == name]
    if not found:
        raise UsageError(
            f"the zoo has no {what} called {name!r}", expected="one of " + ", ".join(one.name for one in choices)
        )
    return found[0]
