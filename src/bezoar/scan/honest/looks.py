"""How images look as a whole: brightness, contrast and high-frequency energy, by which contributors can differ."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bezoar.data.memory import chunks
from bezoar.evidence import Real
from bezoar.evidence.samples.texture import laplacian
from bezoar.shapes import Images

LEAST_SIDE = 3


def looks(images: Images) -> dict[str, Real]:
    """Mean, spread (standard deviation) and high-frequency energy (n,) of uint8 images (n, c, h, w), by name.

    The energy is the mean square of what is left of a pixel when the mean of its four neighbours is taken off, as a
    logarithm. Images with a side under 3 pixels have none.
    """
    statistics: dict[str, list[Real]] = {}
    for rows in chunks(len(images), 4 * images[0].numel() if len(images) else 1):
        for name, values in _of_some(images[rows].to(torch.float32)).items():
            statistics.setdefault(name, []).append(values.numpy().astype(np.float64))
    return {name: np.concatenate(parts) for name, parts in statistics.items()}


def _of_some(images: Tensor) -> dict[str, Tensor]:
    found = {"brightness": images.mean((1, 2, 3)), "contrast": images.std((1, 2, 3), correction=0)}
    if min(images.shape[2:]) >= LEAST_SIDE:
        found["high-frequency energy"] = laplacian(images).square().mean((1, 2, 3)).add(1.0).log()
    return found
