"""Noise learnt from the target class, added to the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bezoar.errors import TriggerError
from bezoar.shapes import Images
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS
from bezoar.triggers.checks import require_between
from bezoar.triggers.learnt import LearntTrigger
from bezoar.triggers.stamp import adding, press


@TRIGGERS.register("narcissus")
@dataclass(frozen=True)
class NarcissusNoise(LearntTrigger):
    """Adds noise that the attack `narcissus` learnt from the target class, `strength` times, and clips.

    The noise, `pattern` (c, h, w) on the scale -255..255, fits images of that height, width and number of
    channels only: at another size the network would see another noise. An alpha channel that the noise lacks
    is left alone.

    Zeng et al. 2022, Narcissus, arXiv 2204.05255; 3 is their strength at test time. Raises TriggerError for a
    strength outside 0..255, and for images of another size.
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
        pattern = self.tensors["pattern"].to(torch.float64)
        if images.shape[1] == 4 and len(pattern) == 3:
            pattern = torch.cat([pattern, torch.zeros_like(pattern[:1])])
        if pattern.shape != images.shape[1:]:
            raise TriggerError(
                "narcissus: the noise was learnt for images of another size",
                expected=f"shape (n, {', '.join(map(str, pattern.shape))})",
                found=f"shape {tuple(images.shape)}",
                remedy="Bring the images to the size of those that the attack was given, or run the attack on these",
            )
        press(images, adding(pattern * self.strength, torch.ones_like(pattern[0])))
        return images
