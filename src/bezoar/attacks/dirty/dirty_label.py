"""Dirty label: the textbook backdoor. Stamp samples of the source classes and relabel them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, get_args

from bezoar.attacks.base import ATTACKS, Progress
from bezoar.attacks.change import Plan, stamped
from bezoar.attacks.choose import Relabel, label_map
from bezoar.attacks.data_attack import DataAttack, require_choice
from bezoar.attacks.fit import require_images
from bezoar.data.dataset import Dataset
from bezoar.triggers.about import About
from bezoar.triggers.base import Trigger


@ATTACKS.register("dirty-label")
@dataclass(frozen=True, kw_only=True)
class DirtyLabel(DataAttack):
    """Stamps samples of the source classes with any trigger and labels them as the target.

    `relabel` all-to-one gives every poison the `target`; all-to-all gives class y the next class y+1, the
    last one the first, and has no target. `rate` is a share of ALL samples of the original set. The other
    fields are those of every attack on data.

    Which samples are drawn depends on their ids and the seed only, not on the order of the data. On data
    sorted by class, replacing leaves poisons among the samples of their old class, which the order shows:
    shuffle such data first.

    Gu et al. 2017, BadNets, arXiv 1708.06733; there all classes are sources in all-to-all, here they may
    be limited. Raises AttackError when it cannot be carried out, TriggerError when the trigger does not fit.
    """

    trigger: Trigger
    relabel: Relabel = "all-to-one"

    about: ClassVar[About] = About("visible, dirty label", "Gu et al. 2017, BadNets, arXiv 1708.06733")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("relabel", self.relabel, get_args(Relabel))

    def relabelling(self, class_names: Sequence[str]) -> dict[int, int]:
        """Target label of each source label. Raises UsageError for unknown classes, AttackError when none is left."""
        return label_map(class_names, sources=self.sources, target=self.target, relabel=self.relabel)

    def require_fit(self, data: Dataset) -> None:
        """As DataAttack says, and for a target missing or unwanted."""
        super().require_fit(data)
        self.relabelling(data.class_names)

    def plan(self, data: Dataset, *, seed: int, progress: Progress) -> Plan:
        """Draw samples of the source classes, to be stamped and relabelled."""
        require_images(data, self.trigger)
        ids = self.poison_ids(data, seed=seed)
        return self.planned(data, (stamped(ids, self.new_labels(data, ids), self.trigger),), self.trigger, seed=seed)
