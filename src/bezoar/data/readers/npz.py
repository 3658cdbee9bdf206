"""Reads an .npz file: ours, or one of the layouts in common use."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bezoar.data.dataset import Dataset, SkippedSample
from bezoar.data.mark import warn_of_mark
from bezoar.data.metadata import Metadata, read_metadata
from bezoar.data.options import ReadOptions
from bezoar.data.readers.arrays import row_ids, to_images, to_labels
from bezoar.data.readers.gather import tell_skipped
from bezoar.data.readers.npz_members import Member, members, open_archive, read_member
from bezoar.data.readers.splits import choose_split, is_split, whole_set
from bezoar.errors import DataError, EmptyDataError, LabelError

_IMAGES = ("images", "image", "imgs", "x", "data", "inputs")
_LABELS = ("labels", "label", "y", "targets", "target")
_NAMES = ("class_names", "classes", "label_names")
_WORDS = re.compile(r"[_\-.]+")


def read_npz(path: Path, options: ReadOptions) -> Dataset:
    """Read images and labels from an .npz file.

    Arrays: images, x, data ... and labels, y, targets ..., alone or with the split in the name (x_train,
    train_images, y_test); `class_names`, `ids` and `sources` when there are any. Axes, values and labels as in
    `from_arrays`. An uncompressed member that is uint8, channels-last and larger than `memory_share` of memory
    is mapped in place, copy-on-write. Raises UnsafeDataError for a pickle inside or unsafe member names,
    DataError for a damaged file or missing arrays. With `skip_bad` rows with a bad label are left out.
    """
    with open_archive(path) as archive:
        found = members(archive, path)
        metadata = _metadata(archive, found, path)
        images_name, labels_name = ("images", "labels") if metadata else _choose(found, options.split, path)
        if metadata:
            whole_set(options.split, str(path))
        raw = _read(archive, found, images_name, path, options.memory_share)
        where = f"{path}, array {images_name!r}"
        images = to_images(raw, where, layout="nhwc" if metadata else "auto", memory_share=options.memory_share)
        label_array = _read(archive, found, labels_name, path, options.memory_share)
        names = metadata.class_names if metadata else _class_names(archive, found, path)
        stored = _stored(archive, found, len(images), path)
        sources = _texts(archive, found, "sources", len(images), path)
    _check_images(found[images_name], raw, path)
    label_place = f"{path}, array {labels_name!r}"
    kept, skipped = _good_rows(label_array, len(images), names, label_place, options.skip_bad)
    labels, class_names = to_labels(label_array[kept], len(kept), names, label_place)
    ids = row_ids(images, stored)
    tell_skipped(skipped, str(path))
    mark = metadata.mark if metadata else None
    if mark is not None:
        warn_of_mark(mark, str(path))
    return Dataset(
        inputs=images if len(kept) == len(images) else images[kept],
        labels=labels,
        class_names=class_names,
        ids=tuple(ids[row] for row in kept),
        sources=None if sources is None or not any(sources) else tuple(sources[row] or None for row in kept),
        name=metadata.name if metadata else path.stem,
        mark=mark,
        skipped=tuple(skipped),
    )


def _choose(found: Mapping[str, Member], split: str, path: Path) -> tuple[str, str]:
    """Names of the image and the label array meant by `split`."""
    images, labels = _by_split(found, _IMAGES), _by_split(found, _LABELS)
    pairs = {part: (images[part], labels[part]) for part in images if part in labels}
    divided = [part for part in pairs if part]
    if divided:
        return pairs[choose_split(split, divided, str(path))]
    if "" in pairs:
        whole_set(split, str(path))
        return pairs[""]
    shown = ", ".join(f"{name} {member.shape}" for name, member in found.items())
    raise DataError(
        f"{path} lacks an array of images or of labels",
        expected="images and labels, x and y, or x_train and y_train",
        found=shown or "no arrays",
        remedy="Rename the arrays, or use from_arrays",
    )


def _by_split(found: Mapping[str, Member], roles: Sequence[str]) -> dict[str, str]:
    """Array names of one role by split, '' for an array without one; an earlier role goes first."""
    chosen: dict[str, tuple[int, str]] = {}
    for name in found:
        words = [word for word in _WORDS.split(name.casefold()) if word]
        splits = [word for word in words if is_split(word)]
        rest = [word for word in words if not is_split(word)]
        if len(rest) == 1 and rest[0] in roles and len(splits) <= 1:
            part, rank = "".join(splits), roles.index(rest[0])
            if part not in chosen or rank < chosen[part][0]:
                chosen[part] = (rank, name)
    return {part: name for part, (_, name) in chosen.items()}


def _metadata(archive: zipfile.ZipFile, found: Mapping[str, Member], path: Path) -> Metadata | None:
    if "bezoar" not in found:
        return None
    missing = [name for name in ("images", "labels") if name not in found]
    if missing:
        raise DataError(f"{path} lacks the array {missing[0]!r}", remedy="Write the data anew")
    return read_metadata(str(_read(archive, found, "bezoar", path, 1.0)), str(path))


def _read(
    archive: zipfile.ZipFile, found: Mapping[str, Member], name: str, path: Path, memory_share: float
) -> np.ndarray:
    return read_member(archive, found[name], path, memory_share)


def _check_images(member: Member, raw: np.ndarray, path: Path) -> None:
    """Compare a mapped member with its checksum; members that were read were compared while reading."""
    if not member.mapped:
        return
    checksum = zlib.crc32(member.header)
    flat = raw.reshape(-1).view(np.uint8)
    for start in range(0, len(flat), 2**24):
        checksum = zlib.crc32(flat[start : start + 2**24].data, checksum)
    if checksum != member.info.CRC:
        raise DataError(f"{path} is damaged: {member.name!r} does not match its checksum", remedy="Get the file anew")


def _class_names(archive: zipfile.ZipFile, found: Mapping[str, Member], path: Path) -> tuple[str, ...] | None:
    for name in _NAMES:
        if name in found and len(found[name].shape) == 1 and found[name].dtype.kind in "US":
            return tuple(_as_texts(_read(archive, found, name, path, 1.0)))
    return None


def _stored(
    archive: zipfile.ZipFile, found: Mapping[str, Member], count: int, path: Path
) -> list[tuple[str, str | None]] | None:
    ids = _texts(archive, found, "ids", count, path)
    if ids is None:
        return None
    contents: Sequence[str | None] | None = _texts(archive, found, "content", count, path)
    return list(zip(ids, contents or [None] * count, strict=True))


def _texts(
    archive: zipfile.ZipFile, found: Mapping[str, Member], name: str, count: int, path: Path
) -> list[str] | None:
    if name not in found or found[name].dtype.kind not in "US":
        return None
    if found[name].shape != (count,):
        raise DataError(
            f"{path}: {name!r} and the images differ in length",
            expected=str(count),
            found=str(found[name].shape),
            remedy="Remove the array, or write the data anew",
        )
    return _as_texts(_read(archive, found, name, path, 1.0))


def _as_texts(array: np.ndarray) -> list[str]:
    return [item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item) for item in array.tolist()]


def _good_rows(
    labels: np.ndarray, count: int, class_names: Sequence[str] | None, where: str, skip_bad: bool
) -> tuple[np.ndarray, list[SkippedSample]]:
    """Rows whose label is usable. Only with `skip_bad` are there others; else `to_labels` raises for them."""
    rows = np.arange(count)
    plain = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if not skip_bad or plain.shape != (count,) or plain.dtype.kind not in "iuf":
        return _same_length(labels, rows, where), []
    high = np.inf if class_names is None else len(class_names)
    good = (plain >= 0) & (plain < high) & (plain == np.floor(plain))
    skipped = [SkippedSample(f"{where}, row {row}", f"label {plain[row]} outside the classes") for row in rows[~good]]
    if not good.any():
        raise EmptyDataError(f"{where} has no usable label", found=f"{count} outside the classes")
    return rows[good], skipped


def _same_length(labels: np.ndarray, rows: np.ndarray, where: str) -> np.ndarray:
    if labels.ndim == 0 or len(labels) != len(rows):
        raise LabelError(f"{where} needs one label an image", expected=str(len(rows)), found=f"shape {labels.shape}")
    return rows
