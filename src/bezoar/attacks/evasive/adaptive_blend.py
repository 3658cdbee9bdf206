"""Adaptive blend: pieces of a faint picture on poisons and covers alike; the whole picture sets the backdoor off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from bezoar.attacks.base import ATTACKS, Progress
from bezoar.attacks.change import Plan
from bezoar.attacks.data_attack import DataAttack
from bezoar.attacks.evasive.adaptive import weakly_planted
from bezoar.attacks.fields import require_ratio
from bezoar.data.dataset import Dataset
from bezoar.errors import AttackError
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS, Trigger
from bezoar.triggers.blend import Blend
from bezoar.triggers.pieces import Pieces

NOISE = Blend()


@ATTACKS.register("adaptive-blend")
@dataclass(frozen=True, kw_only=True)
class AdaptiveBlend(DataAttack):
    """Blends a random half of a picture's pieces, faintly, into poisons and into covers that keep their label.

    `trigger`, a blend, is what sets the backdoor off at test time: whole, and at its own ratio. In training
    each sample gets `share` of its `grid` x `grid` pieces at `training_ratio`, another choice for each, from its
    content. The covers, `covers_per_poison` of them from every class but the target, teach the model that a
    weak sign of the trigger is no reason to answer the target; so poisons lie among the clean samples in its
    latent space. `rate` counts the poisons alone.

    Qi et al. 2023, Revisiting the Assumption of Latent Separability for Backdoor Defenses, ICLR 2023: ratios
    0.15 and 0.2, half of 16 pieces, and 0.3% poisons with as many covers on CIFAR-10. Deviations: they blend a
    cartoon cat, here it is uniform noise unless the trigger names a picture; their pieces do not depend on the
    content; their covers come from all classes. Raises AttackError when it cannot be carried out, TriggerError when
    the trigger does not fit.
    """

    trigger: Trigger = NOISE
    training_ratio: float = 0.15
    grid: int = 4
    share: float = 0.5
    covers_per_poison: float = 1.0

    about: ClassVar[About] = About(
        "evasive", "Qi et al. 2023, Revisiting Latent Separability (adaptive-blend), ICLR 2023"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ratio("covers_per_poison", self.covers_per_poison)
        if not isinstance(self.trigger, Blend):
            raise AttackError(
                "adaptive-blend weakens a blend, and no other trigger",
                expected="a trigger blend, as blend:picture=cat.png,ratio=0.2",
                found=type(self.trigger).__name__,
            )
        self.weak()

    def weak(self) -> Pieces:
        """The trigger that poisons and covers get. Raises TriggerError for fields out of range."""
        assert isinstance(self.trigger, Blend)
        faint = replace(self.trigger, ratio=self.training_ratio)
        return Pieces(TRIGGERS.spec_of(faint), grid=self.grid, share=self.share)

    def plan(self, data: Dataset, *, seed: int, progress: Progress) -> Plan:
        """Draw poisons of the source classes and covers of every class but the target."""
        return weakly_planted(
            self, data, weak=self.weak(), strong=self.trigger, per_poison=self.covers_per_poison, seed=seed
        )
