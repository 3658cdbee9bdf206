"""Characters written by a machine, unlike each other in size, slant, place, weight, light and noise: grey and small."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from bezoar.data import Dataset
from bezoar.data.ids import array_ids

CHARACTERS = "ABEGHKMRS37"
CANVAS = 72


@dataclass(frozen=True)
class Characters:
    """`samples` pictures of eleven characters, light on dark, of one channel and `side` pixels square."""

    samples: int
    side: int = 28
    needs_cifar: bool = False

    def draw(self, cifar: Dataset | None, generator: np.random.Generator) -> Dataset:
        """The pictures, as many of each character as of another, or one more."""
        del cifar
        labels = np.arange(self.samples) % len(CHARACTERS)
        pixels = np.stack([_written(CHARACTERS[label], self.side, generator) for label in labels.tolist()])[..., None]
        return Dataset(
            inputs=torch.from_numpy(pixels).permute(0, 3, 1, 2),
            labels=torch.from_numpy(labels.astype(np.int64)),
            class_names=tuple(CHARACTERS),
            ids=array_ids(pixels),
            name="characters",
        )


def _written(character: str, side: int, generator: np.random.Generator) -> np.ndarray:
    font = ImageFont.load_default(float(generator.uniform(34, 50)))
    canvas = Image.new("L", (CANVAS, CANVAS), 0)
    ink, weight = int(generator.integers(150, 256)), int(generator.integers(0, 3))
    ImageDraw.Draw(canvas).text(
        (CANVAS / 2, CANVAS / 2), character, font=font, fill=ink, anchor="mm", stroke_width=weight, stroke_fill=ink
    )
    turned = canvas.rotate(float(generator.uniform(-18, 18)), Image.Resampling.BICUBIC)
    slant = float(generator.uniform(-0.25, 0.25))
    slanted = turned.transform(
        turned.size, Image.Transform.AFFINE, (1, slant, -slant * CANVAS / 2, 0, 1, 0), Image.Resampling.BICUBIC
    )
    left, top = (8 + generator.integers(-5, 6, 2)).tolist()
    small = slanted.resize((side, side), Image.Resampling.BICUBIC, box=(left, top, left + 56, top + 56))
    ground = generator.uniform(0, 60)
    values = ground + np.asarray(small, dtype=float) * (255 - ground) / 255
    noisy = values + generator.normal(0, generator.uniform(3, 14), values.shape)
    return np.rint(noisy).clip(0, 255).astype(np.uint8)
