"""What a high class statistic is: measured on data without a backdoor."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Reference:
    """Statistics of clean classes for one kind of detector, `count` of them from `data_sets` sets.

    Above `start`, which a share `above` of them exceeds, excesses fall off exponentially with mean `excess`; below,
    `quantiles` are 0, 5, ... 100% of them. Of classes with fewer than `smallest` samples it says nothing: statistics of
    few samples scatter more.
    """

    count: int
    data_sets: int
    start: float
    above: float
    excess: float
    quantiles: tuple[float, ...]
    smallest: int

    def p_value(self, statistic: float) -> float:
        """Chance that a clean class reaches `statistic`, never below a tenth of what so many classes can show."""
        if statistic >= self.start:
            return max(self.above * math.exp(-(statistic - self.start) / self.excess), self.least)
        below = sum(quantile <= statistic for quantile in self.quantiles)
        return max(self.above, 1.0 - below / len(self.quantiles))

    @property
    def least(self) -> float:
        """No p-value is smaller: an exponential tail is an assumption, and is not believed any further."""
        return 0.001 / self.count


def reference_of(statistics: Sequence[float], data_sets: int, *, smallest: int, above: float = 0.1) -> Reference:
    """Make a reference of the statistics of clean classes of at least `smallest` samples. Needs 20 of them."""
    ordered = sorted(statistics)
    start = ordered[min(len(ordered) - 2, int((1 - above) * len(ordered)))]
    tail = [value - start for value in ordered if value > start]
    quantiles = tuple(ordered[round(share / 20 * (len(ordered) - 1))] for share in range(21))
    # The mean excess has a standard error of its own, which is added: rather cautious than bold.
    excess = sum(tail) / len(tail) * (1 + 1 / math.sqrt(len(tail)))
    return Reference(len(ordered), data_sets, start, len(tail) / len(ordered), excess, quantiles, smallest)


@cache
def references() -> dict[str, Reference]:
    """The references that come with bezoar, by kind of detector."""
    stored = json.loads(files("bezoar.scan").joinpath("calibration.json").read_text(encoding="utf-8"))
    return {kind: Reference(**{**entry, "quantiles": tuple(entry["quantiles"])}) for kind, entry in stored.items()}


def holm(p_values: dict[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """Holm's correction: adjusted p-values that bound the chance of any false alarm among all of them."""
    ordered = sorted(p_values, key=lambda key: p_values[key])
    adjusted, highest = {}, 0.0
    for rank, key in enumerate(ordered):
        highest = max(highest, min(1.0, p_values[key] * (len(ordered) - rank)))
        adjusted[key] = highest
    return adjusted
