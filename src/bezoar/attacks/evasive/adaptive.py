"""What the adaptive attacks of Qi et al. 2023 share: a weak trigger in training, a stronger one afterwards."""

from __future__ import annotations

from bezoar.attacks.change import Plan, stamped
from bezoar.attacks.covers import covers
from bezoar.attacks.data_attack import DataAttack
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
    targets = set(attack.relabelling(data.class_names).values())
    ids = attack.poison_ids(data, seed=seed)
    others = [label for label in range(len(data.class_names)) if label not in targets]
    covering = covers(data, weak, per_poison=per_poison, taken=frozenset(ids), labels=others, seed=seed)
    return attack.planned(data, (stamped(ids, attack.new_labels(data, ids), weak), covering), strong, seed=seed)
