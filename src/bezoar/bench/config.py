"""A benchmark as a TOML file: data, training, attacks, rates and seeds."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from bezoar.attacks import Attack, create_attack
from bezoar.attacks.base import attack_spec, trigger_spec
from bezoar.attacks.choose import Relabel
from bezoar.attacks.composing.layout import Placement
from bezoar.errors import BezoarError, UsageError
from bezoar.training import Recipe, default_recipe

T = TypeVar("T")

STRICT = ConfigDict(extra="forbid")
SURROGATE, ROBUST_SURROGATE = "{surrogate}", "{robust-surrogate}"
SURROGATES = (SURROGATE, ROBUST_SURROGATE)

Names = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]
"""Several names, or a single one without the brackets of a list."""


@checked(frozen=True, config=STRICT)
class DataConfig:
    """Which data; `$NAME` in `source` is taken from the environment."""

    source: str
    train_split: str = "train"
    test_split: str = "test"
    size: int | None = None


@checked(frozen=True, config=STRICT)
class TrainConfig:
    """Which model, and the fields of its recipe that differ from its default."""

    model: str = "fast"
    recipe: dict[str, Any] = field(default_factory=dict)

    def full_recipe(self) -> Recipe:
        """The model's own recipe with these changes. Raises UsageError for an unknown field."""
        return default_recipe(self.model).with_changes(**self.recipe)

    def whole(self) -> str:
        """Everything that training depends on, defaults too: a later version may have others."""
        return f"{self.model} {self.full_recipe()}"


@checked(frozen=True, config=STRICT)
class AttackConfig:
    """One attack of the grid, with a name for the table.

    Without `rate` or `count` it runs at each of its own `rates`, or of the grid's. `published` are figures of
    others, by rate as it is written there: `{ "0.1" = "91.3 / 95.0" }`. `{surrogate}` in `attack` is the path of
    a model trained once on the clean data, `{robust-surrogate}` of one that was trained there adversarially.
    With `tune`, names of modules, the victim is not trained from scratch: it is the clean surrogate, of which these
    modules alone are trained further, at a tenth of the learning rates; and so is its twin.
    """

    name: str
    attack: str
    trigger: Names = ()
    target: str | None = None
    source: Names = ()
    rate: float | None = None
    count: int | None = None
    rates: tuple[float, ...] = ()
    placement: Placement | None = None
    relabel: Relabel | None = None
    tune: Names = ()
    published: dict[str, str] = field(default_factory=dict)

    @property
    def surrogates(self) -> tuple[str, ...]:
        """The surrogates that the attack names, and the one that its victim begins with."""
        return tuple(kind for kind in SURROGATES if kind in self.attack or (kind == SURROGATE and self.tune))

    def label(self, rate: float | None) -> str:
        """Attack and rate, as a reader knows them."""
        return self.name if rate is None else f"{self.name}, {rate:.2%}"

    def build(self, rate: float | None, attack: str | None = None) -> Attack:
        """The attack at one of its rates; `attack` is its specification with the surrogates' paths filled in.

        Raises UsageError for what cannot be built.
        """
        try:
            return create_attack(
                self.attack if attack is None else attack,
                source=self.source,
                target=self.target,
                rate=rate,
                count=self.count,
                placement=self.placement,
                relabel=self.relabel,
                trigger=self.trigger or None,
            )
        except BezoarError as error:
            what = f"the attack {self.label(rate)!r} cannot be built: {error.what}"
            raise error.told_as(UsageError, what) from error

    def whole(self, rate: float | None) -> str:
        """Every field of the attack and of its triggers, those at their defaults too."""
        built: Any = self.build(rate)
        triggers = getattr(built, "triggers", None) or (getattr(built, "trigger", None),)
        held = [trigger_spec(trigger, every=True) for trigger in triggers if trigger is not None]
        return " ".join([attack_spec(built, every=True), *held])


@checked(frozen=True, config=STRICT)
class BenchConfig:
    """A grid of attacks, rates and seeds over one data set and one way to train."""

    title: str
    data: DataConfig
    attack: tuple[AttackConfig, ...]
    train: TrainConfig = field(default_factory=TrainConfig)
    seeds: tuple[int, ...] = (0, 1, 2)
    rates: tuple[float, ...] = ()
    surrogate_seed: int = 1000


@dataclass(frozen=True)
class Cell:
    """One attack with one seed at one rate; `key` names every setting that changes its result."""

    attack: AttackConfig
    rate: float | None
    seed: int
    key: str

    @property
    def label(self) -> str:
        """Attack and rate, as a reader knows them."""
        return self.attack.label(self.rate)


def read_config(path: Path) -> BenchConfig:
    """Read a benchmark file. Raises UsageError that names the place of the first fault."""
    return read_as(path, BenchConfig)


def read_as(path: Path, cls: type[T], *, without: str = "") -> T:
    """A TOML file as `cls`, its key `without` left out. Raises UsageError that names the place of the first fault."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        content.pop(without, None)
        return TypeAdapter(cls).validate_python(content)
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist", expected="a benchmark file, as in examples/") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML", found=str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{path}: {place} does not fit", found=first["msg"]) from error


def says(path: Path, key: str) -> bool:
    """Whether a TOML file has `key = true`. One that can't be read has not."""
    try:
        return bool(tomllib.loads(path.read_text(encoding="utf-8")).get(key))
    except (OSError, tomllib.TOMLDecodeError):
        return False


def cells(config: BenchConfig) -> tuple[Cell, ...]:
    """All cells, seed by seed and rate by rate, so that a first full row of results comes early."""
    return tuple(
        Cell(attack, rate, seed, _key(config, attack, rate, seed))
        for seed in config.seeds
        for place in range(max(len(_rates(config, attack)) for attack in config.attack))
        for attack in config.attack
        for rate in _rates(config, attack)[place : place + 1]
    )


def _rates(config: BenchConfig, attack: AttackConfig) -> tuple[float | None, ...]:
    if attack.count is not None or attack.rate is not None:
        return (attack.rate,)
    return attack.rates or config.rates or (None,)


def twin_key(config: BenchConfig, seed: int, tune: tuple[str, ...] = ()) -> str:
    """Names every setting that changes the clean twin of a seed; of one that is tuned, its modules too."""
    settings = (config.data, config.train.whole(), seed)
    if tune:
        return f"tuned-{seed}-{_digest(*settings, tune, config.surrogate_seed)}"
    return f"clean-{seed}-{_digest(*settings)}"


def data_source(config: BenchConfig) -> str:
    """The data's source, see `filled_in`."""
    return filled_in(config.data.source)


def filled_in(source: str) -> str:
    """A source of data with `$NAME` filled in. Raises UsageError for a variable that is not set."""
    missing = [name for name in re.findall(r"\$(\w+)", source) if name not in os.environ]
    if missing:
        raise UsageError(
            f"the environment variable {missing[0]} is not set", remedy=f"Set {missing[0]} to the data's folder"
        )
    return os.path.expandvars(source)


def _key(config: BenchConfig, attack: AttackConfig, rate: float | None, seed: int) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", attack.name.lower()).strip("-")
    surrogate = config.surrogate_seed if attack.surrogates else None
    settings: tuple[object, ...] = (config.data, config.train.whole(), attack.whole(rate), seed, surrogate)
    if attack.tune:
        settings = (*settings, attack.tune)
    return f"{plain}-{seed}-{_digest(*settings)}"


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:10]
