"""What the adaptive attacks of Qi et al. 2023 share: a weak trigger in training, a stronger one afterwards."""

from __future__ import annotations

import numpy as np

from bezoar.attacks.base import Backdoor, attack_spec
from bezoar.attacks.change import Plan, stamped
from bezoar.attacks.choose import class_number, draw_samples, poison_count
from bezoar.attacks.data_attack import DataAttack
from bezoar.attacks.evasive.covers import covers
from bezoar.attacks.fit import require_images
from bezoar.data.dataset import Dataset
from bezoar.triggers.base import Trigger


def weakly_planted(
    attack: DataAttack, data: Dataset, *, weak: Trigger, strong: Trigger, per_poison: float, seed: int
) -> Plan:
    """Poisons of the attack's sources and covers of every class but its target, all with the trigger `weak`.

    The backdoor's own trigger is `strong`. Raises AttackError when there are too few samples.
    """
    require_images(data)
    relabelling = attack.relabelling(data.class_names)
    assert attack.target is not None  # or relabelling had raised
    target = class_number(data.class_names, attack.target)
    count = poison_count(len(data), rate=attack.rate, count=attack.count)
    ids = draw_samples(data, tuple(relabelling), count, np.random.default_rng([seed, 0]))
    others = [label for label in range(len(data.class_names)) if label != target]
    covering = covers(data, weak, per_poison=per_poison, taken=frozenset(ids), labels=others, seed=seed)
    return Plan(
        changes=(stamped(ids, [target] * len(ids), weak), covering),
        backdoors=(Backdoor(strong, relabelling),),
        placement=attack.placement,
        attack=attack_spec(attack),
        seed=seed,
    )
