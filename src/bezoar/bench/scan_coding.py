"""Images coded once as JPEG, as a set is that was stored that way after the stamp."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bezoar.bench.scan_config import quality_of
from bezoar.data.dataset import Dataset
from bezoar.errors import ShapeError


def coded(data: Dataset, coding: str) -> Dataset:
    """The data as they are, or with every image coded once as JPEG of the quality in `jpeg-75`; ids stay.

    Raises ShapeError for what JPEG can't hold.
    """
    inputs = coded_images(data.inputs, coding)
    return data if inputs is data.inputs else replace(data, inputs=inputs, encoded=None)


def coded_images(images: Tensor, coding: str) -> Tensor:
    """uint8 images (n, c, h, w) as they are, or after one coding."""
    quality = quality_of(coding)
    return images if quality is None else jpeg(images, quality)


def jpeg(images: Tensor, quality: int) -> Tensor:
    """uint8 images (n, c, h, w) of 1 or 3 channels after one coding, channels last. Raises ShapeError for others."""
    if images.ndim != 4 or images.shape[1] not in (1, 3) or images.dtype != torch.uint8:
        raise ShapeError(
            "JPEG holds images of 1 or 3 channels", expected="uint8 (n, c, h, w)", found=str(tuple(images.shape))
        )
    out = np.empty((len(images), *images.shape[2:], images.shape[1]), np.uint8)
    for place, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
        buffer = io.BytesIO()
        drawn = image[:, :, 0] if image.shape[2] == 1 else image
        Image.fromarray(np.ascontiguousarray(drawn)).save(buffer, "JPEG", quality=quality)
        with Image.open(buffer) as read:
            out[place] = np.asarray(read).reshape(image.shape)
    return torch.from_numpy(out).permute(0, 3, 1, 2)
