"""Making poisons of the chosen samples, batch by batch, and hashing each before and after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from bezoar.attacks.change import Remake
from bezoar.attacks.composing.identity import sample_arrays, written_hash
from bezoar.data.dataset import Dataset
from bezoar.data.ids import content_hash
from bezoar.data.memory import allocate, chunks
from bezoar.errors import AttackError


@dataclass(frozen=True)
class SampleHashes:
    """SHA-256 of a sample's array before and after; `written` begins the hash of what is written for it."""

    before: str
    after: str
    written: str


def room_for(data: Dataset, rows: int, memory_share: float) -> Tensor:
    """An uninitialised tensor for `rows` samples like those of `data`; memory-mapped images when they are large."""
    if data.is_images:
        channels, height, width = data.shape
        return allocate(rows, channels, height, width, memory_share=memory_share)
    return torch.empty((rows, *data.shape), dtype=data.inputs.dtype)


def copy_rows(source: Tensor, source_rows: Tensor, target: Tensor, target_rows: Tensor) -> None:
    """`target[target_rows] = source[source_rows]`, a little at a time."""
    for part in chunks(len(source_rows), source[:1].nbytes):
        target[target_rows[part]] = source[source_rows[part]]


def remake_rows(
    data: Dataset, originals: Tensor, target: Tensor, rows: Tensor, remade: Remake, *, as_file: bool
) -> list[SampleHashes]:
    """Put what is made of the samples at `originals` into `rows` of `target`, and return the hashes of each.

    About 16 MiB at a time. With `as_file` samples are written as picture files. Raises AttackError when
    they come back in another shape or dtype.
    """
    hashes: list[SampleHashes] = []
    for part in chunks(len(rows), data.inputs[:1].nbytes):
        before = data.inputs[originals[part]]
        with torch.no_grad():
            # A copy, for a trigger that writes to its input must not change `before`.
            after = remade(before.clone(memory_format=torch.preserve_format), part)
        _require_same_kind(after, before)
        target[rows[part]] = after
        hashes.extend(_hashes(before, after, as_file))
    return hashes


def _hashes(before: Tensor, after: Tensor, as_file: bool) -> Iterator[SampleHashes]:
    for old, new in zip(sample_arrays(before), sample_arrays(after), strict=True):
        yield SampleHashes(content_hash(old), content_hash(new), written_hash(new, as_file=as_file))


def _require_same_kind(after: object, before: Tensor) -> None:
    if isinstance(after, Tensor) and after.shape == before.shape and after.dtype == before.dtype:
        return
    found = f"{tuple(after.shape)} {after.dtype}" if isinstance(after, Tensor) else type(after).__name__
    raise AttackError(
        "the trigger changed the kind of the batch",
        expected=f"{tuple(before.shape)} {before.dtype}",
        found=found,
        remedy="A trigger returns as many samples as it was given, of the same shape and dtype",
    )
