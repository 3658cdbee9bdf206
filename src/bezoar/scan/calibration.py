"""What a high class statistic is: measured on data without a backdoor."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypeVar

from bezoar.errors import DataError
from bezoar.scan.holm import holm as adjusted
from bezoar.scan.panel import kinds_of

Key = TypeVar("Key", bound=Hashable)

FEWEST = 20
"""Of fewer clean classes no tail can be known."""


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
        """Chance that a clean class reaches `statistic`, never below `least`."""
        if statistic >= self.start:
            return max(self.above * math.exp(-self.beyond(statistic)), self.least)
        below = sum(quantile <= statistic for quantile in self.quantiles)
        return max(self.above, 1.0 - below / len(self.quantiles))

    def beyond(self, statistic: float) -> float:
        """How many mean excesses `statistic` lies above `start`; negative below it.

        Of statistics that reach the least p-value, those of different detectors too, it says which is the clearest.
        """
        return (statistic - self.start) / self.excess

    @property
    def least(self) -> float:
        """No p-value is smaller: a thousandth of the share of one class. The tail is not believed any further."""
        return 0.001 / self.count


def reference_of(statistics: Sequence[float], data_sets: int, *, smallest: int, above: float = 0.1) -> Reference:
    """Make a reference of the statistics of clean classes of at least `smallest` samples.

    The tail is what lies above `start`, about a share `above` of them; ties may make it another share. Raises DataError
    with fewer than 20 statistics, with one that is not finite, or where all are equal.
    """
    ordered = sorted(statistics)
    if len(ordered) < FEWEST or not all(map(math.isfinite, ordered)) or ordered[0] == ordered[-1]:
        raise DataError(
            "no reference can be made of these statistics",
            expected=f"at least {FEWEST} finite ones that are not all equal",
            found=f"{len(ordered)} from {ordered[0]:g} to {ordered[-1]:g}" if ordered else "none",
        )
    start = ordered[min(len(ordered) - 2, int((1 - above) * len(ordered)))]
    start = start if start < ordered[-1] else max(value for value in ordered if value < ordered[-1])
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


def references_for(specs: Sequence[str]) -> dict[str, Reference]:
    """The reference of each of the detectors of a scan, those without one left out."""
    known = references()
    return {spec: known[kind] for spec, kind in kinds_of(specs).items() if kind in known}


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """Holm's correction (1979): adjusted p-values that bound the chance of any false alarm among all of them."""
    return dict(zip(p_values, adjusted(list(p_values.values())).tolist(), strict=True))
