"""Ids for poisoned samples, by the same rule as the ids around them, so that no id gives one away.

They are also the ids that a reader gives to the same samples once they were written and read again.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import Tensor

from bezoar.attacks.composing.ordinary import ordinary_names
from bezoar.data.dataset import Dataset
from bezoar.data.ids import short_hash
from bezoar.data.images import encode_png
from bezoar.data.names import safe_name
from bezoar.data.writers.stored_form import stored_form

IdKind = Literal["path", "counter", "other"]

PATH_ID = re.compile(r"[0-9a-f]{16}:(.+)", re.DOTALL)
TRUE_HASH_SAMPLE = 64
COUNTER_ID = re.compile(r"[0-9a-f]{16}#\d+")


@dataclass(frozen=True)
class Newcomer:
    """A poisoned sample about to get an id: where it comes from, and what it will pass for.

    `written_hash` is the first 16 digits of the hash of what it will consist of when written.
    """

    original_id: str
    label: int
    original_label: int
    source: str | None
    written_hash: str


def id_kind(ids: Sequence[str]) -> IdKind:
    """Which rule made these ids: `hash:path`, `hash#counter` or another."""
    if all(PATH_ID.fullmatch(sample_id) for sample_id in ids):
        return "path"
    return "counter" if all(COUNTER_ID.fullmatch(sample_id) for sample_id in ids) else "other"


def sample_arrays(batch: Tensor) -> np.ndarray:
    """Samples as the arrays that are hashed and stored: images (n, h, w, c), others as they are, contiguous."""
    return np.ascontiguousarray((batch.permute(0, 2, 3, 1) if batch.ndim == 4 else batch).numpy())


def written_hash(array: np.ndarray, *, as_file: bool) -> str:
    """First 16 digits of the hash of what the sample will consist of when written: a PNG file, or its array."""
    picture = as_file and array.ndim == 3 and array.shape[2] in (1, 3)
    return short_hash(encode_png(array) if picture else array)


def new_ids(
    data: Dataset, kept: Sequence[int], newcomers: Sequence[Newcomer], *, seed: Sequence[int]
) -> tuple[str, ...]:
    """An id for each newcomer, unlike those of the `kept` rows of `data`.

    Newcomers come in the order of their rows. What is drawn depends on the seed and on what is kept, not
    on its order.
    """
    generator = np.random.default_rng(seed)
    kind = id_kind(data.ids)
    hashes = [newcomer.written_hash for newcomer in newcomers]
    if kind == "counter":
        return _counted(hashes, {data.ids[row] for row in kept})
    if kind == "path":
        paths = {row: data.ids[row].partition(":")[2] for row in kept}
        chosen = _paths(data, paths, newcomers, generator)
        hashes = _as_often_true(hashes, _share_of_true_hashes(data, kept), generator)
        return tuple(f"{short}:{path}" for short, path in zip(hashes, chosen, strict=True))
    names = {data.ids[row] for row in kept}
    return tuple(ordinary_names(names, names, len(newcomers), generator))


def _share_of_true_hashes(data: Dataset, kept: Sequence[int]) -> float:
    """Share of benign samples whose id begins with the hash of what will be written of them.

    Below 1 where pictures were resized after they were read: their ids keep the hash of the original file.
    """
    if not data.is_images:
        return 1.0
    rows = sorted(kept, key=lambda row: data.ids[row])[:TRUE_HASH_SAMPLE]
    true = [short_hash(stored_form(data, row)[1]) == data.ids[row][:16] for row in rows]
    return sum(true) / len(true) if true else 1.0


def _as_often_true(hashes: Sequence[str], share: float, generator: np.random.Generator) -> list[str]:
    """The hashes with all but about `share` of them drawn at random: ids that always tell the truth would stand out."""
    drawn = [generator.bytes(8).hex() for _ in hashes]
    keeps = generator.random(len(hashes)) < share
    return [true if keep else other for true, other, keep in zip(hashes, drawn, keeps, strict=True)]


def _counted(hashes: Sequence[str], taken: set[str]) -> tuple[str, ...]:
    ids = []
    for short in hashes:
        count = 0
        while f"{short}#{count}" in taken:
            count += 1
        ids.append(f"{short}#{count}")
        taken.add(ids[-1])
    return tuple(ids)


def _paths(
    data: Dataset, paths: dict[int, str], newcomers: Sequence[Newcomer], generator: np.random.Generator
) -> list[str]:
    """A new path for each newcomer in a folder of its new class, of its own source where there is one."""
    residents = _residents(data, paths)
    folders = []
    for newcomer in sorted(newcomers, key=lambda one: one.original_id):
        homes = residents.get((newcomer.label, newcomer.source)) or residents.get((newcomer.label, None))
        folders.append(homes[generator.integers(len(homes))] if homes else _moved(data, newcomer))
    names = _names_in(folders, paths.values(), generator)
    by_original = dict(zip(sorted(newcomer.original_id for newcomer in newcomers), names, strict=True))
    return [by_original[newcomer.original_id] for newcomer in newcomers]


def _residents(data: Dataset, paths: dict[int, str]) -> dict[tuple[int, str | None], list[str]]:
    """Folders by class and source, and by class alone, each as often as samples lie in it, in order of path."""
    residents: dict[tuple[int, str | None], list[str]] = defaultdict(list)
    labels = data.labels.tolist()
    for row, path in sorted(paths.items(), key=lambda item: item[1]):
        folder = path.rpartition("/")[0]
        residents[labels[row], None].append(folder)
        if data.sources is not None and data.sources[row] is not None:
            residents[labels[row], data.sources[row]].append(folder)
    return residents


def _moved(data: Dataset, newcomer: Newcomer) -> str:
    """The folder of the original with its class replaced by the new one: for a class without samples so far."""
    old, new = (safe_name(data.class_names[label]) for label in (newcomer.original_label, newcomer.label))
    parts = newcomer.original_id.partition(":")[2].split("/")[:-1]
    return "/".join(new if part == old else part for part in parts) if old in parts else new


def _names_in(folders: Sequence[str], paths: Collection[str], generator: np.random.Generator) -> list[str]:
    """A full path for each entry of `folders`, new and in the manner of its neighbours there."""
    stems: dict[str, list[str]] = defaultdict(list)
    for path in sorted(paths):
        folder, _, name = path.rpartition("/")
        stems[folder].append(name.rpartition(".")[0] or name)
    everywhere = [stem for names in stems.values() for stem in names]
    # Where no name occurs in two folders, one numbering runs through all of them.
    shared_numbering = len(set(everywhere)) == len(everywhere)
    result: dict[str, list[str]] = {}
    for folder, count in sorted(Counter(folders).items()):
        neighbours = stems.get(folder) or everywhere
        taken = everywhere if shared_numbering else neighbours
        names = ordinary_names(neighbours, taken, count, generator)
        if shared_numbering:
            everywhere += names
        result[folder] = [f"{folder}/{name}.png" if folder else f"{name}.png" for name in names]
    return [result[folder].pop() for folder in folders]
