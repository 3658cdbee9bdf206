"""Coarse content: what random filters answer to each image at a size at which few triggers can be seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from bezoar.data.dataset import Dataset
from bezoar.evidence.evidence import Matrix
from bezoar.evidence.samples.gatherer import SampleGatherer
from bezoar.evidence.samples.small import as_rows, representative, small_blocks, small_shape
from bezoar.shapes import FloatImages

SIDE = 8
"""Larger images are averaged down to it: much of what classes can be told by is left, and no fine trigger."""
PATCH, FILTERS, POOLED = 3, 200, 2
SAMPLE, PATCHES_EACH = 4096, 8
CONTRAST = 8.0
"""Added to a patch's standard deviation, in levels of 256: noise of flat patches shall not be blown up."""
WHITENING, THRESHOLD = 0.1, 0.25
LEAST_SIDE = 4


@dataclass(frozen=True, eq=False)
class RandomFilters:
    """Filters (p, f) that are patches of the data, whitened: `weights`, and what they answer to no patch, `offset`."""

    weights: Tensor
    offset: Tensor

    @classmethod
    def of(cls, images: FloatImages) -> RandomFilters:
        """Drawn from coarse images (n, c, h, w) with a generator of its own, the same ones for the same images.

        Patches of the images are filters as good as learnt ones (Coates and Ng 2011); flat ones are none.
        """
        generator = torch.Generator().manual_seed(0)
        patches = _patches(images)
        chosen = torch.randint(patches.shape[1], (len(images), PATCHES_EACH), generator=generator)
        drawn = _even(torch.take_along_dim(patches, chosen[:, :, None], dim=1).flatten(0, 1))
        variances, axes = torch.linalg.eigh(torch.cov(drawn.T, correction=0))
        whitening = axes @ torch.diag((variances + WHITENING).rsqrt()) @ axes.T
        textured = drawn[drawn.abs().amax(1) > 0]
        order = torch.randperm(len(textured), generator=generator)[:FILTERS]
        filters = F.normalize((textured[order] - drawn.mean(0)) @ whitening, dim=1)
        filters = F.pad(filters, (0, 0, 0, FILTERS - len(filters)))
        weights = whitening @ filters.T
        return cls(weights, -drawn.mean(0) @ weights)

    def __call__(self, images: FloatImages) -> Tensor:
        """Answers (n, 8 f) to coarse images: above a threshold, and below its negative, averaged over the quadrants."""
        answers = _even(_patches(images)) @ self.weights + self.offset
        both = torch.cat([(answers - THRESHOLD).relu(), (-answers - THRESHOLD).relu()], dim=2)
        height, width = (side - PATCH + 1 for side in images.shape[2:])
        maps = both.transpose(1, 2).reshape(len(images), -1, height, width)
        return F.adaptive_avg_pool2d(maps, POOLED)


def filters_of(data: Dataset) -> RandomFilters:
    """The filters that the evidence of these data is made with."""
    return RandomFilters.of(coarse(representative(data, SAMPLE)))


def coarse(images: FloatImages) -> FloatImages:
    """Images averaged over areas to at most 8 pixels a side."""
    height, width = images.shape[2:]
    return F.interpolate(images, size=(min(height, SIDE), min(width, SIDE)), mode="area")


def _patches(images: FloatImages) -> Tensor:
    """All patches (n, places, p) of the images, p values each."""
    return F.unfold(images, PATCH).transpose(1, 2)


def _even(patches: Tensor) -> Tensor:
    """Patches (..., p) without their brightness and contrast."""
    centred = patches - patches.mean(-1, keepdim=True)
    return centred / (centred.std(-1, keepdim=True, correction=0) + CONTRAST)


def _blocks(data: Dataset) -> Iterator[tuple[slice, Matrix]]:
    filters = filters_of(data)
    for turn, images in small_blocks(data):
        for start in range(0, len(images), 256):  # what 256 images answer stays in a processor's cache
            block = coarse(images[start : start + 256])
            first = turn.start + start
            yield slice(first, first + len(block)), as_rows(filters(block))


def _width(_: Dataset) -> int:
    return 2 * FILTERS * POOLED**2


CONTENT = SampleGatherer(
    "content", 1, lambda data: data.is_images and min(small_shape(data)[1:]) >= LEAST_SIDE, _width, _blocks
)
