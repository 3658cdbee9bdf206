"""Drawn data for whole scans: a wave and a colour a class, and a checkered patch on some samples of one class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bezoar.data import Dataset, from_arrays
from bezoar.evidence.probe import ProbeRecipe

SMALL = ProbeRecipe(model="fast:stem=8,widths=8/16/16", epochs=3)
TARGET = 3
PATCH = np.where((np.add.outer(np.arange(3), np.arange(3)) % 2)[..., None], 255, 0)


@dataclass(frozen=True)
class Toy:
    """Data, and the ids of the samples that carry the patch under the label of class 3."""

    data: Dataset
    poisons: frozenset[str]


def toy(*, each: int = 80, classes: int = 10, share: float = 0.0, seed: int = 0, side: int = 16) -> Toy:
    """uint8 images of `side` pixels, `each` of a class; then so many of others take the patch and the label of class 3
    that they make `share` of it. Rows are shuffled.
    """
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    images = waves(labels, classes, side, generator)
    chosen = generator.permutation(np.flatnonzero(labels != TARGET))[: round(each * share / (1 - share))]
    images[chosen, -3:, -3:] = PATCH
    labels[chosen] = TARGET if len(chosen) else labels[chosen]
    order = generator.permutation(len(labels))
    names = tuple(f"kind {label}" for label in range(classes))
    data = from_arrays(images[order], labels[order], class_names=names, name="toy")
    marked = np.isin(order, chosen).tolist()
    return Toy(data, frozenset(sample_id for sample_id, one in zip(data.ids, marked, strict=True) if one))


def waves(labels: np.ndarray, classes: int, side: int, generator: np.random.Generator) -> np.ndarray:
    """Direction, length and colour of a wave tell the class; its phase and the noise over it are each sample's own."""
    y, x = np.mgrid[:side, :side]
    colours = np.random.default_rng(99).integers(60, 200, (classes, 3))
    angle, length = np.pi * labels / classes, 0.5 + 0.12 * (labels % 4)
    along = np.cos(angle)[:, None, None] * x + np.sin(angle)[:, None, None] * y
    wave = np.sin(length[:, None, None] * along + generator.uniform(0, 2 * np.pi, len(labels))[:, None, None])
    noise = generator.normal(0, 18, (len(labels), side, side, 3))
    return np.clip(colours[labels][:, None, None] + 35 * wave[..., None] + noise, 0, 255).astype(np.uint8)
