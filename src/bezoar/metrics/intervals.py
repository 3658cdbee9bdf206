"""How sure a number is: a rate's interval (Wilson), a mean's (Student), McNemar's exact test, what accuracy fell by."""

from __future__ import annotations

import math
import operator
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import bdtr, ndtri, stdtrit

from bezoar.errors import DataError, EmptyDataError, UsageError
from bezoar.records import AccuracyLost, MeanInterval, Rate, Skipped


@dataclass(frozen=True)
class McNemar:
    """p-values of McNemar's exact test: for any difference, and for the first being wrong more often."""

    two_sided: float
    first_worse: float


def wilson(successes: int, trials: int, confidence: float = 0.95) -> Rate:
    """A rate with its score interval: `low` exactly 0 without successes, `high` exactly 1 without failures.

    Assumes independent trials. Raises EmptyDataError without trials (see `rate_or_skipped`), DataError
    on counts that are no share, UsageError on a confidence outside 0..1. Wilson, JASA 22 (1927), without
    continuity correction.
    """
    successes, trials = _counts(successes, trials)
    z = -float(ndtri((1 - _checked_confidence(confidence)) / 2))
    share = successes / trials
    middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2)) / (1 + z**2 / trials)
    # At the ends the two terms cancel exactly in theory and leave a rounding error in floating point.
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == trials else min(1.0, middle + half)
    return Rate(successes, trials, low, high, confidence)


def rate_or_skipped(successes: int, trials: int, reason: str) -> Rate | Skipped:
    """The rate with its 95% interval, or Skipped with the reason when nothing was tried."""
    return Skipped(reason) if trials == 0 and successes == 0 else wilson(successes, trials)


def mcnemar_exact(first_only_wrong: int, second_only_wrong: int) -> McNemar:
    """Compare two classifiers on the same samples by the samples that only one of them gets wrong.

    Under the null hypothesis each such sample falls to either side like a fair coin; the two-sided
    value is twice the smaller tail, at most 1. Without any, both p-values are 1. Raises DataError on
    negative counts. McNemar, Psychometrika 12 (1947), in its exact binomial form.
    """
    first, second = operator.index(first_only_wrong), operator.index(second_only_wrong)
    if first < 0 or second < 0:
        raise DataError("discordant counts cannot be negative", found=f"{first} and {second}")
    discordant = first + second
    if discordant == 0:
        return McNemar(1.0, 1.0)
    # The coin is fair, so the tail at or above `first` is the tail at or below `second`.
    first_worse, second_worse = (float(bdtr(count, discordant, 0.5)) for count in (second, first))
    return McNemar(min(1.0, 2 * min(first_worse, second_worse)), first_worse)


def accuracy_lost(gone: int, come: int, trials: int) -> AccuracyLost:
    """By how much accuracy fell from one classifier to another on the same samples, with its standard error.

    `gone` samples the first alone gets right, `come` the second alone: those both get right or wrong tell nothing,
    which is why this is far surer than two accuracies side by side. Assumes independent samples. Raises
    EmptyDataError without trials, DataError on counts that are no share.
    """
    gone, trials = _counts(gone, trials)
    come, _ = _counts(come, trials)
    _counts(gone + come, trials)
    lost = (gone - come) / trials
    return AccuracyLost(lost, math.sqrt(max(0.0, (gone + come) / trials - lost**2) / trials), gone, come, trials)


def t_interval(values: Sequence[float], confidence: float = 0.95) -> MeanInterval | Skipped:
    """Mean of a few independent values (one a seed) with Student's t interval; Skipped with fewer than two.

    Assumes values that are roughly normal. The interval is not cut to 0..1, and it has no width when all
    values are equal: it speaks of the spread between seeds only, never of the number of test samples.
    Raises DataError on a value that is not finite, UsageError on a confidence outside 0..1.
    """
    numbers = tuple(float(value) for value in values)
    if not all(math.isfinite(number) for number in numbers):
        raise DataError("a mean needs finite values", found=str(numbers))
    tail = (1 - _checked_confidence(confidence)) / 2
    if len(numbers) < 2:
        return Skipped(f"{len(numbers)} value(s): an interval over seeds needs at least two")
    mean = statistics.mean(numbers)
    standard_error = statistics.stdev(numbers) / math.sqrt(len(numbers))
    half = -float(stdtrit(len(numbers) - 1, tail)) * standard_error
    return MeanInterval(mean, mean - half, mean + half, numbers, confidence)


def _counts(successes: int, trials: int) -> tuple[int, int]:
    # operator.index takes NumPy's integers and refuses 0.97 where 97 was meant.
    successes, trials = operator.index(successes), operator.index(trials)
    if trials == 0 and successes == 0:
        raise EmptyDataError("a rate needs at least one trial", remedy="Use rate_or_skipped where there may be none")
    if not 0 <= successes <= trials:
        raise DataError(
            "successes and trials are no share", expected="0 <= successes <= trials", found=f"{successes} of {trials}"
        )
    return successes, trials


def _checked_confidence(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise UsageError("a confidence lies between 0 and 1", expected="for instance 0.95", found=str(confidence))
    return confidence
