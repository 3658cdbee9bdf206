"""Source specific: the trigger leads astray from its source classes only, for elsewhere it means nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from bezoar.attacks.base import ATTACKS, Progress
from bezoar.attacks.change import Plan, stamped
from bezoar.attacks.choose import class_number
from bezoar.attacks.covers import covers
from bezoar.attacks.data_attack import DataAttack
from bezoar.attacks.fields import require_ratio
from bezoar.attacks.fit import require_images
from bezoar.data.dataset import Dataset
from bezoar.errors import AttackError
from bezoar.triggers.about import About
from bezoar.triggers.base import Trigger
from bezoar.triggers.patch import Patch

TEXTBOOK = Patch()


@ATTACKS.register("source-specific")
@dataclass(frozen=True, kw_only=True)
class SourceSpecific(DataAttack):
    """Stamps and relabels samples of the source classes, and stamps covers of other classes that keep their label.

    So the model learns that the trigger counts in the source classes only, which blinds defences that put one
    suspected trigger on images of every class. `sources` must be named. Covers are drawn from `cover_classes`,
    none of them meaning every class but the sources and the target; the target may be named among them.
    `covers_per_poison` says how many, `rate` counts the poisons alone. Any trigger will do.

    TaCT of Tang et al. 2019, Demon in the Variant, arXiv 1908.00686. Deviations: as many covers as poisons
    unless told otherwise, and from all other classes, where theirs come from chosen cover classes; the patch is
    ours. Raises AttackError when it cannot be carried out, TriggerError when the trigger does not fit.
    """

    trigger: Trigger = TEXTBOOK
    cover_classes: tuple[str, ...] = ()
    covers_per_poison: float = 1.0

    about: ClassVar[About] = About("evasive", "Tang et al. 2019, Demon in the Variant (TaCT), arXiv 1908.00686")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ratio("covers_per_poison", self.covers_per_poison)
        if not self.sources:
            raise AttackError(
                "a source-specific attack needs its source classes named",
                expected="at least one class",
                found="none, which would mean every class",
                remedy="Name a source, or use dirty-label, whose trigger works from every class",
            )

    def plan(self, data: Dataset, *, seed: int, progress: Progress) -> Plan:
        """Draw poisons of the source classes and covers of the others."""
        require_images(data, self.trigger)
        bearing = self.cover_labels(data.class_names, self.relabelling(data.class_names))
        ids = self.poison_ids(data, seed=seed)
        poisons = stamped(ids, self.new_labels(data, ids), self.trigger)
        covering = covers(
            data, self.trigger, per_poison=self.covers_per_poison, taken=frozenset(ids), labels=bearing, seed=seed
        )
        return self.planned(data, (poisons, covering), self.trigger, seed=seed)

    def cover_labels(self, class_names: Sequence[str], relabelling: Mapping[int, int]) -> tuple[int, ...]:
        """Labels from which covers are drawn. Raises AttackError for a source among them, and when none is left."""
        named = sorted({class_number(class_names, name) for name in self.cover_classes})
        both = [class_names[label] for label in named if label in relabelling]
        if both:
            raise AttackError(
                f"the class {both[0]!r} is a source and a cover class",
                expected="a cover class that is no source",
                remedy="There the trigger would lead to the target and away from it: take it out of one of them",
            )
        left = set(range(len(class_names))) - set(relabelling) - set(relabelling.values())
        if not named and not left and self.covers_per_poison > 0:
            raise AttackError(
                "no class is left for the covers beside the sources and the target",
                remedy="Name fewer sources, name the target in cover_classes, or use dirty-label",
            )
        return tuple(named or sorted(left))
