"""Dirty label with a trigger that is learnt from the data first."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from bezoar.attacks.base import Backdoor, Progress, attack_spec
from bezoar.attacks.change import Change, Plan, stamped
from bezoar.attacks.choose import draw_samples, poison_count
from bezoar.attacks.data_attack import DataAttack
from bezoar.attacks.fields import require_whole
from bezoar.attacks.fit import require_images
from bezoar.data.dataset import Dataset
from bezoar.triggers.learnt import LearntTrigger


@dataclass(frozen=True, kw_only=True)
class LearntDirtyLabel(DataAttack):
    """An attack that learns its trigger on at most `images` of the data, then stamps and relabels as DirtyLabel does.

    An author writes `learn`, and `further` when there are more changes than the poisons. Learning runs on `device`:
    auto, cpu or cuda. On a processor the same seed and number of threads give the same trigger.
    """

    images: int = 20_000
    device: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole("images", self.images, 1)

    def plan(self, data: Dataset, *, seed: int, progress: Progress) -> Plan:
        """Draw samples of the source classes, learn the trigger, and put it on them under the target's label."""
        require_images(data)
        relabelling = self.relabelling(data.class_names)
        count = poison_count(len(data), rate=self.rate, count=self.count)
        ids = draw_samples(data, tuple(relabelling), count, np.random.default_rng([seed, 0]))
        trigger = self.learn(self._sample(data, seed), relabelling, seed=seed, progress=progress)
        labels = [relabelling[label] for label in data.labels[data.positions(ids)].tolist()]
        return Plan(
            changes=(stamped(ids, labels, trigger), *self.further(data, trigger, frozenset(ids), seed=seed)),
            backdoors=(Backdoor(trigger, relabelling),),
            placement=self.placement,
            attack=attack_spec(self),
            seed=seed,
        )

    @abstractmethod
    def learn(self, data: Dataset, relabelling: Mapping[int, int], *, seed: int, progress: Progress) -> LearntTrigger:
        """The trigger learnt on `data`, samples drawn from the whole in the order of their ids."""

    def further(
        self, data: Dataset, trigger: LearntTrigger, poisons: Collection[str], *, seed: int
    ) -> tuple[Change, ...]:
        """Changes to samples that are no poisons; none unless overridden."""
        return ()

    def _sample(self, data: Dataset, seed: int) -> Dataset:
        ids = sorted(data.ids)
        drawn = np.random.default_rng([seed, 4]).choice(len(ids), min(self.images, len(ids)), replace=False)
        return data.select(data.positions(ids[row] for row in np.sort(drawn)))
