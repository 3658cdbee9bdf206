"""Dirty label with a trigger that is learnt from the data first."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from bezoar.attacks.base import Progress
from bezoar.attacks.change import Change, Plan, stamped
from bezoar.attacks.data_attack import DataAttack
from bezoar.attacks.fields import require_whole
from bezoar.attacks.fit import require_images
from bezoar.data.dataset import Dataset
from bezoar.errors import AttackError
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
        require_whole("images", self.images, 2)

    def plan(self, data: Dataset, *, seed: int, progress: Progress) -> Plan:
        """Draw samples of the source classes, learn the trigger, and put it on them under the target's label."""
        require_images(data)
        ids, relabelling = self.poison_ids(data, seed=seed), self.relabelling(data.class_names)
        trigger = self.learn(self._sample(data, relabelling, seed), relabelling, seed=seed, progress=progress)
        poisons = stamped(ids, self.new_labels(data, ids), trigger)
        return self.planned(
            data, (poisons, *self.further(data, trigger, frozenset(ids), seed=seed)), trigger, seed=seed
        )

    @abstractmethod
    def learn(self, data: Dataset, relabelling: Mapping[int, int], *, seed: int, progress: Progress) -> LearntTrigger:
        """The trigger learnt on `data`, samples drawn from the whole in the order of their ids."""

    def further(
        self, data: Dataset, trigger: LearntTrigger, poisons: Collection[str], *, seed: int
    ) -> tuple[Change, ...]:
        """Changes to samples that are no poisons; none unless overridden."""
        return ()

    def _sample(self, data: Dataset, sources: Collection[int], seed: int) -> Dataset:
        """Samples to learn on. Raises AttackError when fewer than two are drawn, or none of the source classes."""
        ids = sorted(data.ids)
        drawn = np.random.default_rng([seed, 4]).choice(len(ids), min(self.images, len(ids)), replace=False)
        sample = data.select(data.positions(ids[row] for row in np.sort(drawn)))
        known = sum(sample.class_counts[source] for source in sources)
        if len(sample) < 2 or not known:
            raise AttackError(
                "too few samples to learn a trigger on",
                expected="two at least, and one of a source class among them",
                found=f"{len(sample)} drawn out of {len(data)}, {known} of the source classes",
                remedy=f"Raise images, now {self.images}" if len(sample) < len(data) else "Give more data",
            )
        return sample
