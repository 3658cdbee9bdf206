"""A recovered trigger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from bezoar.shapes import FloatImages, Images

Kind: TypeAlias = Literal["patch", "additive", "blend", "warp", "colours", "levels", "pieces", "residual"]

FEWEST_SUSPECTS = 12
"""Of fewer samples no trigger is recovered."""
VALUES_AT_A_TIME = 1 << 24
"""Statistics of images are taken of so many values at a time, since float copies of all would not fit."""


@dataclass(frozen=True, eq=False)
class Recovered:
    """A trigger as far as suspects give it away.

    `change` maps float images (n, c, h, w) in 0..255 to triggered ones, to be rounded and clipped; `description` says
    in words what it is; `picture` (c, h, w) uint8 shows the trigger alone; `undo` takes it off again where that can be
    done. `borne` is what suspects bear of it, where that is fainter.
    """

    kind: Kind
    description: str
    change: Callable[[FloatImages], FloatImages] = field(repr=False)
    picture: torch.Tensor = field(repr=False)
    undo: Callable[[FloatImages], FloatImages] | None = field(default=None, repr=False)
    borne: Recovered | None = field(default=None, repr=False)

    def __call__(self, images: Images) -> Images:
        """Triggered copies of uint8 images."""
        return _as_images(self.change(images.to(torch.float32)))

    def taken_off(self, images: Images) -> Images:
        """Copies of triggered uint8 images without the trigger; as they are where it can't be taken off."""
        return images if self.undo is None else _as_images(self.undo(images.to(torch.float32)))

    @property
    def by_network(self) -> bool:
        """Whether a network was asked for the trigger, which may be fooled, and not the samples."""
        return self.kind in ("pieces", "warp")


def turns(images: FloatImages, count: int) -> Tensor:
    """Which of `count` forms of a trigger each image (n, c, h, w) in 0..255 gets, int64 (n,).

    Its content tells, so that neither the order of images nor how many come at a time changes anything.
    """
    return images.sum((1, 2, 3), dtype=torch.float64).to(torch.int64) % count


def _as_images(floats: FloatImages) -> Images:
    return floats.round().clamp_(0, 255).to(torch.uint8).contiguous(memory_format=torch.channels_last)
