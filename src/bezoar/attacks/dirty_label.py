"""Dirty label: the textbook backdoor. Stamp samples of the source classes and relabel them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from bezoar.attacks.base import ATTACKS, Poisoned, attack_spec, trigger_spec
from bezoar.attacks.choose import Relabel, draw_samples, label_map, poison_count, require_amount
from bezoar.attacks.compose import Plan, compose, require_seed, require_unmarked
from bezoar.attacks.layout import Placement
from bezoar.data.dataset import Dataset
from bezoar.errors import AttackError
from bezoar.triggers.base import ImageTrigger, Trigger


@ATTACKS.register("dirty-label")
@dataclass(frozen=True, kw_only=True)
class DirtyLabel:
    """Stamps samples of the source classes with a trigger and labels them as the target.

    `sources` are class names, none of them meaning all but the target; a target among them is left out.
    `relabel` all-to-one gives every poison the `target`; all-to-all gives class y the next class y+1, the
    last one the first, and has no target. Exactly one of `rate`, the share of ALL samples of the original
    set, and `count` says how many. Placement `add` adds stamped copies to the benign data, as in the
    textbook; `replace` puts them in place of their originals, in the same rows.

    Which samples are drawn depends on their ids and the seed only, not on the order of the data. On data
    sorted by class, replacing leaves poisons among the samples of their old class, which the order shows:
    shuffle such data first. Data already marked by a drill are refused unless `allow_marked`, for two
    drills can only be undone one after the other. The copy is memory-mapped above `memory_share` of RAM;
    a SaturationWarning comes when more than `warn_above` of the trigger was swallowed.

    Gu et al. 2017, BadNets, arXiv 1708.06733; there all classes are sources in all-to-all, here they may
    be limited. Raises AttackError when it cannot be carried out, TriggerError when the trigger does not fit.
    """

    trigger: Trigger
    target: str | None = None
    sources: tuple[str, ...] = ()
    relabel: Relabel = "all-to-one"
    rate: float | None = None
    count: int | None = None
    placement: Placement = "add"
    allow_marked: bool = False
    memory_share: float = 0.25
    warn_above: float = 0.25

    def __post_init__(self) -> None:
        require_amount(self.rate, self.count)
        _require_one_of("relabel", self.relabel, get_args(Relabel))
        _require_one_of("placement", self.placement, get_args(Placement))

    def relabelling(self, class_names: Sequence[str]) -> dict[int, int]:
        """Target label of each source label. Raises AttackError when classes are unknown or none is left."""
        return label_map(class_names, sources=self.sources, target=self.target, relabel=self.relabel)

    def poison(self, data: Dataset, *, seed: int) -> Poisoned:
        """Poison a copy of `data`, which stays as it is; the same seed gives the same poisons."""
        require_seed(seed)
        if not self.allow_marked:
            require_unmarked(data)
        if isinstance(self.trigger, ImageTrigger) and not data.is_images:
            raise AttackError(
                f"{data.name} holds no images, and the trigger works on images only",
                expected="images (n, c, h, w)",
                found=f"samples of shape {data.shape}",
                remedy="Give a trigger made for such samples, as package.module:Name",
            )
        relabelling = self.relabelling(data.class_names)
        count = poison_count(len(data), rate=self.rate, count=self.count)
        ids = draw_samples(data, tuple(relabelling), count, np.random.default_rng([seed, 0]))
        labels = data.labels[data.positions(ids)].tolist()
        plan = Plan(
            ids=ids,
            labels=tuple(relabelling[label] for label in labels),
            placement=self.placement,
            relabelling=relabelling,
            attack=attack_spec(self),
            trigger=trigger_spec(self.trigger),
            seed=seed,
        )
        return compose(data, plan, self.trigger, memory_share=self.memory_share, warn_above=self.warn_above)


def _require_one_of(name: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        raise AttackError(f"no {name} is called {value!r}", expected="one of " + ", ".join(known))
