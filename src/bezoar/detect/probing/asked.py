"""A model and the clean images that it is asked with: some of each class, all of which it gets right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from bezoar.data.dataset import Dataset
from bezoar.detect.probing.answers import Change, Shares, shares
from bezoar.detect.probing.innocent import innocent_twin
from bezoar.records import Skipped
from bezoar.training.batches import to_unit_range

FEWEST_CLASSES, FEWEST_OF_A_CLASS = 3, 4


@dataclass(frozen=True, eq=False)
class Asked:
    """A model and images (n, c, h, w) in 0..1 with right `labels` (n,) of so many classes, drawn from `trusted`."""

    model: nn.Module
    trusted: Dataset
    images: Tensor
    labels: Tensor
    classes: int

    def of_each(self, first: int) -> Asked:
        """The first images of each class, so many at most."""
        return self._where(lambda place, _: place < first)

    def in_two(self, first: int) -> tuple[Asked, Asked]:
        """The first images of each class, so many but no more than a third, and the others."""

        def early(place: Tensor, count: int) -> Tensor:
            return place < min(first, -(-count // 3))

        return self._where(early), self._where(lambda place, count: ~early(place, count))

    def _where(self, wanted: Callable[[Tensor, int], Tensor]) -> Asked:
        """The images of each class at some places (n,) among it, told by these and their number."""
        own = [torch.nonzero(self.labels == label)[:, 0] for label in range(self.classes)]
        rows = torch.cat([rows[wanted(torch.arange(len(rows)), len(rows))] for rows in own])
        return replace(self, images=self.images[rows], labels=self.labels[rows])

    def by(self, model: nn.Module) -> Asked:
        """Another model asked with the same."""
        return replace(self, model=model)

    def innocent(self, seed: int, lessons: int, progress: Callable[[int, int], None]) -> Asked:
        """The model's innocent twin asked with the same."""
        twin = innocent_twin(self.model, self.trusted, self.classes, seed=seed, steps=lessons, progress=progress)
        return self.by(twin)

    def shares(self, changes: Sequence[Change], progress: Callable[[int], None] | None = None) -> Shares:
        """Shares (p, k, k) under each change."""
        return shares(self.model, self.images, self.labels, self.classes, changes, progress)


def asked_with(
    model: nn.Module, trusted: Dataset | None, shape: tuple[int, ...], classes: int, most: int, seed: int
) -> Asked | Skipped:
    """The model and at most so many images of each class that it gets right, or why it can't be asked.

    It is asked with no images of a class of which it gets fewer than 4 right; 3 classes must be left.
    """
    if trusted is None:
        return Skipped("plain triggers are put on clean samples, and none were given")
    if classes < FEWEST_CLASSES or len(shape) != 3:
        return Skipped(f"plain triggers are for images, (c, h, w), of at least {FEWEST_CLASSES} classes")
    asked = right_samples(model, trusted, classes, most, seed)
    if len(set(asked.labels.tolist())) < FEWEST_CLASSES:
        return Skipped(f"of {FEWEST_CLASSES} classes {FEWEST_OF_A_CLASS} clean samples each must be right")
    return asked


def right_samples(model: nn.Module, trusted: Dataset, classes: int, most: int, seed: int) -> Asked:
    """The model and at most so many images of each class that it gets right; none of a class with fewer than 4."""
    order = torch.randperm(len(trusted), generator=torch.Generator().manual_seed(seed))
    rows = []
    for label in range(classes):
        own = order[trusted.labels[order] == label][: 2 * most]
        with torch.no_grad():
            answers = model(to_unit_range(trusted.inputs[own])).argmax(1) if len(own) else own
        right = own[answers == label][:most]
        rows.append(right if len(right) >= FEWEST_OF_A_CLASS else right[:0])
    chosen = torch.cat(rows)
    return Asked(model, trusted, to_unit_range(trusted.inputs[chosen]), trusted.labels[chosen], classes)
