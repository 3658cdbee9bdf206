"""Who is poisoned and what they become: counts, draws and label maps, all pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from bezoar.data.dataset import Dataset
from bezoar.errors import AttackError, UsageError, did_you_mean

Relabel = Literal["all-to-one", "all-to-all"]


def label_map(
    class_names: Sequence[str], *, sources: Sequence[str], target: str | None, relabel: Relabel
) -> dict[int, int]:
    """Target label of each source label, the target itself left out of the sources.

    No sources means every class. All-to-all maps y to y+1, the last class to the first. Raises
    AttackError for unknown classes, for a target missing or not wanted, and when no source is left.
    """
    if len(class_names) < 2:
        raise AttackError("there is no other class to relabel to", expected="2 classes or more", found="1")
    named = [class_number(class_names, source) for source in sources] or list(range(len(class_names)))
    if relabel == "all-to-all":
        if target is not None:
            raise AttackError(
                "an all-to-all attack has no single target",
                found=f"target {target!r}",
                remedy="Leave the target out, or relabel all-to-one",
            )
        return {source: (source + 1) % len(class_names) for source in sorted(set(named))}
    if target is None:
        raise AttackError("an all-to-one attack needs a target class", expected="one of " + ", ".join(class_names))
    wanted = class_number(class_names, target)
    relabelling = {source: wanted for source in sorted(set(named)) if source != wanted}
    if not relabelling:
        raise AttackError(
            f"the only source class {class_names[wanted]!r} is the target itself",
            remedy="Name another source or another target: relabelling a class to itself changes nothing",
        )
    return relabelling


def class_number(class_names: Sequence[str], name: str) -> int:
    """Label of the class called `name` (or written as its number). Raises UsageError with the known names."""
    if name in class_names:
        return list(class_names).index(name)
    if name.isascii() and name.isdecimal() and int(name) < len(class_names):
        return int(name)
    raise UsageError(
        f"the data have no class {name!r}",
        expected="one of " + ", ".join(class_names),
        remedy=did_you_mean(name, class_names),
    )


def require_amount(rate: float | None, count: int | None) -> None:
    """Raise AttackError unless exactly one is given: a rate in (0, 1] or a count of at least 1."""
    if (rate is None) == (count is None):
        raise AttackError(
            "how many samples to poison is " + ("not said" if rate is None else "said twice"),
            expected="either a rate or a count",
            found="neither" if rate is None else f"rate {rate} and count {count}",
        )
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
        raise AttackError("the count of poisons is unusable", expected="a whole number, 1 or more", found=repr(count))
    if rate is not None and not 0 < rate <= 1:
        raise AttackError(
            "the poison rate is out of range",
            expected="a share of all samples above 0, at most 1",
            found=str(rate),
            remedy="Write 1% as 0.01",
        )


def poison_count(samples: int, *, rate: float | None, count: int | None) -> int:
    """How many samples to poison out of `samples`: an absolute count, or a rate of all of them, rounded half up.

    Raises AttackError as `require_amount` does, and for a rate that rounds to no poison at all.
    """
    require_amount(rate, count)
    wanted = count if rate is None else math.floor(rate * samples + 0.5)
    if not wanted:
        raise AttackError(
            f"a rate of {rate} of {samples} samples rounds to no poison at all",
            expected=f"a rate of {_rounded_up(0.5 / samples):g} or more",
            remedy="Raise the rate, or give a count",
        )
    return wanted


def _rounded_up(rate: float) -> float:
    """To three digits, upwards: a least rate that is rounded down would not do."""
    digit = 10.0 ** (math.floor(math.log10(rate)) - 2)
    return math.ceil(rate / digit) * digit


def samples_of(data: Dataset, labels: Collection[int], *, taken: Collection[str] = frozenset()) -> tuple[str, ...]:
    """Ids of all samples of the classes `labels`, sorted, those `taken` left out."""
    wanted, gone = frozenset(labels), frozenset(taken)
    pairs = zip(data.ids, data.labels.tolist(), strict=True)
    return tuple(sorted(sample_id for sample_id, label in pairs if label in wanted and sample_id not in gone))


def source_rows(data: Dataset, sources: Iterable[int]) -> Tensor:
    """Rows (int64) of the samples whose true class is among `sources`."""
    return torch.isin(data.labels, torch.tensor(list(sources))).nonzero().flatten()


def draw_others(data: Dataset, ids: Sequence[str], generator: np.random.Generator) -> tuple[str, ...]:
    """For each of these samples the id of another one of the data, which holds two at least."""
    known = sorted(data.ids)
    place = {sample_id: row for row, sample_id in enumerate(known)}
    # A step of 1 to n-1 round the circle of all ids never ends where it began.
    steps = generator.integers(1, len(known), len(ids)).tolist()
    return tuple(known[(place[sample_id] + step) % len(known)] for sample_id, step in zip(ids, steps, strict=True))


def draw_samples(
    data: Dataset,
    labels: Sequence[int],
    count: int,
    generator: np.random.Generator,
    *,
    taken: Collection[str] = frozenset(),
) -> tuple[str, ...]:
    """Ids of `count` samples of the classes `labels`, sorted, none of which is `taken` already.

    The draw depends on ids and generator, not on order. Raises AttackError when there are fewer.
    """
    wanted = set(labels)
    eligible = samples_of(data, wanted, taken=taken)
    if count > len(eligible):
        names = ", ".join(data.class_names[label] for label in sorted(wanted))
        raise AttackError(
            f"{data.name} has too few samples of the source classes ({names})",
            expected=f"at most {len(eligible)} poisons",
            found=str(count),
            remedy="Lower the rate (a share of all samples) or the count, or name more source classes",
        )
    return tuple(eligible[row] for row in np.sort(generator.choice(len(eligible), count, replace=False)))
