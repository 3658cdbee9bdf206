"""Dataset: samples, labels, class names, stable ids and sources, and nothing that depends on position."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from bezoar.data.mark import DrillMark
from bezoar.errors import DataError, EmptyDataError, LabelError, ShapeError, UsageError, did_you_mean
from bezoar.records import DatasetRecord


class EncodedSamples(Protocol):
    """Access to the bytes a sample was read from, so that a copy can be verbatim."""

    def encoded(self, sample_id: str) -> tuple[str, bytes] | None:
        """File suffix (as in '.png') and the original bytes of a sample, None when it has none."""
        ...


@dataclass(frozen=True)
class SkippedSample:
    """A sample left out while reading, and why."""

    path: str
    reason: str


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Samples with int64 labels, class names, stable ids and, where known, the source of each.

    `inputs` is (n, ...): images are uint8 (n, c, h, w) held channels-last, possibly memory-mapped;
    other kinds of samples keep their own shape and dtype. An id is a content hash plus a relative
    path (or a counter among identical samples): it travels with its row through `select`.
    `mark` is set when the data come from a poisoning drill. Raises a DataError when parts disagree.
    """

    inputs: Tensor
    labels: Tensor
    class_names: tuple[str, ...]
    ids: tuple[str, ...]
    sources: tuple[str | None, ...] | None = None
    name: str = "data"
    mark: DrillMark | None = None
    encoded: EncodedSamples | None = None
    skipped: tuple[SkippedSample, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.inputs)
        if n == 0:
            raise EmptyDataError(f"{self.name} holds no samples", remedy="Give data with at least one sample")
        parts = {"labels": len(self.labels), "ids": len(self.ids), "sources": len(self.sources or self.ids)}
        for part, length in parts.items():
            if length != n:
                raise DataError(f"{self.name}: {part} and inputs differ in length", expected=str(n), found=str(length))
        if self.is_images and self.inputs.dtype != torch.uint8:
            raise ShapeError(
                f"{self.name}: images must be uint8 in 0..255",
                found=str(self.inputs.dtype),
                remedy="Scale floats in 0..1 by 255 and round before building a Dataset",
            )
        if self.labels.dtype != torch.int64:
            raise LabelError(f"{self.name}: labels must be int64", found=str(self.labels.dtype))
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= len(self.class_names):
            raise LabelError(
                f"{self.name}: a label lies outside the classes",
                expected=f"0..{len(self.class_names) - 1} for {len(self.class_names)} classes",
                found=str(low if low < 0 else high),
                remedy="Give the class names that belong to these labels, or mend the labels",
            )
        if len(set(self.ids)) != n:
            raise DataError(f"{self.name}: ids are not unique", remedy="Give every sample an id of its own")
        if self.is_images:
            object.__setattr__(self, "inputs", self.inputs.contiguous(memory_format=torch.channels_last))

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        # The generated one would print every id.
        shape = "x".join(map(str, self.shape))
        return f"<Dataset {self.name!r}: {len(self):,} samples ({shape}) of {len(self.class_names)} classes>"

    @property
    def is_images(self) -> bool:
        """Whether inputs have the four axes of images."""
        return self.inputs.ndim == 4

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.inputs.shape[1:])

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Samples of each class, in the order of `class_names`."""
        return tuple(torch.bincount(self.labels, minlength=len(self.class_names)).tolist())

    def class_index(self, name: str) -> int:
        """Label of the class called `name` (or written as its number). Raises UsageError with the known names."""
        if name in self.class_names:
            return self.class_names.index(name)
        if name.isdecimal() and int(name) < len(self.class_names):
            return int(name)
        raise UsageError(
            f"{self.name} has no class {name!r}",
            expected="one of " + ", ".join(self.class_names),
            remedy=did_you_mean(name, self.class_names),
        )

    def positions(self, ids: Iterable[str]) -> Tensor:
        """Current row numbers of samples by id, in the order given. Raises DataError for an unknown id."""
        where = {sample_id: row for row, sample_id in enumerate(self.ids)}
        try:
            return torch.tensor([where[sample_id] for sample_id in ids], dtype=torch.int64)
        except KeyError as error:
            raise DataError(f"{self.name} has no sample with id {error.args[0]!r}") from None

    def select(self, rows: Tensor | Sequence[int]) -> Dataset:
        """The samples at `rows` (int64 positions or a boolean mask), in that order, ids and sources with them."""
        index = torch.as_tensor(rows)
        index = index.nonzero().flatten() if index.dtype == torch.bool else index.to(torch.int64)
        chosen = index.tolist()
        return replace(
            self,
            inputs=self.inputs[index],
            labels=self.labels[index],
            ids=tuple(self.ids[row] for row in chosen),
            sources=None if self.sources is None else tuple(self.sources[row] for row in chosen),
        )

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and labels in order, at most `size` at a time, as views."""
        for start in range(0, len(self), size):
            yield self.inputs[start : start + size], self.labels[start : start + size]

    def split(self, shares: Mapping[str, float], *, seed: int) -> dict[str, Dataset]:
        """Disjoint random parts by name, each class divided in the same shares (which sum to at most 1)."""
        if any(share <= 0 for share in shares.values()) or sum(shares.values()) > 1 + 1e-9:
            raise DataError("shares of a split must be positive and sum to at most 1", found=str(dict(shares)))
        generator = np.random.default_rng(seed)
        rows: dict[str, list[np.ndarray]] = {part: [] for part in shares}
        for label in range(len(self.class_names)):
            members = generator.permutation((self.labels == label).nonzero().flatten().numpy())
            edges = np.round(np.cumsum([0.0, *shares.values()]) * len(members)).astype(int)
            for part, start, stop in zip(shares, edges[:-1], edges[1:], strict=True):
                rows[part].append(members[start:stop])
        return {
            part: replace(self.select(np.sort(np.concatenate(chosen)).tolist()), name=f"{self.name}/{part}")
            for part, chosen in rows.items()
        }

    def digest(self) -> str:
        """SHA-256 over class names and each sample's id and label, in order of id: the same for any row order."""
        digest = hashlib.sha256(repr(self.class_names).encode())
        for sample_id, label in sorted(zip(self.ids, self.labels.tolist(), strict=True)):
            digest.update(f"{sample_id}\0{label}\n".encode())
        return digest.hexdigest()

    def record(self) -> DatasetRecord:
        """The data set as it appears in a record."""
        return DatasetRecord(
            name=self.name,
            digest=self.digest(),
            samples=len(self),
            class_names=self.class_names,
            shape=self.shape,
            class_counts=self.class_counts,
            skipped=tuple(f"{sample.path}: {sample.reason}" for sample in self.skipped),
        )
