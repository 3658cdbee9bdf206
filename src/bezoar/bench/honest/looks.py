"""Which pictures of a data set get a look: a random share of all, a share of one class, or each class its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bezoar.bench.honest.bases import pixels_of, with_pixels
from bezoar.bench.honest.pictures import (
    augmented,
    blurred,
    border,
    brighter,
    erased,
    jpeg,
    logo,
    sinusoid,
    timestamp,
    warped,
    white_patch,
)
from bezoar.bench.honest.styles import STYLES
from bezoar.data import Dataset

Pixels: TypeAlias = NDArray[np.uint8]

LOOKS: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "logo": lambda pixels, _: logo(pixels),
    "border": lambda pixels, _: border(pixels, np.full(pixels.shape[3], 20.0)),
    "coloured border": lambda pixels, generator: border(
        pixels, generator.uniform(0, 255, (len(pixels), pixels.shape[3]))
    ),
    "timestamp": timestamp,
    "erasing": erased,
    "crop and flip": augmented,
    "patch": lambda pixels, _: white_patch(pixels),
    "warp": lambda pixels, generator: warped(pixels, int(generator.integers(1 << 31))),
    "stripes": lambda pixels, _: sinusoid(pixels),
    "jpeg": lambda pixels, _: jpeg(pixels, 75),
    **STYLES,
}
"""What a picture may look like, by name: pixels (n, h, w, c) and a generator to new pixels."""


@dataclass(frozen=True)
class Look:
    """A look on a random share of all pictures, or of those of so many random `classes` (0: all of them)."""

    name: str
    share: float = 1.0
    classes: int = 0

    def apply(self, data: Dataset, generator: np.random.Generator) -> Dataset:
        """The data with that look, on round(share n) pictures."""
        rows = np.arange(len(data))
        if self.classes:
            chosen_classes = generator.choice(len(data.class_names), self.classes, replace=False)
            rows = np.flatnonzero(np.isin(data.labels.numpy(), chosen_classes))
        chosen = np.sort(generator.permutation(rows)[: round(self.share * len(rows))])
        pixels = pixels_of(data)
        pixels[chosen] = LOOKS[self.name](pixels[chosen], generator)
        return with_pixels(data, pixels)


@dataclass(frozen=True)
class ByClass:
    """Each class has its own JPEG quality, blur or brightness, evenly spaced over `limits`, in random order of classes.

    Limits are qualities, standard deviations in pixels, or factors.
    """

    by: Literal["jpeg", "blur", "brightness"]
    limits: tuple[float, float]

    def apply(self, data: Dataset, generator: np.random.Generator) -> Dataset:
        """The data, each class as its value makes it."""
        values = generator.permutation(np.linspace(*self.limits, len(data.class_names))).tolist()
        labels, pixels = data.labels.numpy(), pixels_of(data)
        for label, value in enumerate(values):
            rows = np.flatnonzero(labels == label)
            if self.by == "jpeg":
                pixels[rows] = jpeg(pixels[rows], round(value))
            else:
                pixels[rows] = (blurred if self.by == "blur" else brighter)(pixels[rows], value)
        return with_pixels(data, pixels)
