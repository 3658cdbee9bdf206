"""Data sets from arrays, and what readers of arrays share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from bezoar.data.dataset import Dataset
from bezoar.data.ids import short_hash
from bezoar.data.images import fit_pixels
from bezoar.data.memory import allocate, chunks
from bezoar.data.options import Fit
from bezoar.data.readers.gather import IdGiver, ImageStore, check_label, number_labels
from bezoar.errors import (
    DataError,
    EmptyDataError,
    LabelError,
    ShapeError,
)

Layout = Literal["auto", "nhwc", "nchw"]


def from_arrays(
    images: np.ndarray | Tensor,
    labels: Sequence[int] | Sequence[str] | np.ndarray | Tensor,
    *,
    class_names: Sequence[str] | None = None,
    ids: Sequence[str] | None = None,
    sources: Sequence[str | None] | None = None,
    name: str = "arrays",
    layout: Layout = "auto",
    memory_share: float = 0.25,
) -> Dataset:
    """A Dataset from images (n, h, w, c), (n, c, h, w) or (n, h, w) and n labels.

    With layout `auto` the channels are the last axis when it is 1 or 3 long, else axis 1 when that is; grey
    images need no channel axis. Values: bool; integers in 0..255; floats in 0..1 (when none is over 1, then
    scaled by 255) or 0..255, rounded; anything else, NaN too, is a DataError. Labels: integers from 0, whole
    floats, one-hot rows, or texts. Ids are computed from the uint8 pixels of each sample, whatever the layout.
    Writable uint8 arrays that need no conversion are shared, not copied.
    """
    tensor = to_images(images, name, layout=layout, memory_share=memory_share)
    numbers, names = to_labels(labels, len(tensor), class_names, name)
    given = tuple(ids) if ids is not None else row_ids(tensor)
    known = None if sources is None else tuple(sources)
    return Dataset(inputs=tensor, labels=numbers, class_names=names, ids=given, sources=known, name=name)


def resized(dataset: Dataset, size: int, fit: Fit, memory_share: float) -> Dataset:
    """The data set with every picture size x size; ids stay, and so does a data set that has the size already."""
    if dataset.shape[1:] == (size, size):
        return dataset
    store = ImageStore(len(dataset), memory_share)
    for row, pixels in zip(dataset.ids, image_rows(dataset.inputs), strict=True):
        store.add(fit_pixels(pixels, size, fit), row)
    return replace(dataset, inputs=store.tensor())


def image_rows(images: Tensor) -> Iterator[np.ndarray]:
    """Each image of a uint8 (n, c, h, w) tensor as (h, w, c) pixels."""
    yield from images.permute(0, 2, 3, 1).numpy()


def row_ids(images: Tensor, stored: Sequence[tuple[str, str | None]] | None = None) -> tuple[str, ...]:
    """Ids of images from the bytes of their (h, w, c) pixels; `stored` ones are kept where their hash matches."""
    giver = IdGiver()
    pixels = images.permute(0, 2, 3, 1).numpy()
    ids = []
    for part in chunks(len(pixels), pixels[:1].nbytes):
        for number, row in enumerate(np.ascontiguousarray(pixels[part]), start=part.start):
            ids.append(giver.give(short_hash(row), stored=None if stored is None else stored[number]))
    return tuple(ids)


def to_images(
    images: np.ndarray | Tensor, where: str, *, layout: Layout = "auto", memory_share: float = 0.25
) -> Tensor:
    """uint8 (n, c, h, w), channels-last, by the rules of `from_arrays`. `where` names the array in errors."""
    array = images.detach().cpu().numpy() if isinstance(images, Tensor) else np.asarray(images)
    array = channels_last(array, where, layout)
    if len(array) == 0:
        raise EmptyDataError(f"{where} holds no images", remedy="Give at least one")
    factor = scale_of(array, where)
    if array.dtype == np.uint8 and array.flags.c_contiguous and array.flags.writeable:
        return torch.from_numpy(array).permute(0, 3, 1, 2)
    n, height, width, channels = array.shape
    tensor = allocate(n, channels, height, width, memory_share=memory_share)
    target = tensor.permute(0, 2, 3, 1).numpy()
    for part in chunks(len(array), array[:1].nbytes):
        piece = array[part]
        target[part] = np.rint(piece * factor) if array.dtype.kind == "f" else piece * np.uint8(factor)
    return tensor


def to_labels(
    labels: Sequence[int] | Sequence[str] | np.ndarray | Tensor,
    count: int,
    class_names: Sequence[str] | None,
    where: str,
) -> tuple[Tensor, tuple[str, ...]]:
    """int64 labels (n,) and class names by the rules of `from_arrays`. Raises LabelError naming the first bad row."""
    array = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2:
        array = _from_one_hot(array, where)
    if array.shape != (count,):
        raise LabelError(f"{where} needs one label an image", expected=str(count), found=shape_text(array.shape))
    if array.dtype.kind in "USO" and all(isinstance(item, (str, bytes)) for item in array):
        texts = [item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item) for item in array]
        for row, text in enumerate(texts):
            check_label(text, class_names, f"{where}, row {row}")
        return number_labels(texts, class_names, where)
    return number_labels(_whole(array, class_names, where).tolist(), class_names, where)


def _whole(array: np.ndarray, class_names: Sequence[str] | None, where: str) -> np.ndarray:
    if array.dtype.kind not in "iufb":
        raise LabelError(f"{where} has labels of an unknown kind", expected="numbers or texts", found=str(array.dtype))
    wrong = np.flatnonzero(~(np.isfinite(array) & (array == np.floor(array))))
    if len(wrong):
        raise LabelError(f"{where}, row {wrong[0]} has a label that is no whole number", found=str(array[wrong[0]]))
    high = 2**53 if class_names is None else len(class_names)
    outside = np.flatnonzero((array < 0) | (array >= high))
    if len(outside):
        check_label(int(array[outside[0]]), class_names, f"{where}, row {outside[0]}")
        raise LabelError(f"{where}, row {outside[0]} has a label too large for a class", found=str(array[outside[0]]))
    return array.astype(np.int64)


def _from_one_hot(array: np.ndarray, where: str) -> np.ndarray:
    if array.dtype.kind not in "iufb" or not (((array == 0) | (array == 1)).all() and (array.sum(axis=1) == 1).all()):
        raise LabelError(
            f"{where} has two-dimensional labels",
            expected="one label an image, or rows that are 1 for the class and 0 elsewhere",
            found=shape_text(array.shape),
        )
    classes: np.ndarray = array.argmax(axis=1)
    return classes


def channels_last(array: np.ndarray, where: str, layout: Layout) -> np.ndarray:
    """A view of images as (n, h, w, c), by the rules of `from_arrays`."""
    if array.ndim == 3:
        return array[:, :, :, None]
    if array.ndim != 4:
        raise ShapeError(
            f"{where} does not hold images",
            expected="(n, h, w, c), (n, c, h, w) or (n, h, w)",
            found=shape_text(array.shape),
        )
    last = layout == "nhwc" or (layout == "auto" and array.shape[3] in (1, 3))
    first = layout == "nchw" or (layout == "auto" and array.shape[1] in (1, 3))
    if not last and not first:
        raise ShapeError(
            f"{where} has no axis of 1 or 3 channels",
            expected="(n, h, w, c) or (n, c, h, w)",
            found=shape_text(array.shape),
            remedy="Leave out an alpha channel, or state the layout with from_arrays(..., layout=...)",
        )
    shaped = array if last else array.transpose(0, 2, 3, 1)
    if len(shaped) and 0 in shaped.shape:
        raise ShapeError(f"{where} holds images of no size", found=shape_text(array.shape))
    return shaped


def scale_of(array: np.ndarray, where: str) -> int:
    """What values are multiplied by to become 0..255; raises DataError for values outside every accepted range."""
    kind = array.dtype.kind
    if array.dtype == np.uint8:
        return 1
    if kind == "b":
        return 255
    if kind not in "iuf":
        raise DataError(f"{where} does not hold pixel values", expected="uint8 or float", found=str(array.dtype))
    low, high = np.inf, -np.inf
    for part in chunks(len(array), array[:1].nbytes):
        piece = array[part]
        if kind == "f" and not np.isfinite(piece).all():
            row = part.start + int(np.flatnonzero(~np.isfinite(piece).all(axis=(1, 2, 3)))[0])
            raise DataError(
                f"{where}, row {row} holds NaN or infinite pixels",
                expected="0..1 or 0..255",
                remedy="Mend these pixels",
            )
        low, high = min(low, piece.min()), max(high, piece.max())
    if low < 0 or high > 255:
        raise DataError(
            f"{where} holds pixels out of range",
            expected="integers in 0..255, or floats in 0..1 or 0..255",
            found=f"{low} to {high}",
            remedy="Undo any normalisation, so that pixels are in 0..255",
        )
    return 255 if kind == "f" and high <= 1 else 1


def shape_text(shape: Sequence[int]) -> str:
    """A shape as errors show it."""
    return "shape (" + ", ".join(str(side) for side in shape) + ")"
