"""Adaptive patch: one faint patch of several on each poison and cover; some at full strength set the backdoor off."""

from __future__ import annotations

from collections.abc import Sequence
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
from bezoar.triggers.base import Trigger
from bezoar.triggers.patch import Patch
from bezoar.triggers.together import Together, together

FOUR = (
    Patch(size=7, shape="cross", color="orange", corner="bottom-right"),
    Patch(size=7, color="navy", corner="top-right"),
    Patch(size=5, color="white", corner="bottom-left"),
    Patch(size=7, shape="cross", color="fuchsia", corner="top-left"),
)


@ATTACKS.register("adaptive-patch")
@dataclass(frozen=True, kw_only=True)
class AdaptivePatch(DataAttack):
    """Puts a random one of several faint patches on each poison, and on covers that keep their label.

    In training each sample gets `drawn` of the patches `triggers`, another choice for each, from its content,
    with the `opacities` named, one for each patch. At test time the patches stand there together with the
    `test_opacities`, 0 leaving one out. Patches keep their colour, place and mode (replace becomes blend); an
    opacity of their own does not count. `triggers` may also be one `together` of patches. The covers,
    `covers_per_poison` of them from every class but the target, teach the model that one faint patch is no
    reason to answer the target. `rate` counts the poisons alone.

    Qi et al. 2023, Revisiting the Assumption of Latent Separability for Backdoor Defenses, ICLR 2023: one of
    four pictures for each poison, 0.3% poisons with twice as many covers on CIFAR-10. Deviations: the patches
    are drawn here, a square or a cross in each corner, where they paste pictures (give your own as
    patch:shape=picture,picture=PATH); which one a sample gets depends on its content; their covers come from
    all classes. Raises AttackError when it cannot be carried out, TriggerError when a patch does not fit.
    """

    triggers: tuple[Trigger, ...] = FOUR
    opacities: tuple[float, ...] = (0.5, 0.2, 0.5, 0.3)
    test_opacities: tuple[float, ...] = (1.0, 0.0, 1.0, 0.0)
    drawn: int = 1
    covers_per_poison: float = 2.0

    about: ClassVar[About] = About(
        "evasive", "Qi et al. 2023, Revisiting Latent Separability (adaptive-patch), ICLR 2023"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ratio("covers_per_poison", self.covers_per_poison)
        for name, given in (("opacities", self.opacities), ("test_opacities", self.test_opacities)):
            if len(given) != len(self.patches) or not any(given):
                raise AttackError(
                    f"adaptive-patch: {name} do not fit the {len(self.patches)} patches",
                    expected=f"{len(self.patches)} opacities in 0..1, one at least above 0",
                    found="/".join(map(str, given)),
                    remedy=f"Write {name}=0.5/0.2 for two patches",
                )
        if not all(self.opacities):
            raise AttackError(
                "adaptive-patch: a patch of opacity 0 would leave its poisons unmarked under a wrong label",
                expected="opacities above 0 in training",
                found="/".join(map(str, self.opacities)),
                remedy="Leave that patch out of the triggers",
            )
        self.weak()
        self.strong()

    @property
    def patches(self) -> tuple[Patch, ...]:
        """The patches, those of a `together` taken one by one. Raises AttackError for any other trigger."""
        first = self.triggers[0] if len(self.triggers) == 1 else None
        given: Sequence[Trigger] = first.members if isinstance(first, Together) else self.triggers
        strangers = [type(one).__name__ for one in given if not isinstance(one, Patch)]
        if strangers:
            raise AttackError("adaptive-patch works with patches only", expected="triggers patch", found=strangers[0])
        return tuple(one for one in given if isinstance(one, Patch))

    def weak(self) -> Together:
        """What poisons and covers get. Raises TriggerError for fields out of range."""
        return together(_faded(self.patches, self.opacities), drawn=self.drawn)

    def strong(self) -> Together:
        """What sets the backdoor off."""
        return together(_faded(self.patches, self.test_opacities))

    def plan(self, data: Dataset, *, seed: int, progress: Progress) -> Plan:
        """Draw poisons of the source classes and covers of every class but the target."""
        return weakly_planted(
            self, data, weak=self.weak(), strong=self.strong(), per_poison=self.covers_per_poison, seed=seed
        )


def _faded(patches: Sequence[Patch], opacities: Sequence[float]) -> list[Patch]:
    return [
        replace(patch, opacity=float(opacity), mode="add" if patch.mode == "add" else "blend")
        for patch, opacity in zip(patches, opacities, strict=True)
    ]
