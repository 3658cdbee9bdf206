"""Cover samples: something like the trigger under the true label, so that only the exact trigger leads astray."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from bezoar.attacks.change import Change, stamped
from bezoar.attacks.choose import draw_samples, samples_of
from bezoar.data.dataset import Dataset
from bezoar.errors import AttackError
from bezoar.triggers.base import Trigger


def covers(
    data: Dataset, trigger: Trigger, *, per_poison: float, taken: Collection[str], labels: Collection[int], seed: int
) -> Change:
    """A change that puts `trigger` on samples of the classes `labels` and leaves their labels right.

    `per_poison` covers for each of the poisons `taken`, rounded half up, none of which is a cover itself.
    Raises AttackError when fewer samples are left.
    """
    count = int(per_poison * len(taken) + 0.5)
    if not count:
        return Change((), (), lambda originals, _: originals, "cover")
    left = len(samples_of(data, labels, taken=taken))
    if count > left:
        raise AttackError(
            f"{data.name} has too few samples left for the covers",
            expected=f"at most {left} covers of " + ", ".join(data.class_names[label] for label in sorted(labels)),
            found=str(count),
            remedy="Ask for fewer covers for each poison, for fewer poisons, or name more classes for the covers",
        )
    ids = draw_samples(data, tuple(labels), count, np.random.default_rng([seed, 3]), taken=taken)
    return stamped(ids, data.labels[data.positions(ids)].tolist(), trigger, "cover")
