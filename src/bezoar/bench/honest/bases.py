"""What honest cases start from: rows of CIFAR-10, some of its classes, drawn sets. Rows are taken at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from bezoar.data import Dataset
from bezoar.data.embedded import EMBEDDED
from bezoar.data.ids import array_ids
from bezoar.data.images import fit_pixels
from bezoar.errors import DataError

Pixels = NDArray[np.uint8]


class Base(Protocol):
    """Makes the data that a case changes; `cifar` is CIFAR-10, or any data in its place."""

    @property
    def needs_cifar(self) -> bool:
        """Whether CIFAR-10 must be given."""
        ...

    def draw(self, cifar: Dataset | None, generator: np.random.Generator) -> Dataset:
        """The data; ids need not be those of the final contents."""
        ...


@dataclass(frozen=True)
class Rows:
    """`samples` random rows of CIFAR-10, all when there are fewer, of `classes` random classes (0: all of them)."""

    samples: int
    classes: int = 0
    needs_cifar: bool = True

    def draw(self, cifar: Dataset | None, generator: np.random.Generator) -> Dataset:
        """The rows, labels numbered anew when classes are left out. Raises DataError without CIFAR-10."""
        if cifar is None:
            raise DataError("this case is made of CIFAR-10, which was not given", remedy="Give it as `cifar`")
        data = cifar if not self.classes else some_classes(cifar, self.classes, generator)
        return data.select(generator.permutation(len(data))[: self.samples].tolist())


@dataclass(frozen=True)
class Drawn:
    """`samples` pictures of each named drawn set, classes of all of them together, made `side` pixels square."""

    sets: tuple[str, ...]
    samples: int
    side: int | None = None
    needs_cifar: bool = False

    def draw(self, cifar: Dataset | None, generator: np.random.Generator) -> Dataset:
        """The pictures, drawn from a seed of the generator."""
        del cifar
        parts = [EMBEDDED[name].draw(self.samples, seed=int(generator.integers(1 << 31))) for name in self.sets]
        if self.side is not None:
            parts = [resized(part, self.side) for part in parts]
        return parts[0] if len(parts) == 1 else together(parts)


def some_classes(data: Dataset, classes: int, generator: np.random.Generator) -> Dataset:
    """The samples of some random classes, numbered anew in their old order. Raises DataError when there are fewer."""
    if classes > len(data.class_names):
        raise DataError(f"{data.name} has too few classes", expected=str(classes), found=str(len(data.class_names)))
    chosen = np.sort(generator.choice(len(data.class_names), classes, replace=False))
    rows = np.flatnonzero(np.isin(data.labels.numpy(), chosen))
    kept = data.select(rows.tolist())
    labels = torch.from_numpy(np.searchsorted(chosen, kept.labels.numpy()).astype(np.int64))
    return replace(kept, labels=labels, class_names=tuple(data.class_names[label] for label in chosen))


def together(parts: Sequence[Dataset]) -> Dataset:
    """Several sets of equal shape as one, the classes of one after those of another."""
    starts = np.cumsum([0, *(len(part.class_names) for part in parts)])
    return Dataset(
        inputs=torch.cat([part.inputs for part in parts]),
        labels=torch.cat([part.labels + int(start) for part, start in zip(parts, starts[:-1], strict=True)]),
        class_names=tuple(name for part in parts for name in part.class_names),
        ids=tuple(f"{number}-{one}" for number, part in enumerate(parts) for one in part.ids),
        name=" and ".join(part.name for part in parts),
    )


def pixels_of(data: Dataset) -> Pixels:
    """A copy of the pixels, uint8 (n, h, w, c)."""
    return np.array(data.inputs.permute(0, 2, 3, 1).numpy(), order="C")


def with_pixels(data: Dataset, pixels: Pixels) -> Dataset:
    """The data with other pixels (n, h, w, c), uint8, of any height, width and number of channels."""
    return replace(data, inputs=torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2), encoded=None)


def resized(data: Dataset, side: int) -> Dataset:
    """The data with every picture `side` pixels square, bicubic."""
    return with_pixels(data, np.stack([fit_pixels(picture, side, "resize") for picture in pixels_of(data)]))


def identified(data: Dataset, name: str, generator: np.random.Generator) -> Dataset:
    """The data in random order, under a name, with the ids that their contents have."""
    mixed = data.select(generator.permutation(len(data)).tolist())
    return replace(mixed, ids=array_ids(pixels_of(mixed)), name=name, encoded=None)
