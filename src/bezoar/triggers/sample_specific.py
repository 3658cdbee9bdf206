"""A secret string hidden in every image by a learnt encoder: another residual for each."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.shapes import FloatImages, Images
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS
from bezoar.triggers.checks import require_between
from bezoar.triggers.learnt import LearntTrigger
from bezoar.triggers.networks import blocks, colours_in, fitted, require_colours, require_side, shapes_of, write

PLANES = 3
SIDE = 8
"""The secret enters the encoder as so many planes of so many pixels a side, stretched to the image."""

SMALLEST = 4


@TRIGGERS.register("sample-specific")
@dataclass(frozen=True)
class SampleSpecific(LearntTrigger):
    """Hides a secret string of `bits` bits in the image with a learnt encoder, so that each image changes differently.

    What is learnt are the weights of the encoder, a U-Net of `width` channels at full size, and the secret, which
    is the same for all images and stands for the target. The encoder was learnt at one size of images and works at
    any of at least 4x4, less well. The arithmetic is float32 for every kind of image; an alpha channel is left
    alone. An encoder learnt on grey images fits grey images only, one on colour images those.

    Li et al. 2021, arXiv 2012.03816, with the encoder of Tancik et al. 2020, arXiv 1904.05343; see the attack of
    this name for how it is learnt and what differs. Raises TriggerError for images of other channels or too small.
    """

    bits: int = 20
    width: int = 16

    about: ClassVar[About] = About(
        "invisible, dirty label", "Li et al. 2021, ISSBA, arXiv 2012.03816", knows="the data, to train an encoder"
    )

    def __post_init__(self) -> None:
        require_between("sample-specific", "bits", self.bits, 1, 1000)
        require_between("sample-specific", "width", self.width, 1, 256)

    def expected(self, tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
        """The encoder's tensors for the colours found in its last bias, and the secret."""
        return {"secret": (self.bits,), **shapes_of(self._encoder(colours_in(tensors, "leave.bias")))}

    def apply_learnt(self, images: Images) -> Images:
        """Encode the secret into every image."""
        tensors = {name: tensor.to(images.device, torch.float32) for name, tensor in self.tensors.items()}
        secret = tensors.pop("secret")
        colours = len(tensors["leave.bias"])
        require_colours("sample-specific", colours, images)
        require_side("sample-specific", SMALLEST, images)
        encode = fitted(self._encoder(colours), tensors)
        for region, block in blocks(images, colours):
            write(region, block + encode(block, secret.expand(len(block), -1)))
        return images

    def _encoder(self, colours: int) -> functools.partial[Encoder]:
        return functools.partial(Encoder, colours, self.bits, self.width)


class Encoder(nn.Module):
    """A U-Net of images (n, c, h, w) in 0..1 and secrets (n, bits) of 0 and 1 to residuals (n, c, h, w).

    As Tancik et al. do, the secret passes a dense layer and is stretched to the image's size, and both enter
    centred on zero. Two halvings here, four there, whose images are 400x400. Weights fit any size of images.
    """

    def __init__(self, colours: int, bits: int, width: int) -> None:
        super().__init__()
        self.spread = nn.Linear(bits, PLANES * SIDE * SIDE)
        self.enter = _convolution(colours + PLANES, width)
        self.halve = _convolution(width, 2 * width, stride=2)
        self.quarter = _convolution(2 * width, 4 * width, stride=2)
        self.deep = _convolution(4 * width, 4 * width)
        self.to_half = _convolution(6 * width, 2 * width)
        self.to_full = _convolution(3 * width + colours + PLANES, width)
        self.refine = _convolution(width, width)
        self.leave = nn.Conv2d(width, colours, 1)

    def forward(self, images: FloatImages, secrets: Tensor) -> FloatImages:
        """The residual to be added to each image."""
        planes = F.relu(self.spread(secrets - 0.5)).view(-1, PLANES, SIDE, SIDE)
        planes = F.interpolate(planes, size=images.shape[2:], mode="nearest")
        given = torch.cat([planes, images - 0.5], dim=1)
        full = F.relu(self.enter(given))
        half = F.relu(self.halve(full))
        deep = F.relu(self.deep(F.relu(self.quarter(half))))
        half = F.relu(self.to_half(torch.cat([_grown(deep, half), half], dim=1)))
        full = F.relu(self.to_full(torch.cat([_grown(half, full), full, given], dim=1)))
        residual: Tensor = self.leave(F.relu(self.refine(full)))
        return residual


def _convolution(inward: int, outward: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inward, outward, 3, stride, 1)


def _grown(maps: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(maps, size=like.shape[2:], mode="nearest")
