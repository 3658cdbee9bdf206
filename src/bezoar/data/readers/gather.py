"""From encoded samples, one after another, to a Dataset: decode, check, name, and list what was left out."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from bezoar.data.dataset import Dataset, SkippedSample
from bezoar.data.ids import short_hash
from bezoar.data.images import decode_image, quiet_decoding
from bezoar.data.mark import DrillMark, warn_of_mark
from bezoar.data.memory import allocate
from bezoar.data.options import ReadOptions
from bezoar.errors import (
    BezoarError,
    DataError,
    EmptyDataError,
    LabelError,
    ShapeError,
    SkippedSamplesWarning,
    UnreadableSampleError,
    UnsafeDataError,
)

Label = int | str | None
SHOWN_SKIPPED = 5
SKIPPABLE = (UnreadableSampleError, UnsafeDataError, LabelError)


@dataclass(frozen=True, slots=True)
class Entry:
    """One encoded sample on its way in.

    `content` is its bytes, or the error met in getting them; `path` goes into its id; `key` is where the
    reader finds the bytes again; `stored` is an id written earlier, with the content hash written beside it.
    """

    where: str
    content: bytes | BezoarError
    label: Label
    key: int
    path: str | None = None
    source: str | None = None
    stored: tuple[str, str | None] | None = None


class Fetcher(Protocol):
    """Gets the file suffix and the bytes of a sample again by its key."""

    def fetch(self, key: int) -> tuple[str, bytes]:
        """Suffix and bytes of the sample with this key."""
        ...


@dataclass(frozen=True)
class StoredSamples:
    """`Dataset.encoded` of a set that was read from files: key and short content hash by id."""

    fetcher: Fetcher
    places: Mapping[str, tuple[int, str]]

    def encoded(self, sample_id: str) -> tuple[str, bytes] | None:
        """Suffix and original bytes of a sample. Raises DataError when they changed since they were read."""
        if sample_id not in self.places:
            return None
        key, short = self.places[sample_id]
        suffix, content = self.fetcher.fetch(key)
        if short_hash(content) != short:
            raise DataError(f"the file of sample {sample_id} changed since it was read", remedy="Read the data anew")
        return suffix, content


class IdGiver:
    """Ids that are unique in a set: stored ones where their content still matches, else computed."""

    def __init__(self) -> None:
        self._given: set[str] = set()
        self._repeats: dict[str, int] = {}

    def give(self, short: str, path: str | None = None, stored: tuple[str, str | None] | None = None) -> str:
        """The id of a sample with this short content hash, as in `bezoar.data.ids`.

        A second sample of the same content and path gets a counter behind the path.
        """
        if stored is not None and stored[0] not in self._given and short == (stored[1] or stored[0][:16]):
            self._given.add(stored[0])
            return stored[0]
        base = short if path is None else f"{short}:{path}"
        name = f"{base}#0" if path is None else base
        # Counters are kept for repeated samples only: most sets of a million have none.
        while name in self._given:
            self._repeats[base] = number = self._repeats.get(base, 0) + 1
            name = f"{base}#{number}"
        self._given.add(name)
        return name


class ImageStore:
    """Collects pictures of one size; grey as long as all are grey, RGB from the first coloured one on."""

    def __init__(self, count: int, memory_share: float) -> None:
        self._count, self._share = count, memory_share
        self._rows: np.ndarray | None = None
        self._first = ""
        self.filled = 0

    def add(self, pixels: np.ndarray, where: str) -> None:
        """Append uint8 pixels (h, w, c). Raises ShapeError, naming both, for another size than the first."""
        if self._rows is None:
            self._rows, self._first = self._room(pixels.shape[2], *pixels.shape[:2]), where
        if pixels.shape[:2] != self._rows.shape[1:3]:
            raise self._mixed(self._rows, pixels, where)
        if pixels.shape[2] > self._rows.shape[3]:
            self._widen(pixels.shape[2])
        self._rows[self.filled] = pixels
        self.filled += 1

    def tensor(self) -> Tensor:
        """The pictures added, uint8 (n, c, h, w), channels-last."""
        if self._rows is None:
            raise EmptyDataError("no pictures were read")
        return torch.from_numpy(self._rows).permute(0, 3, 1, 2)[: self.filled]

    def _room(self, channels: int, height: int, width: int) -> np.ndarray:
        tensor = allocate(self._count, channels, height, width, memory_share=self._share)
        return tensor.permute(0, 2, 3, 1).numpy()

    def _widen(self, channels: int) -> None:
        assert self._rows is not None
        wide = self._room(channels, *self._rows.shape[1:3])
        for start in range(0, self.filled, 1024):
            stop = min(start + 1024, self.filled)
            wide[start:stop] = self._rows[start:stop]
        self._rows = wide

    def _mixed(self, rows: np.ndarray, pixels: np.ndarray, where: str) -> ShapeError:
        return ShapeError(
            "the pictures have different sizes",
            expected=f"{rows.shape[2]} x {rows.shape[1]}, as {self._first}",
            found=f"{pixels.shape[1]} x {pixels.shape[0]}, {where}",
            remedy=f"Read them all at one size, as with --size {min(rows.shape[1:3])}",
        )


@dataclass
class _Gathered:
    images: ImageStore
    giver: IdGiver = field(default_factory=IdGiver)
    labels: list[Label] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    sources: list[str | None] = field(default_factory=list)
    places: dict[str, tuple[int, str]] = field(default_factory=dict)
    skipped: list[SkippedSample] = field(default_factory=list)


def gather(
    entries: Iterable[Entry],
    count: int,
    *,
    name: str,
    where: str,
    class_names: Sequence[str] | None,
    options: ReadOptions,
    fetcher: Fetcher,
    mark: DrillMark | None = None,
    skipped: Iterable[SkippedSample] = (),
) -> Dataset:
    """Make a Dataset of at most `count` entries. Without `class_names` they follow from the labels.

    Raises the first error met; with `options.skip_bad` a bad sample is left out and listed instead.
    """
    if count == 0:
        raise EmptyDataError(f"{where} holds no samples", remedy="Give data with at least one picture")
    gathered = _Gathered(ImageStore(count, options.memory_share), skipped=list(skipped))
    with quiet_decoding():
        for done, entry in enumerate(entries, start=1):
            _take(gathered, entry, class_names, options)
            if options.progress is not None:
                options.progress(done, count)
    if not gathered.ids:
        raise EmptyDataError(
            f"{where} holds no usable sample",
            found=f"{len(gathered.skipped)} left out, the first: {gathered.skipped[0].reason}",
            remedy="Mend the samples, or give other data",
        )
    labels, names = number_labels(gathered.labels, class_names, where)
    tell_skipped(gathered.skipped, where)
    if mark is not None:
        warn_of_mark(mark, where)
    return Dataset(
        inputs=gathered.images.tensor(),
        labels=labels,
        class_names=names,
        ids=tuple(gathered.ids),
        sources=tuple(gathered.sources) if any(gathered.sources) else None,
        name=name,
        mark=mark,
        encoded=StoredSamples(fetcher, gathered.places),
        skipped=tuple(gathered.skipped),
    )


def tell_skipped(skipped: Sequence[SkippedSample], where: str) -> None:
    """Warn when samples were left out."""
    if skipped:
        shown = "; ".join(f"{sample.path} ({sample.reason})" for sample in skipped[:SHOWN_SKIPPED])
        more = f"; and {len(skipped) - SHOWN_SKIPPED} more" if len(skipped) > SHOWN_SKIPPED else ""
        warnings.warn(
            f"{where}: {len(skipped)} left out: {shown}{more}",
            SkippedSamplesWarning,
            stacklevel=3,
        )


def number_labels(
    labels: Sequence[Label], class_names: Sequence[str] | None, where: str
) -> tuple[Tensor, tuple[str, ...]]:
    """Labels as int64 and the class names: those given, else text labels sorted, else the numbers as text."""
    texts = {label for label in labels if isinstance(label, str)}
    if texts and len(texts) < len(set(labels)):
        raise LabelError(f"{where} mixes text and number labels", remedy="Write all labels in one way")
    if texts:
        names = tuple(sorted(texts)) if class_names is None else tuple(class_names)
        index = {name: number for number, name in enumerate(names)}
        return torch.tensor([index[str(label)] for label in labels], dtype=torch.int64), names
    numbers = torch.tensor([int(label or 0) for label in labels], dtype=torch.int64)
    if class_names is None:
        class_names = default_names(int(numbers.max()), where)
    return numbers, tuple(class_names)


def default_names(highest: int, where: str) -> tuple[str, ...]:
    """Numbers as class names, up to the highest label. Raises LabelError when it is no label of a class."""
    if highest >= 1_000_000:
        raise LabelError(
            f"{where} has a label too large to be that of a class",
            expected="0 to 999999",
            found=str(highest),
            remedy="Name the right label column or array",
        )
    return tuple(str(number) for number in range(highest + 1))


def check_label(label: Label, class_names: Sequence[str] | None, where: str) -> None:
    """Raise LabelError, naming the sample, for a label that is missing or outside the classes."""
    if isinstance(label, str):
        good = class_names is None or label in class_names
    else:
        good = label is not None and 0 <= label < (2**63 if class_names is None else len(class_names))
    if not good:
        known = "0 or more" if class_names is None else f"one of the {len(class_names)} classes"
        raise LabelError(
            f"{where} has a label outside the classes",
            expected=known,
            found="none" if label is None else repr(label),
            remedy="Mend the label, or leave such samples out with --skip-bad",
        )


def _take(gathered: _Gathered, entry: Entry, class_names: Sequence[str] | None, options: ReadOptions) -> None:
    try:
        if isinstance(entry.content, BezoarError):
            raise entry.content
        check_label(entry.label, class_names, entry.where)
        pixels = decode_image(entry.content, entry.where, size=options.size, fit=options.fit)
    except SKIPPABLE as error:
        if not options.skip_bad:
            raise
        gathered.skipped.append(SkippedSample(entry.where, str(error)))
        return
    gathered.images.add(pixels, entry.where)
    short = short_hash(entry.content)
    sample_id = gathered.giver.give(short, entry.path, entry.stored)
    gathered.ids.append(sample_id)
    gathered.labels.append(entry.label)
    gathered.sources.append(entry.source or None)
    gathered.places[sample_id] = (entry.key, short)
