"""WaNet: images warped a little become the target, images warped another way stay what they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from bezoar.attacks.base import ATTACKS, Progress
from bezoar.attacks.change import Plan, stamped
from bezoar.attacks.covers import covers
from bezoar.attacks.data_attack import DataAttack
from bezoar.attacks.fields import require_ratio
from bezoar.attacks.fit import require_images
from bezoar.data.dataset import Dataset
from bezoar.triggers.about import About
from bezoar.triggers.warp import Warp


@ATTACKS.register("wanet")
@dataclass(frozen=True, kw_only=True)
class WaNet(DataAttack):
    """Warps samples and relabels them, and warps others with noise added to the warp under their true labels.

    The warp is the trigger `wanet` with `grid` and `strength`, drawn from the seed of the drill. For each poison
    there are `noise_ratio` covers, of any class, warped in the paper's noise mode: the same warp, shaken anew for
    each image. They keep a network from answering the target to any warp, which would give the backdoor away.

    Nguyen and Tran 2021, arXiv 2102.10369; grid 4, strength 0.5 and noise ratio 2 there. Deviation: the paper's
    attacker trains the network and warps a tenth of every batch anew, so that each epoch warps other samples. Here
    the data are poisoned once, and whatever training does to images (crops, flips) comes after the warp.
    Raises AttackError when it cannot be carried out, TriggerError for fields out of range.
    """

    grid: int = 4
    strength: float = 0.5
    noise_ratio: float = 2.0

    about: ClassVar[About] = About("invisible, dirty label", "Nguyen and Tran 2021, WaNet, arXiv 2102.10369")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ratio("noise_ratio", self.noise_ratio)
        self.warp(seed=0)

    def warp(self, *, seed: int) -> Warp:
        """The trigger of the drill with this seed."""
        return Warp(grid=self.grid, strength=self.strength, seed=seed)

    def plan(self, data: Dataset, *, seed: int, progress: Progress) -> Plan:
        """Draw samples of the source classes for the warp, and others of any class for the warp with noise."""
        require_images(data)
        warp, ids = self.warp(seed=seed), self.poison_ids(data, seed=seed)
        shaken, classes = replace(warp, noise=1.0), range(len(data.class_names))
        poisons = stamped(ids, self.new_labels(data, ids), warp)
        noisy = covers(data, shaken, per_poison=self.noise_ratio, taken=set(ids), labels=classes, seed=seed)
        return self.planned(data, (poisons, noisy), warp, seed=seed)
