"""Honest things that happen to data: wrong labels, long tails, copies, contributors, grey pictures. No backdoor in any.

A change takes data and a generator and gives new data; labels stay right except in the two kinds of label noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
import torch

from bezoar.bench.honest.bases import pixels_of, resized, with_pixels
from bezoar.bench.honest.pictures import brighter, jpeg, shaken
from bezoar.data import Dataset

GREY = np.array([0.299, 0.587, 0.114])


class Change(Protocol):
    """Makes other data of data."""

    def apply(self, data: Dataset, generator: np.random.Generator) -> Dataset:
        """The changed data; ids need not be those of the new contents, but are unique."""
        ...


@dataclass(frozen=True)
class LabelNoise:
    """A share `rate` of all labels is wrong: any other class, or with `pairwise` the next one."""

    rate: float
    pairwise: bool = False

    def apply(self, data: Dataset, generator: np.random.Generator) -> Dataset:
        """The data with round(rate n) wrong labels."""
        classes = len(data.class_names)
        labels = data.labels.numpy().copy()
        rows = generator.choice(len(labels), round(self.rate * len(labels)), replace=False)
        steps = np.ones(len(rows), np.int64) if self.pairwise else generator.integers(1, classes, len(rows))
        labels[rows] = (labels[rows] + steps) % classes
        return replace(data, labels=torch.from_numpy(labels))


@dataclass(frozen=True)
class LongTail:
    """Class sizes fall geometrically, in random order of classes, until the last has 1 / `ratio` of the first.

    With `step` half of the classes keep all their samples and the others 1 / `ratio` of them.
    """

    ratio: float
    step: bool = False

    def apply(self, data: Dataset, generator: np.random.Generator) -> Dataset:
        """The data with fewer samples of most classes; the smallest keep at least 2."""
        labels, classes = data.labels.numpy(), len(data.class_names)
        places = generator.permutation(classes)
        powers = (places >= classes / 2).astype(float) if self.step else places / max(classes - 1, 1)
        kept = []
        for label, power in enumerate(powers.tolist()):
            members = generator.permutation(np.flatnonzero(labels == label))
            kept.append(members[: max(2, round(len(members) * self.ratio**-power))])
        return data.select(np.sort(np.concatenate(kept)).tolist())


@dataclass(frozen=True)
class Duplicated:
    """Copies of a share `rate` of the samples are added under the same label, exact or with `near` changed a little.

    A near copy is coded as JPEG of quality 70, is a little brighter or darker, or is moved by one pixel.
    """

    rate: float
    near: bool = False

    def apply(self, data: Dataset, generator: np.random.Generator) -> Dataset:
        """The data with round(rate n) more samples."""
        rows = generator.choice(len(data), round(self.rate * len(data)), replace=False)
        pixels = pixels_of(data)
        copies = shaken(pixels[rows], generator) if self.near else pixels[rows]
        both = data.select(rows.tolist())
        joined = replace(
            data,
            inputs=torch.cat([data.inputs, both.inputs]),
            labels=torch.cat([data.labels, both.labels]),
            ids=(*data.ids, *(f"copy-{one}" for one in both.ids)),
            sources=None if data.sources is None else (*data.sources, *(both.sources or ())),
            encoded=None,
        )
        return with_pixels(joined, np.concatenate([pixels, copies]))


@dataclass(frozen=True)
class Grey:
    """Pictures of one channel, by luminance."""

    def apply(self, data: Dataset, generator: np.random.Generator) -> Dataset:
        """The data in grey; of one channel already, they stay."""
        del generator
        pixels = pixels_of(data)
        if pixels.shape[3] != 3:
            return data
        return with_pixels(data, np.rint(pixels @ GREY).astype(np.uint8)[..., None])


@dataclass(frozen=True)
class Resized:
    """Pictures made `side` pixels square."""

    side: int

    def apply(self, data: Dataset, generator: np.random.Generator) -> Dataset:
        """The data at another size."""
        del generator
        return resized(data, self.side)


@dataclass(frozen=True)
class SplitClasses:
    """Each class becomes `colours` x `levels` classes of equal size: by red less blue, within these by brightness."""

    colours: int = 5
    levels: int = 2

    def apply(self, data: Dataset, generator: np.random.Generator) -> Dataset:
        """The data with more classes; every picture is in a class with its like."""
        del generator
        pixels = pixels_of(data).mean(axis=(1, 2))
        labels, parts = data.labels.numpy(), self.colours * self.levels
        finer = np.empty_like(labels)
        for label in range(len(data.class_names)):
            members = np.flatnonzero(labels == label)
            by_colour = members[np.argsort(pixels[members, 0] - pixels[members, -1], kind="stable")]
            for colour, some in enumerate(np.array_split(by_colour, self.colours)):
                by_level = some[np.argsort(pixels[some].sum(axis=1), kind="stable")]
                for level, rows in enumerate(np.array_split(by_level, self.levels)):
                    finer[rows] = label * parts + colour * self.levels + level
        names = tuple(f"{name}-{part}" for name in data.class_names for part in range(parts))
        return replace(data, labels=torch.from_numpy(finer), class_names=names)


@dataclass(frozen=True)
class MergedClasses:
    """Classes drawn `size` at a time become one, `groups` of them, or as many as there are: unlike kinds, one name."""

    size: int
    groups: int | None = None

    def apply(self, data: Dataset, generator: np.random.Generator) -> Dataset:
        """The data with fewer classes, those that are left as they are last."""
        order = generator.permutation(len(data.class_names)).tolist()
        count = len(order) // self.size if self.groups is None else self.groups
        merged = [order[self.size * place : self.size * (place + 1)] for place in range(count)]
        together = [*merged, *([label] for label in sorted(order[self.size * count :]))]
        coarser = np.empty(len(order), dtype=np.int64)
        for place, members in enumerate(together):
            coarser[members] = place
        names = tuple("+".join(data.class_names[label] for label in members) for members in together)
        return replace(data, labels=torch.from_numpy(coarser[data.labels.numpy()]), class_names=names)


@dataclass(frozen=True)
class Contributors:
    """`contributors` sources, unevenly spread over the classes, each with its own JPEG quality or brightness."""

    by: Literal["jpeg", "brightness"]
    contributors: int = 8

    def apply(self, data: Dataset, generator: np.random.Generator) -> Dataset:
        """The data with sources, each picture as its source delivers it."""
        shares = generator.dirichlet(np.ones(self.contributors), len(data.class_names))
        labels = data.labels.numpy()
        sources = np.array([generator.choice(self.contributors, p=shares[label]) for label in labels.tolist()])
        pixels = pixels_of(data)
        for source in range(self.contributors):
            rows = np.flatnonzero(sources == source)
            if self.by == "jpeg":
                pixels[rows] = jpeg(pixels[rows], int(generator.integers(30, 96)))
            else:
                pixels[rows] = brighter(pixels[rows], generator.uniform(0.7, 1.3))
        return replace(with_pixels(data, pixels), sources=tuple(f"contributor-{source}" for source in sources.tolist()))
