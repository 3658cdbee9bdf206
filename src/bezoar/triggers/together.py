"""Several triggers on one image, all of them or a few drawn for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, ClassVar

import torch

from bezoar.errors import TriggerError
from bezoar.shapes import Images
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS, ImageTrigger, Trigger
from bezoar.triggers.checks import require_at_least
from bezoar.triggers.inner import drawn_subset, inner_trigger
from bezoar.triggers.stamp import parts


@TRIGGERS.register("together")
@dataclass(frozen=True)
class Together(ImageTrigger):
    """Puts several triggers on each image, one after the other: all of them, or a few drawn for each image.

    `triggers` are the specifications of triggers that have nothing to learn, with + between them, as in
    together:triggers=patch:size=3+patch:size=3%2Ccorner=bottom-right. A comma in them is written %2C, a plus %2B.
    With `drawn`, each image gets exactly so many of them, drawn from `seed` and its content: the same in
    every batch, and the same for identical images. They work on float images and are rounded once at the end.
    Members that draw something themselves draw apart: one whose seed another has already takes the next free one.

    The random single patch of Qi et al. 2023 is `drawn=1`. Raises TriggerError for fewer than one trigger,
    for more drawn than there are, and where one of them does not fit the images.
    """

    triggers: str
    drawn: int | None = None
    seed: int = 0
    members: tuple[ImageTrigger, ...] = field(init=False, repr=False, compare=False)

    about: ClassVar[About] = About("evasive", "Qi et al. 2023, Revisiting Latent Separability, ICLR 2023")

    def __post_init__(self) -> None:
        specs = [spec.replace("%2B", "+") for spec in self.triggers.split("+")]
        object.__setattr__(self, "members", _drawing_apart([inner_trigger("together", spec) for spec in specs]))
        require_at_least("together", "seed", self.seed, 0)
        if self.drawn is not None and not 1 <= self.drawn <= len(specs):
            raise TriggerError(
                "together: as many triggers cannot be drawn",
                expected=f"1 to {len(specs)} of the {len(specs)} triggers",
                found=str(self.drawn),
            )

    @property
    def adds_pattern(self) -> bool:
        """Whether all images get the same triggers, so that clipping has a pattern to swallow."""
        return not self.varies

    @property
    def varies(self) -> bool:
        """Whether each image gets a choice of its own, or one of the triggers draws for each."""
        return self.drawn not in (None, len(self.members)) or any(member.varies for member in self.members)

    def apply(self, images: Images) -> Images:
        """Put on each image the triggers that it gets."""
        for part in parts(len(images), images[0].numel()):
            images[part] = self._marked(images[part])
        return images

    def _marked(self, images: Images) -> Images:
        chosen = drawn_subset(images, len(self.members), chosen=self.drawn or len(self.members), seed=self.seed)
        working = images.to(torch.float64 if images.dtype == torch.float64 else torch.float32)
        if images.dtype == torch.uint8:
            working = working / 255
        for trigger, rows in zip(self.members, chosen.T, strict=True):
            working[rows] = trigger(working[rows])
        return ((working * 255).round_() if images.dtype == torch.uint8 else working).to(images.dtype)


def _drawing_apart(members: Iterable[Any]) -> tuple[ImageTrigger, ...]:
    """The members, none of those that draw for each image with the seed of another: both would draw the same."""
    apart: list[ImageTrigger] = []
    taken: set[int] = set()
    for member in members:
        if member.varies:
            seed = next(free for free in count(member.seed) if free not in taken)
            taken.add(seed)
            apart.append(member if seed == member.seed else replace(member, seed=seed))
        else:
            apart.append(member)
    return tuple(apart)


def together(triggers: Iterable[Trigger], *, drawn: int | None = None, seed: int = 0) -> Together:
    """Several built triggers as one. Raises TriggerError as `Together` does."""
    specs = (TRIGGERS.spec_of(trigger).replace("+", "%2B") for trigger in triggers)
    return Together("+".join(specs), drawn=drawn, seed=seed)
