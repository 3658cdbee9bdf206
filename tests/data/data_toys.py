"""Small pictures and data sets for the tests of the data room."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from bezoar.data import Dataset, from_arrays


def pixels_of(number: int, height: int = 6, width: int = 6, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (height, width, channels), dtype=np.uint8)


def png(pixels: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[-1] == 1 else pixels).save(buffer, "PNG", **options)
    return buffer.getvalue()


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def put(root: Path, relative: str, content: bytes) -> Path:
    path = root / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def class_folders(root: Path, counts: dict[str, int], **shape: int) -> Path:
    number = 0
    for name, count in counts.items():
        for position in range(count):
            put(root, f"{name}/{position}.png", png(pixels_of(number, **shape)))
            number += 1
    return root


def toy(n: int = 6, classes: int = 2, **options) -> Dataset:
    images = np.stack([pixels_of(number) for number in range(n)])
    return from_arrays(images, np.arange(n) % classes, **options)
