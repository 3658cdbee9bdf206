"""One set of the false-alarm suite: what it starts from, what happens to it, and what it may be used for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from zlib import crc32

import numpy as np

from bezoar.bench.honest.bases import Base, identified
from bezoar.bench.honest.changes import Change
from bezoar.data import Dataset

CALIBRATION_KINDS: Final = frozenset(
    [
        "rows",
        "uniform label noise",
        "long tail",
        "border",
        "few images",
        "same JPEG for all",
        "erasing",
        "crop and flip",
        "style: inverted",
        "style: grey paper",
        "style: noisy",
    ]
)
"""Kinds that may be used for choosing thresholds; all others are for reporting only."""


@dataclass(frozen=True)
class HonestCase:
    """Data without a backdoor: `base` with `changes` one after the other.

    `label_noise` is the share of wrong labels, 0 where all are right. `one_class_mark` says that a mark lies on one
    class only, under its right label: that can hardly be told from poison, and may be called suspicious.
    """

    name: str
    kind: str
    what: str
    base: Base
    changes: tuple[Change, ...] = ()
    label_noise: float = 0.0
    one_class_mark: bool = False

    @property
    def calibration(self) -> bool:
        """Whether the case may be used for choosing thresholds."""
        return self.kind in CALIBRATION_KINDS

    @property
    def needs_cifar(self) -> bool:
        """Whether CIFAR-10 must be given."""
        return self.base.needs_cifar

    def build(self, cifar: Dataset | None, seed: int) -> Dataset:
        """The data of this case; `cifar` is CIFAR-10 (its train split), or any data of like kind in its place.

        Uint8 images in random order, ids from their contents, the same for the same seed. Asks for no more rows than
        `cifar` has. Raises DataError when the case needs `cifar` and it is None or has too few classes.
        """
        sequence = np.random.SeedSequence([seed, crc32(self.name.encode())])
        first, last, *others = (np.random.default_rng(one) for one in sequence.spawn(2 + len(self.changes)))
        data = self.base.draw(cifar, first)
        for change, generator in zip(self.changes, others, strict=True):
            data = change.apply(data, generator)
        return identified(data, self.name, last)
