"""What samples show at a size at which few triggers can be seen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import nn

from bezoar.confirm.flips import Rows
from bezoar.data.dataset import Dataset
from bezoar.detect.numerics.moments import Gatherer
from bezoar.detect.numerics.ridge import Coefficients, Ridge, balancing, fit
from bezoar.evidence.samples.content import CONTENT, RandomFilters, coarse, filters_of
from bezoar.evidence.samples.small import as_rows, small, small_shape
from bezoar.shapes import FloatImages, Logits

RIDGE = Ridge(penalty=1.0)
"""As where labels are doubted by coarse content, see `detect.samples.doubt`."""


class CoarseNetwork(nn.Module):
    """Random filters at 8 pixels a side, and a ridge to the labels: sees what most pictures show, and no detail."""

    def __init__(self, filters: RandomFilters, ridge: Coefficients, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self._filters, self._ridge, self._shape = filters, ridge, shape

    def forward(self, images: FloatImages) -> Logits:
        """One value for each class (n, k) of images (n, c, h, w) in 0..1."""
        rows = as_rows(self._filters(coarse(small(images.cpu() * 255.0, self._shape))))
        return torch.from_numpy(self._ridge.predict(rows))


@dataclass(frozen=True, eq=False)
class CoarseSight:
    """What the `rows` of `data` teach of coarse content; nothing is learnt before the network is asked for."""

    data: Dataset
    rows: Rows

    @cached_property
    def network(self) -> CoarseNetwork:
        """Fitted once, in seconds. Every class weighs the same, however rare."""
        data = self.data.select(self.rows.tolist())
        filters, shape = filters_of(data), small_shape(data)
        labels, classes = data.labels.numpy(), len(data.class_names)
        weights = balancing(labels, classes, np.zeros(len(labels), dtype=np.int16), 1)
        gatherer = Gatherer(classes, CONTENT.width(data))
        for turn, block in CONTENT.blocks(data):
            gatherer.add(block, labels[turn], weights[turn])
        return CoarseNetwork(filters, fit(gatherer.moments(), RIDGE), shape)


def coarse_sight(data: Dataset, rows: Rows) -> CoarseSight | None:
    """What rows teach of coarse content; None of data that have none."""
    return CoarseSight(data, rows) if CONTENT.applies(data) else None
