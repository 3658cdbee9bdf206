"""A set of pictures that is drawn when it is asked for, instead of being shipped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from bezoar.data.dataset import Dataset
from bezoar.data.embedded.fields import Array
from bezoar.data.ids import array_ids
from bezoar.errors import UsageError

SPLIT_SIZES: Final = {"train": 6_000, "test": 2_000}


@dataclass(frozen=True)
class DrawnSet:
    """Drawn pictures of `class_names`; each names one of `sources`, drawn independently of everything else.

    `paint(labels, generator)` gives float32 pictures (n, 3, side, side), about 0..1, for the labels (n,).
    `sizes` are the samples of each split; `chunk` samples are drawn at a time, from a random stream of their own.
    """

    name: str
    class_names: tuple[str, ...]
    sources: tuple[str, ...]
    paint: Callable[[NDArray[np.int64], np.random.Generator], Array]
    sizes: Mapping[str, int] = field(default_factory=lambda: SPLIT_SIZES)
    chunk: int = 25

    def split(self, split: str, seed: int) -> Dataset:
        """The whole "train" or "test" split. Raises UsageError for another split or a negative seed."""
        return self.draw(self.sizes.get(split, 1), seed=seed, split=split)

    def draw(self, samples: int, *, seed: int, split: str = "train") -> Dataset:
        """Draw `samples` pictures: uint8 (samples, 3, side, side), classes equally frequent (to within one), shuffled.

        Splits of one seed are drawn from separate random streams. Raises UsageError for a split other
        than "train" and "test", a negative seed, or no samples.
        """
        if split not in self.sizes:
            raise UsageError(f"{self.name} has no split {split!r}", expected="one of " + ", ".join(self.sizes))
        if samples < 1:
            raise UsageError(f"too few {self.name} to draw", expected="at least 1", found=str(samples))
        if seed < 0:
            raise UsageError("a seed cannot be negative", expected="0 or more", found=str(seed))
        number = list(self.sizes).index(split)
        plan, *streams = np.random.SeedSequence([seed, number]).spawn(1 + -(-samples // self.chunk))
        rng = np.random.default_rng(plan)
        labels = rng.permutation(np.arange(samples) % len(self.class_names))
        sources = rng.integers(0, len(self.sources), samples)
        parts = [labels[start : start + self.chunk] for start in range(0, samples, self.chunk)]
        pictures = np.concatenate(
            [
                _as_bytes(self.paint(part, np.random.default_rng(stream)))
                for part, stream in zip(parts, streams, strict=True)
            ]
        )
        return Dataset(
            inputs=torch.from_numpy(pictures).permute(0, 3, 1, 2),
            labels=torch.from_numpy(labels.astype(np.int64)),
            class_names=self.class_names,
            ids=array_ids(pictures),
            sources=tuple(self.sources[source] for source in sources),
            name=f"{self.name} (drawn)/{split}",
        )


def _as_bytes(pictures: Array) -> NDArray[np.uint8]:
    """Pictures in 0..1 as uint8 (n, side, side, 3)."""
    levels = (pictures.clip(0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(0, 2, 3, 1))
