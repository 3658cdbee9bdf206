"""Classes of very different size, and classes too small to be tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bezoar.errors import LabelError
from bezoar.evidence import Labels
from bezoar.records import Remark
from bezoar.scan.honest.words import counted, listed

TESTABLE = 20
RATIO = 3.0
TINY = 0.1


@dataclass(frozen=True)
class ClassBalance:
    """Samples of each class, in order of the classes, and which classes are small.

    `ratio` is the largest class to the smallest that has samples. `tiny` are classes of less than TINY of the median
    class, `untestable` those of fewer samples than a test needs; both have samples, `empty` have none.
    """

    counts: tuple[int, ...]
    ratio: float
    tiny: tuple[int, ...]
    untestable: tuple[int, ...]
    empty: tuple[int, ...]


def class_balance(labels: Labels, classes: int, *, testable: int = TESTABLE) -> ClassBalance:
    """How samples are spread over `classes` classes, from labels (n,), n at least 1.

    `testable` is the size of the smallest class of which a test can say anything. Raises LabelError for a label outside
    the classes or no labels.
    """
    if not len(labels) or labels.min() < 0 or labels.max() >= classes:
        found = "none" if not len(labels) else f"{labels.min()}..{labels.max()}"
        raise LabelError("labels don't fit the classes", expected=f"0..{classes - 1}", found=found)
    counts = np.bincount(labels, minlength=classes)
    present = counts[counts > 0]
    few = (counts > 0) & (counts < testable)
    tiny = (counts > 0) & (counts < TINY * np.median(present))
    return ClassBalance(
        tuple(counts.tolist()),
        float(present.max() / present.min()),
        tuple(np.flatnonzero(tiny).tolist()),
        tuple(np.flatnonzero(few).tolist()),
        tuple(np.flatnonzero(counts == 0).tolist()),
    )


def balance_remarks(found: ClassBalance, class_names: Sequence[str], *, ratio: float = RATIO) -> tuple[Remark, ...]:
    """Remarks on classes whose sizes differ by `ratio` or more, on those too small to be tested, and on empty ones."""
    remarks = []
    if found.ratio >= ratio:
        largest, smallest = _extremes(found)
        sentence = (
            f"The largest class, {class_names[largest]} ({found.counts[largest]:,}), has {found.ratio:.3g} times the "
            f"samples of the smallest, {class_names[smallest]} ({found.counts[smallest]:,})."
        )
        remarks.append(Remark("imbalance", sentence, len(found.tiny), _named(found.tiny, class_names)))
    if found.untestable:
        names = listed([f"{class_names[label]} ({found.counts[label]})" for label in found.untestable])
        sentence = (
            f"{counted(len(found.untestable), 'class', 'classes')} too small to be tested, so nothing was found out "
            f"about {'it' if len(found.untestable) == 1 else 'them'}: {names}."
        )
        remarks.append(Remark("too small", sentence, len(found.untestable), _named(found.untestable, class_names)))
    if found.empty:
        sentence = f"{counted(len(found.empty), 'class', 'classes')} without samples: " + listed(
            [class_names[label] for label in found.empty]
        )
        remarks.append(Remark("imbalance", sentence + ".", len(found.empty), _named(found.empty, class_names)))
    return tuple(remarks)


def _extremes(found: ClassBalance) -> tuple[int, int]:
    """The largest class and the smallest that has samples; the first of equals."""
    present = [label for label, count in enumerate(found.counts) if count]
    return max(present, key=lambda label: found.counts[label]), min(present, key=lambda label: found.counts[label])


def _named(labels: Sequence[int], class_names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    return tuple((class_names[label], str(label)) for label in labels)
