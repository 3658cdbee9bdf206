"""How far a model's classes stand out of what models that are trusted show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

LEAST_SPREAD = 0.25
"""Statistics of detectors come in spreads of their own; what references differ by counts as a quarter at least."""
FEWEST_NAMESAKES = 2
"""So many references must have a class for its own usual value to be known."""

Told = Mapping[str, float]
"""The statistic of each class of one model, by its name."""


@dataclass(frozen=True, eq=False)
class Stands:
    """For each class (k,): its `statistics` in spreads of the references, what is `usual`, the `spread` of that.

    `models` (k,) are the references that have a class of this name, 0 where the classes of all references are taken
    together. `freedom` are the degrees of freedom of the spread that rests on least.
    """

    statistics: NDArray[np.float64]
    usual: NDArray[np.float64]
    spread: NDArray[np.float64]
    models: NDArray[np.int64]
    freedom: int


def stand_out(own: Told, references: Sequence[Told]) -> Stands:
    """Compare each class of a model with the classes of its name in the references, two at least.

    A class that two references have is usual at their mean, with the deviation within classes, which all names share:
    one class's own, of few references, would be a guess. Another is usual at the mean of all classes of all references,
    with the deviation among those. Either deviation is widened by the root of 1 + 1/n, since the mean of n references
    is known no better (the interval of a single further value); of the classes of one reference none counts as a
    reference more. Raises ValueError for fewer than two references.
    """
    if len(references) < FEWEST_NAMESAKES:
        raise ValueError(f"{len(references)} references are too few to compare with")
    within, within_freedom = _within_classes(references)
    every = np.array([value for told in references for value in told.values()])
    among = max(float(every.std(ddof=1)), LEAST_SPREAD)
    usual, spread, models = [], [], []
    for name in own:
        same = [told[name] for told in references if name in told]
        named = len(same) >= FEWEST_NAMESAKES
        count = len(same) if named else len(references)
        usual.append(float(np.mean(same)) if named else float(every.mean()))
        spread.append((within if named else among) * float(np.sqrt(1 + 1 / count)))
        models.append(count if named else 0)
    freedom = min(within_freedom if count else len(every) - 1 for count in models)
    standing = (np.array(list(own.values())) - np.array(usual)) / np.array(spread)
    return Stands(standing, np.array(usual), np.array(spread), np.array(models, np.int64), freedom)


def _within_classes(references: Sequence[Told]) -> tuple[float, int]:
    """The deviation from the mean of each class name that two references have, and its degrees of freedom."""
    groups: dict[str, list[float]] = {}
    for told in references:
        for name, value in told.items():
            groups.setdefault(name, []).append(value)
    shared = [np.array(values) for values in groups.values() if len(values) >= FEWEST_NAMESAKES]
    freedom = sum(len(values) - 1 for values in shared)
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in shared)
    return max(float(np.sqrt(squares / freedom)) if freedom else 0.0, LEAST_SPREAD), freedom


def cut_of(freedom: int, comparisons: int, alarms: float) -> float:
    """The number of spreads that none of `comparisons` classes exceeds, but in a share `alarms` of models.

    Student's t with `freedom` degrees, one side, Bonferroni's correction: right where values are normal.
    """
    return -float(stdtrit(max(freedom, 1), alarms / comparisons))


def as_rare(statistic: float, freedom: int, at: int) -> float:
    """The number of spreads known by `at` degrees of freedom that is as rare as `statistic` by `freedom` ones.

    Never more than `statistic` where `at` are the more.
    """
    told = -float(stdtrit(max(at, 1), stdtr(max(freedom, 1), -statistic)))
    return told if np.isfinite(told) else statistic


def among_themselves(references: Sequence[Told]) -> tuple[Stands, ...]:
    """Each reference compared with all others. Raises ValueError for fewer than three."""
    return tuple(
        stand_out(told, [*references[:place], *references[place + 1 :]]) for place, told in enumerate(references)
    )
