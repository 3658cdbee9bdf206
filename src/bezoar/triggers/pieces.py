"""Random pieces of another trigger."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from bezoar.errors import TriggerError
from bezoar.shapes import Images
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS, ImageTrigger
from bezoar.triggers.checks import require_at_least, require_between
from bezoar.triggers.inner import drawn_subset, inner_trigger
from bezoar.triggers.stamp import parts


@TRIGGERS.register("pieces")
@dataclass(frozen=True)
class Pieces(ImageTrigger):
    """Cuts another trigger into a grid of pieces and puts a random share of them on each image.

    `trigger` is the specification of any trigger that has nothing to learn, by default the noise `blend`; a
    comma in it is written %2C, as in pieces:trigger=blend:ratio=0.15%2Cseed=3. The grid has `grid` rows and
    columns of pieces, equal but for a pixel where the image's size is no multiple. `share` of them, rounded
    half up, keep the trigger; in the others the image stays bit for bit as it was. Which ones is drawn for
    each image from `seed` and its content: the same in every batch, and the same for identical images.

    Qi et al. 2023, Revisiting the Assumption of Latent Separability for Backdoor Defenses, who put a random
    half of 4 x 4 pieces of a blended picture on each poison. They draw independently of the content.
    Raises TriggerError for a share of no piece at all, and for images smaller than the grid.
    """

    trigger: str = "blend"
    grid: int = 4
    share: float = 0.5
    seed: int = 0
    whole: ImageTrigger = field(init=False, repr=False, compare=False)

    about: ClassVar[About] = About("evasive", "Qi et al. 2023, Revisiting Latent Separability, ICLR 2023")
    adds_pattern: ClassVar[bool] = False
    varies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_at_least("pieces", "grid", self.grid, 1)
        require_between("pieces", "share", self.share, 0, 1)
        require_at_least("pieces", "seed", self.seed, 0)
        if self.kept < 1:
            raise TriggerError(
                f"pieces: a share of {self.share:g} of {self.grid**2} pieces rounds to none",
                expected=f"{0.5 / self.grid**2:.3g} to 1",
                found=str(self.share),
            )
        object.__setattr__(self, "whole", inner_trigger("pieces", self.trigger))

    @property
    def kept(self) -> int:
        """How many pieces each image gets."""
        return math.floor(self.share * self.grid**2 + 0.5)

    def apply(self, images: Images) -> Images:
        """Put the trigger on all images, and keep it where a piece was drawn."""
        if min(images.shape[2:]) < self.grid:
            raise TriggerError(
                "pieces: the images are smaller than the grid",
                expected=f"{self.grid} rows and columns at least",
                found=f"{images.shape[2]}x{images.shape[3]} (height x width)",
                remedy="Lower grid",
            )
        for part in parts(len(images), images[0].numel()):
            block = images[part]
            images[part] = torch.where(self.mask(block)[:, None], self.whole(block), block)
        return images

    def mask(self, images: Images) -> Tensor:
        """Where each image gets the trigger, (n, h, w) of True and False."""
        drawn = drawn_subset(images, self.grid**2, chosen=self.kept, seed=self.seed)
        rows, columns = (
            torch.arange(size, device=images.device) * self.grid // size for size in (images.shape[2], images.shape[3])
        )
        return drawn[:, rows[:, None] * self.grid + columns]
