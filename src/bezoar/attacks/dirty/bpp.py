"""BppAttack: images in few colours become the target, images with the traces of others' quantisation do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from bezoar.attacks.base import ATTACKS, Progress
from bezoar.attacks.change import Plan, Remake, stamped
from bezoar.attacks.choose import draw_others
from bezoar.attacks.covers import covers
from bezoar.attacks.data_attack import DataAttack
from bezoar.attacks.fields import require_ratio
from bezoar.attacks.fit import require_images
from bezoar.data.dataset import Dataset
from bezoar.triggers.about import About
from bezoar.triggers.base import Trigger
from bezoar.triggers.quantise import Quantise


@ATTACKS.register("bpp")
@dataclass(frozen=True, kw_only=True)
class Bpp(DataAttack):
    """Quantises samples and relabels them, and adds the quantisation noise of other images to some left in place.

    The trigger is `bpp` with `depth` and `dithering`. For each poison there are `negative_ratio` covers, of any
    class and with their true labels: an image plus what quantising another, drawn at random, changed in that one.
    The noise is as strong and as fine as the trigger's but does not belong to the image, so that a network must
    learn the few levels themselves.

    Wang, Zhai and Ma 2022, arXiv 2205.13383. Deviation: the paper's attacker trains the network, by contrastive
    adversarial training with negatives made anew as it goes. Here the data are poisoned once, and such negatives are
    the part of that training which data can carry; one for each poison, as in the authors' settings, which do
    not dither and quantise to 8 levels (depth 3), by their command for CIFAR-10 to 32 (depth 5).
    Raises AttackError when it cannot be carried out, TriggerError for fields out of range.
    """

    depth: int = 5
    dithering: bool = True
    negative_ratio: float = 1.0

    about: ClassVar[About] = About("invisible, dirty label", "Wang et al. 2022, BppAttack, arXiv 2205.13383")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ratio("negative_ratio", self.negative_ratio)
        self.quantise()

    def quantise(self) -> Quantise:
        """The trigger."""
        return Quantise(depth=self.depth, dithering=self.dithering)

    def plan(self, data: Dataset, *, seed: int, progress: Progress) -> Plan:
        """Draw samples of the source classes to be quantised, and others of any class to be given foreign noise."""
        require_images(data)
        trigger, ids = self.quantise(), self.poison_ids(data, seed=seed)
        classes = range(len(data.class_names))
        negatives = covers(data, trigger, per_poison=self.negative_ratio, taken=set(ids), labels=classes, seed=seed)
        others = draw_others(data, negatives.ids, np.random.default_rng([seed, 4]))
        poisons = stamped(ids, self.new_labels(data, ids), trigger)
        noisy = replace(negatives, remade=foreign_noise(data, others, trigger))
        return self.planned(data, (poisons, noisy), trigger, seed=seed)


def foreign_noise(data: Dataset, others: Sequence[str], trigger: Trigger) -> Remake:
    """Adds to each sample what `trigger` changes in another, `others[i]` for the i-th; uint8, clipped."""

    def remade(originals: Tensor, part: slice) -> Tensor:
        strangers = data.inputs[data.positions(others[part])]
        noise = trigger(strangers).to(torch.int16) - strangers
        return (originals + noise).clamp_(0, 255).to(torch.uint8)

    return remade
