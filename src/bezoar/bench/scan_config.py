"""A benchmark of scans as a TOML file: data, attacks, rates, codings, seeds, and honest data."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass as checked

from bezoar.attacks import Attack, create_attack
from bezoar.attacks.composing.layout import Placement
from bezoar.bench.config import STRICT, SURROGATES, BenchConfig, DataConfig, Names, TrainConfig, read_as, says
from bezoar.errors import BezoarError, UsageError

LOSSLESS, JPEG = "lossless", "jpeg-"


def quality_of(coding: str) -> int | None:
    """The JPEG quality in 1..100 that a coding names, None for lossless. Raises ValueError for any other word."""
    if coding == LOSSLESS:
        return None
    found = re.fullmatch(rf"{JPEG}(\d{{1,3}})", coding)
    if found is None or not 1 <= int(found[1]) <= 100:
        raise ValueError(f"a coding is {LOSSLESS} or {JPEG}1 to {JPEG}100, not {coding!r}")
    return int(found[1])


def _known(coding: str) -> str:
    quality_of(coding)
    return coding


Coding = Annotated[str, AfterValidator(_known)]


@checked(frozen=True, config=STRICT)
class ScannedAttack:
    """An attack of the table; `attack`, `target` and `source` are one for all seeds, or one for each.

    `choosing` says that thresholds may be chosen by it; all others are for reporting only. `static` triggers are held
    to the higher goals. `rates` of all images, or of the target class for clean-label attacks, as the attack counts.
    """

    name: str
    attack: Names
    rates: tuple[float, ...]
    target: Names = ()
    source: Names = ()
    trigger: Names = ()
    placement: Placement | None = None
    static: bool = True
    choosing: bool = False

    @property
    def surrogates(self) -> tuple[str, ...]:
        """The surrogates that the attack names, as in `AttackConfig`."""
        return tuple(kind for kind in SURROGATES if any(kind in spec for spec in self.attack))

    def spec(self, seed: int) -> str:
        """The attack's specification for a seed."""
        return self.attack[seed % len(self.attack)]

    def build(self, rate: float, seed: int, spec: str | None = None) -> Attack:
        """The attack at one of its rates with one seed; `spec` has the surrogates' paths filled in.

        Raises UsageError for what cannot be built.
        """
        try:
            return create_attack(
                spec or self.spec(seed),
                source=self.source[seed % len(self.source) :][:1] if self.source else (),
                target=self.target[seed % len(self.target)] if self.target else None,
                rate=rate,
                placement=self.placement,
                trigger=self.trigger or None,
            )
        except BezoarError as error:
            raise error.told_as(UsageError, f"the attack {self.name!r} cannot be built: {error.what}") from error


@checked(frozen=True, config=STRICT)
class ScanBenchConfig:
    """Attacks by rates, codings and seeds, and honest cases, all scanned at one budget.

    A coding is `lossless`, or `jpeg-75`: every image of the set coded once with that quality after the stamp, and
    triggered test images too.
    """

    title: str
    data: DataConfig
    attack: tuple[ScannedAttack, ...] = ()
    honest: Literal["all", "choosing", "reporting", "none"] = "none"
    budget: Literal["quick", "standard", "thorough"] = "standard"
    codings: tuple[Coding, ...] = (LOSSLESS, "jpeg-75")
    seeds: tuple[int, ...] = (0, 1, 2)
    train: TrainConfig = field(default_factory=TrainConfig)

    @property
    def drills(self) -> BenchConfig:
        """The benchmark of drills with the same data and training, whose surrogates this one shares."""
        return BenchConfig(self.title, self.data, (), self.train, self.seeds)


@dataclass(frozen=True)
class ScanCell:
    """One set to be scanned: an attack at a rate with a seed and a coding, or an honest case."""

    key: str
    attack: ScannedAttack | None
    honest: str | None
    rate: float
    coding: str
    seed: int

    @property
    def label(self) -> str:
        """What it is, as a reader knows it."""
        if self.attack is None:
            return f"honest: {self.honest}, seed {self.seed}"
        return f"{self.attack.name}, {self.rate:.1%}, {self.coding}, seed {self.seed}"


def is_scan_config(path: Path) -> bool:
    """Whether a benchmark file is one of scans: it says `scan = true`. One that can't be read is not."""
    return says(path, "scan")


def read_scan_config(path: Path) -> ScanBenchConfig:
    """Read a benchmark of scans. Raises UsageError that names the place of the first fault."""
    return read_as(path, ScanBenchConfig, without="scan")


def scan_cells(config: ScanBenchConfig, honest: tuple[str, ...]) -> tuple[ScanCell, ...]:
    """All cells: honest cases first, with the first seed alone, then seed by seed, coding by coding, rate by rate."""
    silent = tuple(
        ScanCell(_key(config, "honest", name, seed), None, name, 0.0, LOSSLESS, seed)
        for seed in config.seeds[:1]
        for name in honest
    )
    places = max((len(attack.rates) for attack in config.attack), default=0)
    return silent + tuple(
        ScanCell(
            _key(config, attack.build(rate, seed), attack.name, rate, coding, seed), attack, None, rate, coding, seed
        )
        for seed in config.seeds
        for coding in config.codings
        for place in range(places)
        for attack in config.attack
        for rate in attack.rates[place : place + 1]
    )


def _key(config: ScanBenchConfig, *parts: object) -> str:
    whole = repr((config.data, config.budget, config.train.whole(), parts))
    return hashlib.sha256(whole.encode()).hexdigest()[:16]
