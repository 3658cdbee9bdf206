"""Whether suspects have anything in common: what a network learns from some of them, it finds in the others."""

from __future__ import annotations

import numpy as np

from bezoar.confirm.flips import Carriers
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.networks import SUSPECTS_SHOWN, Blind, train_taught
from bezoar.data.dataset import Dataset

FEWEST = 6


def in_common(data: Dataset, hypothesis: Hypothesis, blind: Blind, *, seed: int, device: str = "auto") -> float | None:
    """Share of suspects that a network takes for the target once it met as many others, less those it took before.

    Poisons teach each other by their trigger, a kind of picture by what it shows; label errors teach nothing: -1 to 1.
    Every second suspect is shown, the others are asked about. None with fewer than 6. Costs one training.
    """
    suspects = hypothesis.suspects[: 2 * SUSPECTS_SHOWN]
    if len(suspects) < FEWEST:
        return None
    met = Hypothesis(hypothesis.target, suspects[::2], hypothesis.signal)
    taught = train_taught(data, blind, met, seed=seed, device=device)
    others = Carriers.of(data, data.positions(suspects[1::2]).numpy())
    before, after = (float(np.mean(others.answers(one) == hypothesis.target)) for one in (blind.model, taught))
    return after - before
