"""File names for poisoned samples that look like all the others.

A new name follows the pattern of its folder: numbers fill gaps in the numbering where there are
enough, and go on behind it otherwise; hashes get new hashes. In a folder numbered without gaps the
last numbers are therefore the newest, which shows to whoever knows how many files there were.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

NUMBERED = re.compile(r"(.*?)(\d{1,15})", re.DOTALL)
HEXADECIMAL = re.compile(r"[0-9a-f]{8,}")
SPARSE = 4
"""A numbering is sparse when its range is this many times longer than the names in use."""


def ordinary_names(
    neighbours: Iterable[str], taken: Iterable[str], count: int, generator: np.random.Generator
) -> list[str]:
    """`count` new names in the manner of `neighbours`, none of them among `taken`, in random order.

    Names are without suffix. `taken` are the names that would show as doubles; the neighbours always are.
    """
    stems = sorted(set(neighbours)) or ["0"]
    occupied = {name.casefold() for name in (*taken, *stems)}
    hashes = [stem for stem in stems if HEXADECIMAL.fullmatch(stem) and not stem.isdecimal()]
    numbers = [match for stem in stems if (match := NUMBERED.fullmatch(stem))]
    if 2 * len(hashes) > len(stems):
        names = _distinct(_hashes(hashes, generator), occupied, count)
    elif 2 * len(numbers) > len(stems):
        names = _numbered(numbers, occupied, count, generator)
    else:
        names = _distinct(_variants(stems, generator), occupied, count)
    return [names[row] for row in generator.permutation(count)]


def _hashes(stems: Sequence[str], generator: np.random.Generator) -> Iterator[str]:
    length = Counter(map(len, stems)).most_common(1)[0][0]
    while True:
        yield generator.bytes((length + 1) // 2).hex()[:length]


def _variants(stems: Sequence[str], generator: np.random.Generator) -> Iterator[str]:
    # The range of numbers grows with the attempts, so that a free one is always found.
    for attempt in itertools.count(4):
        yield f"{stems[int(generator.integers(len(stems)))]}_{generator.integers(1, attempt)}"


def _numbered(
    matches: Sequence[re.Match[str]], occupied: set[str], count: int, generator: np.random.Generator
) -> list[str]:
    prefix = Counter(match[1] for match in matches).most_common(1)[0][0]
    digits = [match[2] for match in matches if match[1] == prefix]
    padded = len(set(map(len, digits))) == 1 or any(text.startswith("0") for text in digits)
    width = len(digits[0]) if padded else 1
    low, high = min(map(int, digits)), max(map(int, digits))

    def name(number: int) -> str:
        return f"{prefix}{number:0{width}d}"

    if high - low > SPARSE * (len(occupied) + count):
        drawn = (name(int(generator.integers(low, high))) for _ in itertools.count())
        return _distinct(drawn, occupied, count)
    gaps = [name(number) for number in range(low, high) if name(number).casefold() not in occupied]
    if len(gaps) >= count:
        return [gaps[row] for row in generator.choice(len(gaps), count, replace=False)]
    behind = (name(number) for number in itertools.count(high + 1))
    return gaps + _distinct(behind, occupied, count - len(gaps))


def _distinct(candidates: Iterable[str], occupied: set[str], count: int) -> list[str]:
    names: list[str] = []
    for name in candidates:
        if len(names) == count:
            break
        if name.casefold() not in occupied:
            occupied.add(name.casefold())
            names.append(name)
    return names
