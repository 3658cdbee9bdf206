"""A recovered trigger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import torch

from bezoar.shapes import FloatImages, Images

Kind: TypeAlias = Literal["patch", "additive", "blend", "warp"]


@dataclass(frozen=True, eq=False)
class Recovered:
    """A trigger as far as suspects give it away.

    `change` maps float images (n, c, h, w) in 0..255 to triggered ones, to be rounded and clipped; `description` says
    in words what it is; `picture` (c, h, w) uint8 shows the trigger alone.
    """

    kind: Kind
    description: str
    change: Callable[[FloatImages], FloatImages] = field(repr=False)
    picture: torch.Tensor = field(repr=False)

    def __call__(self, images: Images) -> Images:
        """Triggered copies of uint8 images."""
        changed = self.change(images.to(torch.float32))
        return changed.round_().clamp_(0, 255).to(torch.uint8).contiguous(memory_format=torch.channels_last)
