"""Noise learnt from the target class, added to the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bezoar.errors import TriggerError
from bezoar.shapes import AnyPattern, Images
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS
from bezoar.triggers.checks import require_between
from bezoar.triggers.colours import colours_of, to_grey
from bezoar.triggers.learnt import LearntTrigger, sized
from bezoar.triggers.stamp import adding, press


@TRIGGERS.register("narcissus")
@dataclass(frozen=True)
class NarcissusNoise(LearntTrigger):
    """Adds noise that the attack `narcissus` learnt from the target class, `strength` times, and clips.

    The noise, `pattern` (c, h, w) on the scale -255..255, belongs to images of the size it was learnt on. On others
    it is resized (bilinear), and a network may no longer heed it. Grey images get the luminance of a coloured
    noise; an alpha channel is left alone.

    Zeng et al. 2022, Narcissus, arXiv 2204.05255; 3 is their strength at test time. Raises TriggerError for a
    strength outside 0..255, and for images with other channels.
    """

    strength: float = 3.0

    about: ClassVar[About] = About(
        "clean label",
        "Zeng et al. 2022, Narcissus, arXiv 2204.05255",
        ("samples",),
        "samples of the target class, for learning the noise",
    )

    def __post_init__(self) -> None:
        require_between("narcissus", "strength", self.strength, 0, 255)

    def expected(self, tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
        """One pattern (c, h, w) of any size."""
        pattern = tensors.get("pattern")
        return {"pattern": tuple(pattern.shape) if pattern is not None and pattern.ndim == 3 else (3, 32, 32)}

    def apply_learnt(self, images: Images) -> Images:
        """Add the noise."""
        pattern = sized(_coloured(self.tensors["pattern"].to(torch.float64), images.shape[1]), *images.shape[2:])
        press(images, adding(pattern * self.strength, torch.ones_like(pattern[0])))
        return images


def _coloured(pattern: AnyPattern, channels: int) -> Tensor:
    """The noise (c, h, w) as (channels, h, w), 0 on an alpha channel."""
    pattern = pattern[: colours_of(len(pattern))]
    if channels == 1 and len(pattern) == 3:
        return to_grey(pattern)
    if channels in (3, 4) and len(pattern) == 1:
        pattern = pattern.expand(3, -1, -1)
    if channels == 4 and len(pattern) == 3:
        pattern = torch.cat([pattern, torch.zeros_like(pattern[:1])])
    if len(pattern) != channels:
        raise TriggerError(
            "narcissus: the noise was learnt for images with other channels",
            expected=f"{len(pattern)} channels",
            found=str(channels),
            remedy="Run the attack on such images",
        )
    return pattern
