"""Undo: the original data set, byte for byte, from the poisoned one and its truth file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bezoar.attacks.composing.identity import sample_arrays
from bezoar.attacks.composing.stamping import copy_rows, room_for
from bezoar.attacks.sealing.sealed import SealedTruth, open_truth
from bezoar.attacks.sealing.truth_file import sample_hash
from bezoar.data.dataset import Dataset, EncodedSamples
from bezoar.data.ids import content_hash
from bezoar.data.memory import chunks
from bezoar.errors import TruthError

SHOWN = 3


def undo(poisoned: Dataset, truth_path: Path | str, *, memory_share: float = 0.25) -> Dataset:
    """The data as they were before the attack: the same samples, ids, labels, sources and order, and no mark.

    Rows of `poisoned` may come in any order. Original files are read from the truth file when they are
    written, so keep it until then. Samples added, deleted, relabelled or changed since the attack are an
    error, for what they were is not known any more.

    Raises TruthError when the truth file is damaged, belongs to other data, or the data changed since.
    """
    sealed = open_truth(truth_path)
    _check_belongs(poisoned, sealed)
    _check_samples(poisoned, sealed)
    _check_contents(poisoned, sealed)
    restored = _restored(poisoned, sealed, memory_share)
    if restored.digest() != sealed.truth.digest_before:
        raise _mismatch(sealed, "the restored data are not the original", "the truth file does not fit its own digest")
    return restored


@dataclass(frozen=True)
class _Restored:
    """`Dataset.encoded` after an undo: replaced samples from the truth file, the others from the poisoned set."""

    sealed: SealedTruth
    numbers: dict[str, int]
    inner: EncodedSamples | None

    def encoded(self, sample_id: str) -> tuple[str, bytes] | None:
        """Suffix and original bytes of a sample, None when it has none."""
        if sample_id in self.numbers:
            return self.sealed.file(self.numbers[sample_id])
        return None if self.inner is None else self.inner.encoded(sample_id)


def _check_belongs(poisoned: Dataset, sealed: SealedTruth) -> None:
    truth = sealed.truth
    if truth.placement == "none":
        raise TruthError(
            f"there is nothing to undo: {sealed.path} is of a model that was tampered with, and no data were touched",
            remedy="Use the model as it was before, which is unchanged where it lies",
        )
    if poisoned.mark is not None and poisoned.mark.drill != truth.drill:
        raise _mismatch(sealed, f"it belongs to drill {truth.drill}", f"data of drill {poisoned.mark.drill}")
    if poisoned.class_names != truth.class_names:
        classes = f"{len(poisoned.class_names)} classes: {', '.join(poisoned.class_names)}"
        raise _mismatch(sealed, "its classes are others: " + ", ".join(truth.class_names), classes[:200])
    example = sample_arrays(poisoned.inputs[:1])[0]
    if example.shape != sealed.contents.shape or example.dtype.str != sealed.contents.dtype:
        raise _mismatch(
            sealed,
            f"its samples are {sealed.contents.shape} {np.dtype(sealed.contents.dtype)}",
            f"{example.shape} {example.dtype}; open the data with the same size as for the attack",
        )


def _check_samples(poisoned: Dataset, sealed: SealedTruth) -> None:
    """Raise TruthError unless the ids are those after the attack, each with its label."""
    truth = sealed.truth
    expected = (set(sealed.ids) - set(sealed.contents.replaced)) | truth.ids
    present = set(poisoned.ids)
    if not truth.ids & present and not expected & present:
        raise _mismatch(sealed, "it belongs to other data", "no sample in common")
    if poisoned.digest() == truth.digest_after and present == expected:
        return
    problems = []
    if missing := expected - present:
        problems.append(f"{len(missing)} samples are missing ({_some(missing)})")
    if strange := present - expected:
        problems.append(f"{len(strange)} samples are new or changed ({_some(strange)})")
    labels = {sample.id: sample.label for sample in truth.samples}
    given = [poisoned.class_names[label] for label in poisoned.labels.tolist()]
    relabelled = [one for one, label in zip(poisoned.ids, given, strict=True) if labels.get(one, label) != label]
    if relabelled or not problems:
        problems.append("labels changed" + (f" ({_some(relabelled)})" if relabelled else ""))
    raise _changed(sealed, "; ".join(problems))


def _check_contents(poisoned: Dataset, sealed: SealedTruth) -> None:
    """Raise TruthError unless every sample has the content it had after the attack."""
    numbers = {sample_id: number for number, sample_id in enumerate(sealed.ids)}
    after = {sample.id: sample.hash_after for sample in sealed.truth.samples}
    changed = []
    for part in chunks(len(poisoned), poisoned.inputs[:1].nbytes):
        for sample_id, array in zip(poisoned.ids[part], sample_arrays(poisoned.inputs[part]), strict=True):
            if sample_id in after:
                same = content_hash(array) == after[sample_id]
            else:
                same = sample_hash(array) == sealed.hashes[numbers[sample_id]].tobytes()
            if not same:
                changed.append(sample_id)
    if changed:
        raise _changed(sealed, f"{len(changed)} samples have other contents ({_some(changed)})")


def _restored(poisoned: Dataset, sealed: SealedTruth, memory_share: float) -> Dataset:
    contents = sealed.contents
    numbers = {sample_id: number for number, sample_id in enumerate(contents.replaced)}
    rows = {sample_id: row for row, sample_id in enumerate(sealed.ids)}
    kept = [sample_id for sample_id in sealed.ids if sample_id not in numbers]
    old, new = poisoned.positions(kept), torch.tensor([rows[sample_id] for sample_id in kept], dtype=torch.int64)
    replaced = [rows[sample_id] for sample_id in contents.replaced]

    inputs = room_for(poisoned, len(sealed.ids), memory_share)
    copy_rows(poisoned.inputs, old, inputs, new)
    labels = torch.empty(len(sealed.ids), dtype=torch.int64)
    labels[new] = poisoned.labels[old]
    original_labels = {sample.original_id: sample.original_label for sample in sealed.truth.samples}
    for number, row in enumerate(replaced):
        inputs[row] = _as_sample(sealed.array(number))
        labels[row] = poisoned.class_names.index(original_labels[contents.replaced[number]])
    return replace(
        poisoned,
        inputs=inputs,
        labels=labels,
        ids=sealed.ids,
        sources=_sources(poisoned, contents.sources, old.tolist(), new.tolist(), replaced),
        name=contents.name,
        mark=None,
        encoded=_Restored(sealed, numbers, poisoned.encoded),
    )


def _as_sample(array: np.ndarray) -> Tensor:
    """The inverse of `sample_arrays`."""
    sample = torch.from_numpy(array.copy())
    return sample.permute(2, 0, 1) if sample.ndim == 3 else sample


def _sources(
    poisoned: Dataset, stored: Sequence[str | None] | None, old: list[int], new: list[int], replaced: list[int]
) -> tuple[str | None, ...] | None:
    if stored is None or (poisoned.sources is None and not any(stored)):
        return None
    sources: list[str | None] = [None] * (len(new) + len(replaced))
    for row, from_row in zip(new, old, strict=True):
        sources[row] = None if poisoned.sources is None else poisoned.sources[from_row]
    for row, source in zip(replaced, stored, strict=True):
        sources[row] = source
    return tuple(sources)


def _some(ids: Sequence[str] | set[str]) -> str:
    shown = sorted(ids)[:SHOWN]
    return ", ".join(shown) + (", ..." if len(ids) > SHOWN else "")


def _mismatch(sealed: SealedTruth, expected: str, found: str) -> TruthError:
    return TruthError(
        f"the truth file {sealed.path} does not belong to these data",
        expected=expected,
        found=found,
        remedy="Give the truth file that was written beside these data",
    )


def _changed(sealed: SealedTruth, found: str) -> TruthError:
    return TruthError(
        f"the data changed since drill {sealed.truth.drill}",
        expected=f"the {len(sealed.truth.samples)} poisons and all other samples as the attack wrote them",
        found=found,
        remedy="Undo the drill on an unchanged copy of the poisoned data",
    )
