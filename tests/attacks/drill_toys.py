"""Small data sets of every layout, and triggers of our own, for the tests of attacks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bezoar.data import Dataset, from_arrays

CLASSES = ("airplane", "bird", "cat")
PATCH = "patch:size=2,color=cyan,corner=top-left,mode=replace"


@dataclass(frozen=True)
class Corner:
    """Sets the upper left pixel, or the first token, to `value`."""

    value: int = 7

    def __call__(self, batch: Tensor) -> Tensor:
        result = batch.clone()
        if batch.ndim == 4:
            result[:, :, 0, 0] = self.value
        else:
            result[:, 0] = self.value
        return result


def picture_array(count: int, *, seed: int = 0, size: int = 6, low: int = 20, high: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, (count, size, size, 3), dtype=np.uint8)


def picture_set(per_class: int = 20, *, seed: int = 0, mixed: bool = True, sources: bool = False) -> Dataset:
    generator = np.random.default_rng([seed, 9])
    labels = np.repeat(np.arange(len(CLASSES)), per_class)
    if mixed:
        labels = generator.permutation(labels)
    names = [f"contributor {row % 4}" for row in range(len(labels))] if sources else None
    return from_arrays(picture_array(len(labels), seed=seed), labels, class_names=CLASSES, sources=names, name="toy")


def token_set(count: int = 30) -> Dataset:
    generator = np.random.default_rng(3)
    return Dataset(
        inputs=torch.from_numpy(generator.integers(10, 500, (count, 16))),
        labels=torch.arange(count) % 3,
        class_names=CLASSES,
        ids=tuple(f"sentence {row}" for row in range(count)),
        sources=tuple(("alice", "bob", None)[row % 3] for row in range(count)),
        name="sentences",
    )


def picture_folder(root: Path, per_class: int = 8, *, suffixes: tuple[str, ...] = (".png", ".jpg")) -> Path:
    """Class folders of numbered pictures; JPEG and PNG in turn."""
    pixels = picture_array(per_class * len(CLASSES), size=8)
    for row, array in enumerate(pixels):
        folder = root / CLASSES[row % len(CLASSES)]
        folder.mkdir(parents=True, exist_ok=True)
        number = row // len(CLASSES)
        Image.fromarray(array).save(folder / f"{number:04d}{suffixes[number % len(suffixes)]}")
    return root


def all_files(root: Path, *, without: tuple[str, ...] = ()) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in without
    }


def assert_same_data(found: Dataset, wanted: Dataset) -> None:
    assert found.ids == wanted.ids
    assert found.labels.tolist() == wanted.labels.tolist()
    assert found.class_names == wanted.class_names
    assert found.sources == wanted.sources
    assert found.name == wanted.name
    assert found.mark == wanted.mark
    assert found.inputs.dtype == wanted.inputs.dtype
    assert torch.equal(found.inputs, wanted.inputs)
