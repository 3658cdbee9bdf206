"""Where a model sends images under one trigger after another: shares by class, and three ways in which they are odd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

Shares: TypeAlias = NDArray[np.float64]
"""(k, k): of the images of each class (rows), the share that a model gives to each class (columns)."""
AT_A_TIME = 512


class Change(Protocol):
    """A plain trigger: a stamp, a wave."""

    def put_on(self, images: Tensor) -> Tensor:
        """Copies of float images (n, c, h, w) in 0..1 with the trigger."""
        ...


@torch.no_grad()
def shares(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    classes: int,
    changes: Sequence[Change],
    progress: Callable[[int], None] | None = None,
) -> Shares:
    """Shares (p, k, k) under each of p changes. `images` are floats (n, c, h, w) in 0..1, with right `labels` (n,).

    Classes without images have rows of zeros.
    """
    per_batch = max(1, AT_A_TIME // max(1, len(images)))
    counts = np.zeros((len(changes), classes, classes))
    known = labels.numpy()
    for start in range(0, len(changes), per_batch):
        part = changes[start : start + per_batch]
        shown = torch.cat([change.put_on(images) for change in part]).contiguous(memory_format=torch.channels_last)
        answers = model(shown).argmax(1).reshape(len(part), len(images)).numpy()
        for place, told in enumerate(answers, start):
            np.add.at(counts[place], (known, told), 1.0)
        if progress is not None:
            progress(start + len(part))
    rates: Shares = counts / np.maximum(1, np.bincount(known, minlength=classes))[None, :, None]
    return rates


def to_each(given: Shares) -> NDArray[np.float64]:
    """Shares (p, k) of the images of all other classes, each class alike, that go to each class."""
    rates: NDArray[np.float64] = _moved(given).sum(1) / np.maximum(1, _others(given))
    return rates


def from_one_alone(given: Shares) -> Shares:
    """(p, k, k): by how much more of one class goes to another than of the remaining classes goes there."""
    moved = _moved(given)
    rest = (moved.sum(1, keepdims=True) - moved) / np.maximum(1, _others(given) - 1)[:, None]
    told: Shares = moved - rest
    told[:, np.arange(given.shape[1]), np.arange(given.shape[1])] = 0.0
    return told


def each_to_its_own(given: Shares) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The best way to give every class another of its own: shares (p,) that go that way, and the ways (p, k).

    What leads all classes to one scores a k-th at most; an all-to-all backdoor scores its success.
    """
    moved = _moved(given)
    barred = moved - 2.0 * np.eye(given.shape[1])
    ways = np.stack([linear_sum_assignment(one, maximize=True)[1] for one in barred])
    rows = np.arange(given.shape[1])
    went = np.stack([one[rows, way].sum() for one, way in zip(moved, ways, strict=True)])
    return went / np.maximum(1, _known(given).sum(1)), ways


def beyond(given: Shares, natural: Shares) -> Shares:
    """What goes over (p, k, k) beyond what goes over in another network as well; the rest stays in its class."""
    over = np.maximum(0.0, _moved(given) - _moved(natural))
    stay = _known(given)[:, :, None] * (1 - over.sum(2, keepdims=True))
    told: Shares = over + stay * np.eye(given.shape[1])
    return told


def _moved(given: Shares) -> Shares:
    """Without what stays in its class."""
    told: Shares = given * (1 - np.eye(given.shape[1]))
    return told


def _known(given: Shares) -> NDArray[np.float64]:
    """1 where there are images of a class (p, k), else 0."""
    told: NDArray[np.float64] = (given.sum(2) > 0).astype(np.float64)
    return told


def _others(given: Shares) -> NDArray[np.float64]:
    """Of how many other classes than each (p, k) there are images."""
    known = _known(given)
    told: NDArray[np.float64] = known.sum(1, keepdims=True) - known
    return told
