"""Strokes drawn by learnt networks for each image: where, by a mask, and in which colours, by a pattern."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.shapes import FloatImages, FloatMasks, Images
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS, check_batch
from bezoar.triggers.checks import require_between
from bezoar.triggers.learnt import LearntTrigger
from bezoar.triggers.networks import blocks, colours_in, fitted, require_colours, require_side, shapes_of, write

SMALLEST = 4
GROUPS = 4
SHARPNESS = 20.0
"""Steepness with which the mask goes from 0 to 1, so that a pixel is hardly ever half covered."""


@TRIGGERS.register("input-aware")
@dataclass(frozen=True)
class InputAware(LearntTrigger):
    """Draws another pattern on every image, at other pixels, as two learnt networks say: x + mask * (pattern - x).

    What is learnt are the weights of both, encoder-decoder networks of `width` channels at full size. An image's
    trigger depends on that image only. They were learnt at one size of images and work at any of at least 4x4,
    less well. The arithmetic is float32 for every kind of image; an alpha channel is left alone. Networks learnt on
    grey images fit grey images only, those learnt on colour images colour images.

    Nguyen and Tran 2020, arXiv 2010.08138; see the attack of this name for how it is learnt and what differs.
    Raises TriggerError for images of other channels or too small.
    """

    width: int = 16

    about: ClassVar[About] = About(
        "invisible, dirty label",
        "Nguyen and Tran 2020, Input-Aware, arXiv 2010.08138",
        knows="the data, to train a generator with a surrogate",
    )

    def __post_init__(self) -> None:
        require_between("input-aware", "width", self.width, 1, 256)

    def expected(self, tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
        """The tensors of both networks, for the colours found in the last bias of the pattern's."""
        return shapes_of(self._networks(colours_in(tensors, "pattern.leave.bias")))

    def apply_learnt(self, images: Images) -> Images:
        """Draw each image's own trigger on it."""
        return self._drawn(images, images)

    def lent(self, images: Images, donors: Images) -> Images:
        """Copies of the images, each with the trigger that belongs to another image: the donor in its place.

        Both are batches such as the trigger itself takes, of one shape and kind. Raises TriggerError as it does.
        """
        self.require_learnt()
        check_batch(images)
        check_batch(donors)
        with torch.no_grad():
            return self._drawn(images.clone(memory_format=torch.preserve_format), donors)

    def _drawn(self, images: Images, donors: Images) -> Images:
        tensors = {name: tensor.to(images.device, torch.float32) for name, tensor in self.tensors.items()}
        colours = len(tensors["pattern.leave.bias"])
        require_colours("input-aware", colours, images)
        require_side("input-aware", SMALLEST, images)
        draw = fitted(self._networks(colours), tensors)
        for (region, block), (_, donor) in zip(blocks(images, colours), blocks(donors, colours), strict=True):
            write(region, covered(block, *draw(donor)))
        return images

    def _networks(self, colours: int) -> functools.partial[TriggerNetworks]:
        return functools.partial(TriggerNetworks, colours, self.width)


def covered(images: FloatImages, mask: FloatMasks, pattern: FloatImages) -> FloatImages:
    """Images x become x + mask * (pattern - x), with a mask (n, 1, h, w) in 0..1."""
    return images + mask * (pattern - images)


class TriggerNetworks(nn.Module):
    """Both networks: images (n, c, h, w) in 0..1 to masks (n, 1, h, w) and patterns (n, c, h, w) in 0..1."""

    def __init__(self, colours: int, width: int) -> None:
        super().__init__()
        self.mask = EncoderDecoder(colours, 1, width)
        self.pattern = EncoderDecoder(colours, colours, width)

    def forward(self, images: FloatImages) -> tuple[FloatMasks, FloatImages]:
        """Mask and pattern of each image."""
        return self.masks(images), self.patterns(images)

    def masks(self, images: FloatImages) -> FloatMasks:
        """Where each image is covered."""
        return torch.sigmoid(SHARPNESS * self.mask(images))

    def patterns(self, images: FloatImages) -> FloatImages:
        """By which colours."""
        return torch.sigmoid(self.pattern(images))


class EncoderDecoder(nn.Module):
    """A convolutional encoder-decoder, two halvings deep, of images in 0..1 to maps of the same size.

    Group norm in place of batch norm: an image's trigger then never depends on the other images of its batch, not
    even while the networks learn. Weights fit any size of images.
    """

    def __init__(self, inward: int, outward: int, width: int) -> None:
        super().__init__()
        self.enter = _Block(inward, width)
        self.halve = _Block(width, 2 * width)
        self.quarter = _Block(2 * width, 4 * width)
        self.to_half = _Block(4 * width, 2 * width)
        self.to_full = _Block(2 * width, width)
        self.leave = nn.Conv2d(width, outward, 3, 1, 1)

    def forward(self, images: FloatImages) -> FloatMasks:
        """Maps (n, outward, h, w), unbounded."""
        full = self.enter(images - 0.5)
        half = self.halve(F.max_pool2d(full, 2))
        deep = self.quarter(F.max_pool2d(half, 2))
        half = self.to_half(F.interpolate(deep, size=half.shape[2:], mode="nearest"))
        maps: Tensor = self.leave(self.to_full(F.interpolate(half, size=full.shape[2:], mode="nearest")))
        return maps


class _Block(nn.Module):
    """3x3 convolution, group norm, ReLU."""

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inward, outward, 3, 1, 1)
        self.norm = nn.GroupNorm(gcd(outward, GROUPS), outward)

    def forward(self, maps: Tensor) -> Tensor:
        return F.relu(self.norm(self.convolution(maps)))
