"""What all attacks on data share: whom they poison, how many, and where the poisons go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from bezoar.attacks.base import Backdoor, Poisoned, Progress, attack_spec, unheard
from bezoar.attacks.change import Change, Plan
from bezoar.attacks.choose import class_number, draw_samples, label_map, poison_count, require_amount
from bezoar.attacks.composing.compose import compose, require_unmarked
from bezoar.attacks.composing.layout import Placement
from bezoar.attacks.fields import require_seed
from bezoar.data.dataset import Dataset
from bezoar.errors import AttackError
from bezoar.triggers.base import Trigger


@dataclass(frozen=True, kw_only=True)
class DataAttack(ABC):
    """An attack on data: an author writes `plan`, and everything around it is done here.

    `sources` are the classes from which the trigger shall lead to the `target`, none of them meaning all but the
    target; a target among them is left out. Exactly one of `rate` and `count` says how many samples are poisoned.
    Placement `add` adds poisons to the benign data, `replace` puts them in place of their originals, in the same
    rows. Data already marked by a drill are refused unless `allow_marked`, for two drills can only be undone one
    after the other. The copy is memory-mapped above `memory_share` of RAM; a SaturationWarning comes when more
    than `warn_above` of the trigger was swallowed.
    """

    target: str | None = None
    sources: tuple[str, ...] = ()
    rate: float | None = None
    count: int | None = None
    placement: Placement = "add"
    allow_marked: bool = False
    memory_share: float = 0.25
    warn_above: float = 0.25

    def __post_init__(self) -> None:
        require_amount(self.rate, self.count)
        require_choice("placement", self.placement, get_args(Placement))

    def relabelling(self, class_names: Sequence[str]) -> dict[int, int]:
        """Target label of each source label. Raises UsageError for unknown classes, AttackError when none is left."""
        return label_map(class_names, sources=self.sources, target=self.target, relabel="all-to-one")

    def require_fit(self, data: Dataset) -> None:
        """Raise UsageError for classes that `data` does not have, AttackError for no poison, before it costs time.

        `plan` has the last word: what this lets through may be refused there.
        """
        for name in (*self.sources, *(() if self.target is None else (self.target,))):
            class_number(data.class_names, name)
        poison_count(len(data), rate=self.rate, count=self.count)

    def poison(self, data: Dataset, *, seed: int, progress: Progress = unheard) -> Poisoned:
        """Poison a copy of `data`, which stays as it is; the same seed gives the same poisons.

        Where something is learnt for them, that holds on the same machine with the same number of threads.
        Raises AttackError when it cannot be carried out, TriggerError when the trigger does not fit.
        """
        require_seed(seed)
        if not self.allow_marked:
            require_unmarked(data)
        plan = self.plan(data, seed=seed, progress=progress)
        if not isinstance(plan, Plan):
            raise AttackError(f"{type(self).__name__}.plan gave no plan", expected="a Plan", found=type(plan).__name__)
        return compose(data, plan, memory_share=self.memory_share, warn_above=self.warn_above)

    def poison_ids(self, data: Dataset, *, seed: int) -> tuple[str, ...]:
        """Ids, sorted, of the samples that become poisons: of the source classes. Raises AttackError for too few."""
        sources = tuple(self.relabelling(data.class_names))
        count = poison_count(len(data), rate=self.rate, count=self.count)
        return draw_samples(data, sources, count, np.random.default_rng([seed, 0]))

    def new_labels(self, data: Dataset, ids: tuple[str, ...]) -> tuple[int, ...]:
        """The labels that samples of the source classes get as poisons."""
        relabelling = self.relabelling(data.class_names)
        return tuple(relabelling[label] for label in data.labels[data.positions(ids)].tolist())

    def planned(self, data: Dataset, changes: tuple[Change, ...], trigger: Trigger, *, seed: int) -> Plan:
        """The plan of these changes, with one backdoor from the sources to the target."""
        backdoor = Backdoor(trigger, self.relabelling(data.class_names))
        return Plan(changes, (backdoor,), self.placement, attack_spec(self), seed)

    @abstractmethod
    def plan(self, data: Dataset, *, seed: int, progress: Progress) -> Plan:
        """Decide which samples become what. Draws come from generators seeded with [seed, number]; ids are drawn
        with `choose.draw_samples`, so that the order of the data does not matter.
        """


def require_choice(name: str, value: object, known: Sequence[str]) -> None:
    """Raise AttackError unless `value` is among the known ones."""
    if value not in known:
        raise AttackError(f"no {name} is called {value!r}", expected="one of " + ", ".join(known))
