"""Data sets from arrays and from PyTorch's own data sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bezoar.data.dataset import Dataset, SkippedSample
from bezoar.data.gather import IdGiver, ImageStore, Label, check_label, number_labels, short_hash, tell_skipped
from bezoar.data.images import fit_pixels, picture_pixels, quiet_decoding
from bezoar.data.memory import allocate
from bezoar.data.options import Fit
from bezoar.errors import (
    DataError,
    EmptyDataError,
    LabelError,
    ShapeError,
    UnreadableSampleError,
    UnsafeDataError,
    UsageError,
)

Layout = Literal["auto", "nhwc", "nchw"]
_CHUNK_BYTES = 16 * 2**20


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


def from_torch_dataset(
    dataset: Any,
    *,
    class_names: Sequence[str] | None = None,
    size: int | None = None,
    fit: Fit = "crop",
    name: str | None = None,
    skip_bad: bool = False,
    memory_share: float = 0.25,
) -> Dataset:
    """A Dataset from any map-style `torch.utils.data.Dataset` of (picture, label) pairs.

    A picture is a Pillow image, a uint8 array (h, w[, c]) or tensor ([c, ]h, w), or a float one in 0..1;
    the other place of the channels is understood when only that makes 1 or 3 of them. Class names are
    those given, else the `classes` of the data set, else numbers. Randomness in its transforms is the caller's.
    """
    count = _map_style_length(dataset)
    where = name or type(dataset).__name__
    if class_names is None:
        class_names = _classes_of(dataset)
    store, labels, skipped = ImageStore(count, memory_share), cast(list[Label], []), cast(list[SkippedSample], [])
    with quiet_decoding():
        for number in range(count):
            place = f"{where}[{number}]"
            try:
                pixels, label = _item(dataset, number, place, size, fit)
                check_label(label, class_names, place)
            except (UnreadableSampleError, UnsafeDataError, LabelError) as error:
                if not skip_bad:
                    raise
                skipped.append(SkippedSample(place, str(error)))
                continue
            store.add(pixels, place)
            labels.append(label)
    if not labels:
        raise EmptyDataError(f"{where} holds no usable sample", found=f"{len(skipped)} left out")
    numbers, names = number_labels(labels, class_names, where)
    tell_skipped(skipped, where)
    images = store.tensor()
    return Dataset(images, numbers, names, row_ids(images), name=where, skipped=tuple(skipped))


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
    for start, stop in chunks(pixels):
        rows = np.ascontiguousarray(pixels[start:stop])
        for number, row in enumerate(rows, start=start):
            ids.append(giver.give(short_hash(row), stored=None if stored is None else stored[number]))
    return tuple(ids)


def chunks(array: np.ndarray) -> Iterator[tuple[int, int]]:
    """Edges of pieces of about 16 MiB along the first axis."""
    step = max(1, _CHUNK_BYTES // max(1, array[:1].nbytes))
    return ((start, min(start + step, len(array))) for start in range(0, len(array), step))


def to_images(
    images: np.ndarray | Tensor, where: str, *, layout: Layout = "auto", memory_share: float = 0.25
) -> Tensor:
    """uint8 (n, c, h, w), channels-last, by the rules of `from_arrays`. `where` names the array in errors."""
    array = images.detach().cpu().numpy() if isinstance(images, Tensor) else np.asarray(images)
    array = _channels_last(array, where, layout)
    if len(array) == 0:
        raise EmptyDataError(f"{where} holds no images", remedy="Give at least one")
    scale = _scale(array, where)
    if array.dtype == np.uint8 and array.flags.c_contiguous and array.flags.writeable:
        return torch.from_numpy(array).permute(0, 3, 1, 2)
    n, height, width, channels = array.shape
    tensor = allocate(n, channels, height, width, memory_share=memory_share)
    target = tensor.permute(0, 2, 3, 1).numpy()
    for start, stop in chunks(array):
        piece = array[start:stop]
        target[start:stop] = np.rint(piece * scale) if array.dtype.kind == "f" else piece * np.uint8(scale)
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
        raise LabelError(f"{where} needs one label an image", expected=str(count), found=_shape_text(array.shape))
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
            found=_shape_text(array.shape),
        )
    classes: np.ndarray = array.argmax(axis=1)
    return classes


def _channels_last(array: np.ndarray, where: str, layout: Layout) -> np.ndarray:
    if array.ndim == 3:
        return array[:, :, :, None]
    if array.ndim != 4:
        raise ShapeError(
            f"{where} does not hold images",
            expected="(n, h, w, c), (n, c, h, w) or (n, h, w)",
            found=_shape_text(array.shape),
        )
    last = layout == "nhwc" or (layout == "auto" and array.shape[3] in (1, 3))
    first = layout == "nchw" or (layout == "auto" and array.shape[1] in (1, 3))
    if not last and not first:
        raise ShapeError(
            f"{where} has no axis of 1 or 3 channels",
            expected="(n, h, w, c) or (n, c, h, w)",
            found=_shape_text(array.shape),
            remedy="Leave out an alpha channel, or state the layout with from_arrays(..., layout=...)",
        )
    shaped = array if last else array.transpose(0, 2, 3, 1)
    if len(shaped) and 0 in shaped.shape:
        raise ShapeError(f"{where} holds images of no size", found=_shape_text(array.shape))
    return shaped


def _scale(array: np.ndarray, where: str) -> int:
    """What values are multiplied by to become 0..255; raises DataError for values outside every accepted range."""
    kind = array.dtype.kind
    if array.dtype == np.uint8:
        return 1
    if kind == "b":
        return 255
    if kind not in "iuf":
        raise DataError(f"{where} does not hold pixel values", expected="uint8 or float", found=str(array.dtype))
    low, high = np.inf, -np.inf
    for start, stop in chunks(array):
        piece = array[start:stop]
        if kind == "f" and not np.isfinite(piece).all():
            row = start + int(np.flatnonzero(~np.isfinite(piece).all(axis=(1, 2, 3)))[0])
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


def _map_style_length(dataset: Any) -> int:
    if isinstance(dataset, torch.utils.data.IterableDataset) or not hasattr(dataset, "__getitem__"):
        raise UsageError(
            f"{type(dataset).__name__} is not a map-style data set", expected="len(dataset) and dataset[number]"
        )
    try:
        count = len(dataset)
    except (TypeError, NotImplementedError) as error:
        raise UsageError(f"{type(dataset).__name__} has no length", expected="len(dataset)") from error
    if count == 0:
        raise EmptyDataError(f"{type(dataset).__name__} holds no samples")
    return count


def _classes_of(dataset: Any) -> tuple[str, ...] | None:
    classes = getattr(dataset, "classes", None)
    if classes is None and hasattr(dataset, "dataset"):  # a Subset keeps the whole set there
        return _classes_of(dataset.dataset)
    if isinstance(classes, (list, tuple)) and classes:
        # Some sets give synonyms of a class as a tuple; the first stands for all.
        return tuple(str(item[0]) if isinstance(item, tuple) and item else str(item) for item in classes)
    return None


def _item(dataset: Any, number: int, place: str, size: int | None, fit: Fit) -> tuple[np.ndarray, Label]:
    try:
        picture, label = dataset[number]
    except (TypeError, ValueError, OSError, SyntaxError) as error:
        raise UnreadableSampleError(
            f"{place} cannot be had",
            expected="a pair of picture and label",
            found=str(error),
            remedy="Mend the data set, or leave such samples out with skip_bad",
        ) from error
    return _pixels(picture, place, size, fit), _label(label, place)


def _pixels(picture: object, place: str, size: int | None, fit: Fit) -> np.ndarray:
    if isinstance(picture, Image.Image):
        return picture_pixels(picture, place, size=size, fit=fit)
    if not isinstance(picture, (Tensor, np.ndarray)) or picture.ndim not in (2, 3):
        found = _shape_text(picture.shape) if isinstance(picture, (Tensor, np.ndarray)) else type(picture).__name__
        raise ShapeError(f"{place} is no picture", expected="a Pillow image, or an array of 2 or 3 axes", found=found)
    array = picture.detach().cpu().numpy() if isinstance(picture, Tensor) else picture
    layout = _item_layout(array, isinstance(picture, Tensor))
    if array.dtype.kind == "f" and array.size and array.max() > 1:
        raise DataError(
            f"{place} holds floats over 1",
            expected="floats in 0..1 or uint8",
            found=f"{array.max()}",
            remedy="Leave normalisation out of the transform",
        )
    rows = _channels_last(array[None], place, layout)
    pixels = np.rint(rows[0] * _scale(rows, place)).astype(np.uint8)
    return pixels if size is None else fit_pixels(pixels, size, fit)


def _item_layout(array: np.ndarray, tensor: bool) -> Layout:
    """Channels first in tensors and last in arrays, unless only the other place makes 1 or 3 channels."""
    if array.ndim == 2:
        return "nhwc"
    first, last = array.shape[0] in (1, 3), array.shape[2] in (1, 3)
    if not first and not last:
        return "auto"
    return "nchw" if (first if tensor else not last) else "nhwc"


def _label(label: object, place: str) -> Label:
    if isinstance(label, str):
        return label
    try:
        return int(cast(Any, label).__index__())
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise LabelError(
            f"{place} has no class as its label", expected="a number or a text", found=repr(label)
        ) from error


def _shape_text(shape: Sequence[int]) -> str:
    return "shape (" + ", ".join(str(side) for side in shape) + ")"
