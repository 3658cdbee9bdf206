"""The pixels themselves, at a size at which all of them can be compared."""

from __future__ import annotations

from collections.abc import Iterator

from bezoar.data.dataset import Dataset
from bezoar.evidence.evidence import Matrix
from bezoar.evidence.samples.gatherer import SampleGatherer
from bezoar.evidence.samples.small import as_rows, small_blocks, small_shape


def _blocks(data: Dataset) -> Iterator[tuple[slice, Matrix]]:
    for turn, images in small_blocks(data):
        yield turn, as_rows(images)


def _width(data: Dataset) -> int:
    channels, height, width = small_shape(data)
    return channels * height * width


PIXELS = SampleGatherer("pixels", 1, lambda data: data.is_images, _width, _blocks)
