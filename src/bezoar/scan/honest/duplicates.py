"""The same image more than once: exact and near duplicates, and copies of one image under different labels."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bezoar.errors import DataError
from bezoar.evidence import Labels
from bezoar.evidence.samples.fingerprints import Fingerprints
from bezoar.records import Remark
from bezoar.scan.honest.pairs import joined, similar_pairs
from bezoar.scan.honest.words import counted

SHOWN = 10
HASHED = re.compile(r"([0-9a-f]{16})[#:]")


@dataclass(frozen=True)
class DuplicateGroup:
    """Samples that are one image, ids ascending with the label of each. `exact` when all have the same bytes.

    `similarity` is that of the least alike pair that was compared, 0..1, and 1 in an exact group. Members of a near
    group are joined through others: its two ends may look less alike than that.
    """

    ids: tuple[str, ...]
    labels: tuple[int, ...]
    exact: bool
    similarity: float

    @property
    def conflicting(self) -> bool:
        """Whether its members have different labels."""
        return len(set(self.labels)) > 1


@dataclass(frozen=True)
class ChangedCopy:
    """Two samples that are one image under two labels, changed or not (`similarity` 1 when bytes are the same).

    Which of the two came first, data cannot say. An attack that keeps the originals leaves a pair for every poison,
    and the target is the one label that nearly all such pairs have in common.
    """

    first: str
    second: str
    first_label: int
    second_label: int
    similarity: float


@dataclass(frozen=True)
class Duplicates:
    """Groups of duplicates in order of their first id, and the pairs among them whose labels differ."""

    groups: tuple[DuplicateGroup, ...]
    copies: tuple[ChangedCopy, ...]

    def copies_of(self, label: int) -> tuple[ChangedCopy, ...]:
        """The pairs that have this label on one side."""
        return tuple(copy for copy in self.copies if label in (copy.first_label, copy.second_label))


def find_duplicates(
    ids: Sequence[str],
    labels: Labels,
    prints: Fingerprints | None = None,
    *,
    similarity: float | None = None,
) -> Duplicates:
    """Exact duplicates of samples by the content hash in their ids and, given fingerprints, near-duplicates of images.

    `labels` (n,). Near pairs are those of `similar_pairs`, whose limit `similarity` is found from the data by default;
    a pair of the same bytes counts as exact. An id without a hash has no exact duplicate. Mirrored, turned and strongly
    cropped copies are not found, and only about half of those moved by a pixel; smooth images under the same border or
    patch on a part of the data may be taken for one. Copies list the compared pairs of different labels; of identical
    samples each is compared with the first. Raises DataError when labels or fingerprints don't belong to the ids.
    """
    if len(labels) != len(ids) or (prints is not None and prints.ids != tuple(ids)):
        raise DataError("duplicates: labels or fingerprints don't belong to the ids", expected=f"{len(ids)}, same ids")
    hashes = [match[1] if (match := HASHED.match(sample_id)) else None for sample_id in ids]
    known = dict.fromkeys(_identical(hashes), 1.0)
    if prints is not None:
        near, similar = similar_pairs(prints, labels, similarity=similarity)
        for (one, other), alike in zip(near.tolist(), similar.tolist(), strict=True):
            if hashes[one] is None or hashes[one] != hashes[other]:
                known[one, other] = min(alike, 1.0)
    return Duplicates(_groups(ids, labels, hashes, known), _copies(ids, labels, known))


def duplicate_remarks(found: Duplicates, class_names: Sequence[str]) -> tuple[Remark, ...]:
    """At most three remarks: exact groups, near groups, and groups whose labels disagree. Largest groups come first."""
    agreed = [group for group in found.groups if not group.conflicting]
    exact, near = [group for group in agreed if group.exact], [group for group in agreed if not group.exact]
    conflicting = [group for group in found.groups if group.conflicting]
    told = (
        (exact, f"{_copies_in(exact)} of images with the same bytes and label."),
        (near, f"{_copies_in(near)} of images that look alike under one label."),
        (conflicting, _conflict(found, conflicting, class_names)),
    )
    return tuple(
        Remark("near-duplicates", sentence, sum(len(group.ids) for group in groups), _examples(groups))
        for groups, sentence in told
        if groups
    )


def _identical(hashes: Sequence[str | None]) -> list[tuple[int, int]]:
    """Pairs of rows: the first with each other row of the same hash."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, known in enumerate(hashes):
        if known is not None:
            rows[known].append(row)
    return [(members[0], other) for members in rows.values() for other in members[1:]]


def _groups(
    ids: Sequence[str], labels: Labels, hashes: Sequence[str | None], known: Mapping[tuple[int, int], float]
) -> tuple[DuplicateGroup, ...]:
    groups = joined(np.array(list(known), dtype=np.int64).reshape(-1, 2), len(ids))
    group_of = {row: number for number, rows in enumerate(groups) for row in rows.tolist()}
    lowest = [1.0] * len(groups)
    for (one, _), alike in known.items():
        lowest[group_of[one]] = min(lowest[group_of[one]], alike)
    made = []
    for rows, similarity in zip(groups, lowest, strict=True):
        members = sorted((ids[row], int(labels[row])) for row in rows.tolist())
        contents = {hashes[row] for row in rows.tolist()}
        exact = len(contents) == 1 and None not in contents
        made.append(
            DuplicateGroup(tuple(one for one, _ in members), tuple(label for _, label in members), exact, similarity)
        )
    return tuple(sorted(made, key=lambda group: group.ids))


def _copies(ids: Sequence[str], labels: Labels, known: Mapping[tuple[int, int], float]) -> tuple[ChangedCopy, ...]:
    copies = []
    for rows, alike in known.items():
        if labels[rows[0]] != labels[rows[1]]:
            first, second = sorted(rows, key=lambda row: ids[row])
            copies.append(ChangedCopy(ids[first], ids[second], int(labels[first]), int(labels[second]), alike))
    return tuple(sorted(copies, key=lambda copy: (copy.first, copy.second)))


def _copies_in(groups: Sequence[DuplicateGroup]) -> str:
    copies = sum(len(group.ids) - 1 for group in groups)
    certain = "" if all(group.exact for group in groups) else "likely "
    return f"{counted(copies, f'{certain}copy', f'{certain}copies')} in {counted(len(groups), 'group')}"


def _conflict(found: Duplicates, groups: Sequence[DuplicateGroup], class_names: Sequence[str]) -> str:
    """The sentence about groups under several labels, with the class that most of them have in common."""
    sides = Counter(label for group in groups for label in set(group.labels))
    common = min(sides, key=lambda label: (-sides[label], label), default=0)
    share = f"; {sides[common]:,} of them involve {class_names[common]}" if len(groups) > 1 else ""
    return (
        f"{counted(len(groups), 'group')} of images that are the same or look alike under different labels "
        f"({counted(len(found.copies), 'pair')}){share}. At most one label of a group can be right; changed copies "
        "under another label are also what some attacks leave behind."
    )


def _examples(groups: Sequence[DuplicateGroup]) -> tuple[tuple[str, ...], ...]:
    return tuple(group.ids[:SHOWN] for group in sorted(groups, key=lambda group: -len(group.ids))[:SHOWN])
