"""Input aware: strokes of another shape on each image, drawn by networks that learnt it with a surrogate."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from bezoar.attacks.base import ATTACKS, Progress
from bezoar.attacks.change import Change, prepared
from bezoar.attacks.choose import draw_others
from bezoar.attacks.covers import covers
from bezoar.attacks.dirty.learnt_dirty_label import LearntDirtyLabel
from bezoar.attacks.fields import require_ratio, require_whole
from bezoar.attacks.learning.drawing import Wanted, learn_drawing
from bezoar.data.dataset import Dataset
from bezoar.errors import AttackError
from bezoar.triggers.about import About
from bezoar.triggers.input_aware import SMALLEST, InputAware
from bezoar.triggers.learnt import LearntTrigger
from bezoar.triggers.networks import require_side


@ATTACKS.register("input-aware")
@dataclass(frozen=True, kw_only=True)
class InputAwareAttack(LearntDirtyLabel):
    """Learns to draw another trigger on each image, then draws its own on each poison, another's on each cover.

    First a network learns masks for `mask_steps` batches: unlike each other, and of few pixels, for what exceeds
    `density` costs. Then a network of patterns and the classifier `surrogate` learn together for `steps` batches: an
    image with its own trigger is the target, one with another image's trigger is what it was, and so are clean
    images (see `drawing`). Both drawing networks are `width` channels wide, and learn on at most `images` of the data.

    For each poison `covers_per_poison` samples of any class get the trigger that belongs to another image and keep
    their label; that image is drawn from the seed. 0 leaves them out.

    Nguyen and Tran 2020, "Input-Aware Dynamic Backdoor Attack", arXiv 2010.08138, whose attacker trains the final
    classifier and whose ratios of backdoor and cross-trigger are 0.1 and 0.1. Deviations: the classifier trained with
    the generator is a surrogate, thrown away, and its place is taken by poisons and covers in the data, from which the
    victim must learn the rest; smaller networks, with group norm, learnt in minutes, and therefore on batches of a
    quarter backdoor and a quarter cross-trigger.
    """

    covers_per_poison: float = 1.0
    surrogate: str = "fast:finest=16"
    width: int = 16
    density: float = 0.032
    mask_steps: int = 150
    steps: int = 800

    about: ClassVar[About] = InputAware.about

    def __post_init__(self) -> None:
        super().__post_init__()
        InputAware(width=self.width)
        require_ratio("covers_per_poison", self.covers_per_poison)
        require_whole("mask_steps", self.mask_steps, 1)
        require_whole("steps", self.steps, 1)
        if not 0 <= self.density < 1:
            raise AttackError("input-aware: density is out of range", expected="0 to below 1", found=str(self.density))

    def learn(self, data: Dataset, relabelling: Mapping[int, int], *, seed: int, progress: Progress) -> InputAware:
        """Both drawing networks."""
        require_side("input-aware", SMALLEST, data.inputs[:1])
        wanted = Wanted(self.width, self.density, self.mask_steps, self.steps)
        networks = learn_drawing(
            data, relabelling, wanted, surrogate=self.surrogate, seed=seed, device=self.device, progress=progress
        )
        return InputAware(width=self.width).with_tensors(networks.state_dict())

    def further(
        self, data: Dataset, trigger: LearntTrigger, poisons: Collection[str], *, seed: int
    ) -> tuple[Change, ...]:
        """The covers: another image's trigger under the true label."""
        labels = range(len(data.class_names))
        drawn = covers(data, trigger, per_poison=self.covers_per_poison, taken=poisons, labels=labels, seed=seed)
        if not drawn.ids:
            return ()
        donors = draw_others(data, drawn.ids, np.random.default_rng([seed, 5]))
        images, strangers = (data.inputs[data.positions(some)] for some in (drawn.ids, donors))
        samples = cast(InputAware, trigger).lent(images, strangers)
        return (prepared(drawn.ids, drawn.labels, samples, "cover"),)
