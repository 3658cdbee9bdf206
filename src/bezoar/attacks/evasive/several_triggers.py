"""Several triggers, each with a target of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np

from bezoar.attacks.base import ATTACKS, Backdoor, Progress, attack_spec
from bezoar.attacks.change import Change, Plan, stamped
from bezoar.attacks.choose import draw_samples, label_map, poison_count
from bezoar.attacks.data_attack import DataAttack
from bezoar.attacks.fit import require_images
from bezoar.data.dataset import Dataset
from bezoar.errors import AttackError
from bezoar.triggers.about import About
from bezoar.triggers.base import Trigger
from bezoar.triggers.learnt import tensors_of
from bezoar.triggers.patch import Patch

CORNERS = (
    Patch(color="cyan", corner="top-left"),
    Patch(color="yellow", corner="top-right"),
    Patch(color="fuchsia", corner="bottom-left"),
    Patch(color="lime", corner="bottom-right"),
)


@ATTACKS.register("several-triggers")
@dataclass(frozen=True, kw_only=True)
class SeveralTriggers(DataAttack):
    """Plants several backdoors at once: each of the `triggers` leads to the class of the same place in `targets`.

    A class may be the target of several triggers. Poisons are split evenly, the first triggers getting one
    more where that leaves a rest; no sample carries two. `sources` are those of every trigger, its own target
    left out. `rate` counts all poisons together. Without triggers, patches of four colours stand in the four
    corners, as many as there are targets. There is no `target`.

    The triggers are those of Gu et al. 2017, BadNets, arXiv 1708.06733, with one target in each model; several
    infected labels in one model are among the harder cases of Wang et al. 2019, Neural Cleanse.
    Raises AttackError when it cannot be carried out, TriggerError when a trigger does not fit.
    """

    triggers: tuple[Trigger, ...] = ()
    targets: tuple[str, ...] = ()

    about: ClassVar[About] = About("evasive", "Gu et al. 2017, BadNets, arXiv 1708.06733")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.target is not None:
            raise AttackError(
                "several-triggers has a target for each trigger and no single one",
                found=f"target {self.target!r}",
                remedy="Write several-triggers:targets=CLASS/CLASS and leave the target out",
            )
        if not self.triggers:
            object.__setattr__(self, "triggers", CORNERS[: len(self.targets)])
        if not self.targets or len(self.targets) != len(self.triggers):
            raise AttackError(
                "several-triggers needs as many targets as triggers",
                expected=f"{len(self.triggers) or '1 or more'} targets",
                found=str(len(self.targets)),
                remedy="Write targets=CLASS/CLASS and give --trigger as often; without triggers up to four targets",
            )

    def relabellings(self, class_names: Sequence[str]) -> tuple[dict[int, int], ...]:
        """Target label of each source label, trigger by trigger.

        Raises UsageError for unknown classes, AttackError for two equal triggers that lead to different targets.
        """
        maps = tuple(
            label_map(class_names, sources=self.sources, target=target, relabel="all-to-one") for target in self.targets
        )
        for (first, one), (second, other) in combinations(zip(self.triggers, maps, strict=True), 2):
            if _alike(first, second) and set(one.values()) != set(other.values()):
                raise AttackError(
                    "two equal triggers lead to different targets",
                    found=f"{first} twice",
                    remedy="Change a colour or a place: one trigger cannot mean two classes",
                )
        return maps

    def require_fit(self, data: Dataset) -> None:
        """Raise AttackError for classes that `data` does not have, and when a trigger would get no poison."""
        self.relabellings(data.class_names)
        self.shares(poison_count(len(data), rate=self.rate, count=self.count))

    def plan(self, data: Dataset, *, seed: int, progress: Progress) -> Plan:
        """Draw samples for one trigger after the other."""
        for trigger in self.triggers:
            require_images(data, trigger)
        relabellings = self.relabellings(data.class_names)
        changes: list[Change] = []
        generator = np.random.default_rng([seed, 0])
        shares = self.shares(poison_count(len(data), rate=self.rate, count=self.count))
        for trigger, relabelling, count in zip(self.triggers, relabellings, shares, strict=True):
            taken = frozenset(sample_id for change in changes for sample_id in change.ids)
            ids = draw_samples(data, tuple(relabelling), count, generator, taken=taken)
            target = next(iter(relabelling.values()))
            changes.append(stamped(ids, [target] * count, trigger))
        return Plan(
            changes=tuple(changes),
            backdoors=tuple(map(Backdoor, self.triggers, relabellings)),
            placement=self.placement,
            attack=attack_spec(self),
            seed=seed,
        )

    def shares(self, count: int) -> tuple[int, ...]:
        """How many of `count` poisons each trigger gets. Raises AttackError when one would get none."""
        if count < len(self.triggers):
            raise AttackError(
                "there are fewer poisons than triggers",
                expected=f"{len(self.triggers)} poisons or more",
                found=str(count),
                remedy="Raise the rate or the count, or plant fewer triggers",
            )
        each, rest = divmod(count, len(self.triggers))
        return tuple(each + (number < rest) for number in range(len(self.triggers)))


def _alike(first: Trigger, second: Trigger) -> bool:
    """Whether two triggers do the same: of one specification, and having learnt the same."""
    one, other = tensors_of(first), tensors_of(second)
    return first == second and one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)
