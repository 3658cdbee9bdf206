"""Contributors unlike the others, and contributors in which suspects are concentrated.

A contributor may differ for a hundred honest reasons (another camera, another task): odd is not poisoned.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtr

from bezoar.errors import DataError
from bezoar.evidence import Labels, Real
from bezoar.records import Contributor, Remark
from bezoar.scan.holm import holm
from bezoar.scan.honest.words import counted, listed

LEVEL = 0.01
LABEL_SHIFT = 0.1
RANK_SHIFT = 0.15
EXPECTED = 5.0
SMALLEST = 10

Rows: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class OddSource:
    """A contributor unlike the others in one respect: `labels`, or a statistic by its name.

    `effect` is, for labels, the total variation distance between its class shares and those of all others, 0..1; for
    a statistic, its mean rank within the class, from -0.5 (lowest) over 0 (as others) to 0.5 (highest). `class_name` is
    the class it gives more of than others do. `p_value` is adjusted by Holm over all contributors and respects.
    """

    source: str
    samples: int
    respect: str
    effect: float
    p_value: float
    class_name: str | None = None


@dataclass(frozen=True, eq=False)
class SourceTable:
    """Labels (n,), contributors (n,), class names and statistics (n,) by name; rows without contributor are ignored."""

    labels: Labels
    sources: Sequence[str | None]
    class_names: tuple[str, ...]
    statistics: Mapping[str, Real] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        lengths = {"sources": len(self.sources)} | {name: len(values) for name, values in self.statistics.items()}
        for name, length in lengths.items():
            if length != len(self.labels):
                expected = str(len(self.labels))
                raise DataError(f"{name} and labels differ in length", expected=expected, found=str(length))

    def members(self) -> dict[str, Rows]:
        """Rows of each contributor, in order of name."""
        return members_of(self.sources)


def odd_sources(table: SourceTable, *, level: float = LEVEL) -> tuple[OddSource, ...]:
    """Contributors whose labels or statistics differ from all others', smallest p-value first; none if fewer than two.

    Labels: chi-square of the contributor against the others by class; where fewer than EXPECTED are expected in any
    cell, the smallest exact (hypergeometric, two-sided) p-value of a class, times the classes. Statistics: rank test
    stratified by class (van Elteren: ranks over size + 1, normal approximation, exact variance with ties), for
    contributors of at least SMALLEST samples; a difference that is only one of class counts does not show. Odd is what
    has an adjusted p-value at most `level` and an effect of at least LABEL_SHIFT, RANK_SHIFT: with many samples
    every difference is significant. Raises DataError on statistics that are not finite.
    """
    members = table.members()
    if len(members) < 2:
        return ()
    known = np.sort(np.concatenate(list(members.values())))
    tests = [*_label_tests(table, members, known), *_statistic_tests(table, members, known)]
    adjusted = holm([test.p_value for test in tests])
    odd = []
    for test, p_value in zip(tests, adjusted.tolist(), strict=True):
        smallest = LABEL_SHIFT if test.respect == "labels" else RANK_SHIFT
        if p_value <= level and abs(test.effect) >= smallest:
            odd.append(OddSource(test.source, test.samples, test.respect, test.effect, p_value, test.class_name))
    return tuple(sorted(odd, key=lambda one: (one.p_value, -abs(one.effect), one.source, one.respect)))


def source_remarks(odd: Sequence[OddSource]) -> tuple[Remark, ...]:
    """One remark for each respect in which contributors are odd; each example is a contributor and how it differs."""
    remarks = []
    for respect in dict.fromkeys(one.respect for one in odd):
        some = [one for one in odd if one.respect == respect]
        names = listed([f"{one.source} ({_difference(one)})" for one in some])
        what = "class shares" if respect == "labels" else respect
        sentence = f"{counted(len(some), 'contributor')} unlike the others in {what}: {names}. Odd is not poisoned."
        remarks.append(Remark("odd source", sentence, len(some), tuple((one.source, _difference(one)) for one in some)))
    return tuple(remarks)


def concentration(
    suspect_ids: Collection[str], ids: Sequence[str], sources: Sequence[str | None] | None, *, level: float = LEVEL
) -> tuple[Contributor, ...]:
    """Contributors with more of the suspects than chance gives them, smallest p-value first.

    Chance: as many suspects drawn at random from all samples whose contributor is known (hypergeometric upper tail),
    adjusted by Holm over all contributors; told when at most `level`. None where fewer than two contributors are
    known. Raises DataError for a suspect that is not among the ids.
    """
    if unknown := sorted(set(suspect_ids) - set(ids)):
        raise DataError("a suspect is not among the ids", found=unknown[0])
    members = members_of(sources or [])
    if len(members) < 2:
        return ()
    suspected = set(suspect_ids)
    hits = {source: sum(ids[row] in suspected for row in rows.tolist()) for source, rows in members.items()}
    everyone, drawn = sum(len(rows) for rows in members.values()), sum(hits.values())
    chances = [_at_least(hits[source], everyone, len(rows), drawn) for source, rows in members.items()]
    found = [
        Contributor(source, hits[source], len(rows), p_value)
        for (source, rows), p_value in zip(members.items(), holm(chances).tolist(), strict=True)
        if hits[source] and p_value <= level
    ]
    return tuple(sorted(found, key=lambda one: (one.p_value, -one.suspects, one.source)))


def members_of(sources: Sequence[str | None]) -> dict[str, Rows]:
    """Rows of each known contributor, in order of name."""
    rows: dict[str, list[int]] = {}
    for row, source in enumerate(sources):
        if source is not None:
            rows.setdefault(source, []).append(row)
    return {source: np.array(rows[source], dtype=np.int64) for source in sorted(rows)}


def label_p_value(inside: Rows, outside: Rows) -> float:
    """p-value of class counts (k,) of one contributor against those of the others, by the rule of `odd_sources`."""
    table = np.stack([inside, outside])[:, inside + outside > 0].astype(np.float64)
    if table.shape[1] < 2:
        return 1.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    if expected.min() >= EXPECTED:
        return float(chdtrc(table.shape[1] - 1, ((table - expected) ** 2 / expected).sum()))
    everyone, drawn = int(table.sum()), int(table[0].sum())
    tails = [
        _two_sided(int(hits), everyone, int(size), drawn)
        for hits, size in zip(table[0], table.sum(axis=0), strict=True)
    ]
    return float(min(1.0, min(tails) * table.shape[1]))


@dataclass(frozen=True, eq=False)
class ClassRanks:
    """Ranks of a statistic within each class, over size + 1, less a half: `scores` (n,), with `labels` (n,)."""

    scores: Real
    labels: Labels

    @classmethod
    def of(cls, values: Real, labels: Labels) -> ClassRanks:
        """Ranks of values (n,), equal values sharing their mean rank."""
        from scipy.stats import rankdata  # here, since it takes a third of a second to load

        scores = np.zeros(len(values))
        for label in np.unique(labels):
            rows = np.flatnonzero(labels == label)
            scores[rows] = rankdata(values[rows]) / (len(rows) + 1) - 0.5
        return cls(scores, labels)

    def shift(self, rows: Rows) -> tuple[float, float]:
        """Mean score of some rows, -0.5..0.5, and its two-sided p-value among all choices of as many of each class."""
        sizes = np.bincount(self.labels)
        chosen = np.bincount(self.labels[rows], minlength=len(sizes))
        squares = np.bincount(self.labels, weights=self.scores**2)
        variance = float((chosen * (sizes - chosen) * squares / np.maximum(sizes * (sizes - 1), 1)).sum())
        if variance <= 0:
            return 0.0, 1.0
        total = float(self.scores[rows].sum())
        return total / len(rows), 2 * float(ndtr(-abs(total) / math.sqrt(variance)))


def _label_tests(table: SourceTable, members: Mapping[str, Rows], known: Rows) -> Iterator[OddSource]:
    classes = len(table.class_names)
    everyone = np.bincount(table.labels[known], minlength=classes)
    for source, rows in members.items():
        inside = np.bincount(table.labels[rows], minlength=classes)
        outside = everyone - inside
        difference = inside / inside.sum() - outside / outside.sum()
        yield OddSource(
            source,
            len(rows),
            "labels",
            float(np.abs(difference).sum() / 2),
            label_p_value(inside, outside),
            table.class_names[int(difference.argmax())],
        )


def _statistic_tests(table: SourceTable, members: Mapping[str, Rows], known: Rows) -> Iterator[OddSource]:
    for name, values in table.statistics.items():
        if not np.isfinite(values[known]).all():
            raise DataError(f"the statistic {name} must be finite")
        ranks = ClassRanks.of(values[known], table.labels[known])
        for source, rows in members.items():
            if len(rows) >= SMALLEST:
                effect, p_value = ranks.shift(np.searchsorted(known, rows))
                yield OddSource(source, len(rows), name, effect, p_value)


def _two_sided(hits: int, everyone: int, size: int, drawn: int) -> float:
    """Twice the smaller tail of the hypergeometric distribution, at most 1."""
    # At most so many of the one kind are at least so many of the other.
    below = _at_least(drawn - hits, everyone, everyone - size, drawn)
    return min(1.0, 2 * min(below, _at_least(hits, everyone, size, drawn)))


def _at_least(hits: int, everyone: int, size: int, drawn: int) -> float:
    """The chance that of `drawn` from `everyone`, at random, `hits` or more are among certain `size`."""
    from scipy.stats import hypergeom  # here, since it takes a third of a second to load

    return float(hypergeom.sf(hits - 1, everyone, size, drawn))


def _difference(odd: OddSource) -> str:
    if odd.respect == "labels":
        return f"more {odd.class_name}, {odd.effect:.0%} of its labels shifted"
    return f"{'higher' if odd.effect > 0 else 'lower'}, at {0.5 + odd.effect:.0%} of the range of its classes"
