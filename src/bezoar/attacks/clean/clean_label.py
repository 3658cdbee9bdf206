"""Clean label: poisons are samples of the target class, and every label stays right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bezoar.attacks.base import ATTACKS, Progress
from bezoar.attacks.change import Plan, stamped
from bezoar.attacks.choose import class_number, draw_samples, poison_count
from bezoar.attacks.composing.layout import Placement
from bezoar.attacks.data_attack import DataAttack
from bezoar.attacks.fit import require_images
from bezoar.data.dataset import Dataset
from bezoar.errors import AttackError
from bezoar.triggers.about import About
from bezoar.triggers.base import Trigger


@dataclass(frozen=True, kw_only=True)
class CleanLabelAttack(DataAttack):
    """What clean-label attacks share: `rate` is a share of the TARGET CLASS, from which all poisons are drawn.

    Poisons replace their originals unless told otherwise, since a clean copy beside each would give it away.
    """

    placement: Placement = "replace"

    def require_fit(self, data: Dataset) -> None:
        """Raise AttackError for unknown classes, and for a target class too small for the poisons or of no poison."""
        self._amount(data)

    def poison_ids(self, data: Dataset, *, seed: int) -> tuple[str, ...]:
        """Ids, sorted, of the samples that become poisons: of the target class. Raises AttackError for too few."""
        label, count = self._amount(data)
        return draw_samples(data, (label,), count, np.random.default_rng([seed, 0]))

    def new_labels(self, data: Dataset, ids: tuple[str, ...]) -> tuple[int, ...]:
        """The labels that these samples have, and keep."""
        return tuple(data.labels[data.positions(ids)].tolist())

    def _amount(self, data: Dataset) -> tuple[int, int]:
        """The target's label, and how many of its samples become poisons."""
        self.relabelling(data.class_names)  # raises for a missing or unknown target
        assert self.target is not None
        label = class_number(data.class_names, self.target)
        members = data.class_counts[label]
        if members == 0:
            raise AttackError(f"{data.name} has no sample of the target class {self.target!r}")
        count = poison_count(members, rate=self.rate, count=self.count)
        if count > members:
            raise AttackError(
                f"the target class {data.class_names[label]!r} holds fewer samples than poisons are wanted",
                expected=f"at most {members}",
                found=str(count),
                remedy="Clean-label poisons are samples of the target class: lower the count",
            )
        return label, count


@ATTACKS.register("clean-label")
@dataclass(frozen=True, kw_only=True)
class CleanLabel(CleanLabelAttack):
    """Stamps samples of the target class with any trigger and leaves every label right.

    Needs a trigger that the model must look at to learn the class, or a large share of the class: on its own
    features alone the model learns the class as well. The plain baseline of Turner et al. 2019,
    arXiv 1912.02771, section 3.
    """

    trigger: Trigger

    about: ClassVar[About] = About("clean label", "Turner et al. 2019, arXiv 1912.02771 (baseline)", ("samples",))

    def plan(self, data: Dataset, *, seed: int, progress: Progress) -> Plan:
        """Draw samples of the target class, to be stamped."""
        require_images(data, self.trigger)
        ids = self.poison_ids(data, seed=seed)
        return self.planned(data, (stamped(ids, self.new_labels(data, ids), self.trigger),), self.trigger, seed=seed)
