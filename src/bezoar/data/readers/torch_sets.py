"""Data sets from PyTorch's own map-style data sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bezoar.data.dataset import Dataset, SkippedSample
from bezoar.data.images import fit_pixels, picture_pixels, quiet_decoding
from bezoar.data.options import Fit
from bezoar.data.readers.arrays import Layout, channels_last, row_ids, scale_of, shape_text
from bezoar.data.readers.gather import SKIPPABLE, ImageStore, Label, check_label, number_labels, tell_skipped
from bezoar.errors import DataError, EmptyDataError, LabelError, ShapeError, UnreadableSampleError, UsageError


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
            except SKIPPABLE as error:
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
        found = shape_text(picture.shape) if isinstance(picture, (Tensor, np.ndarray)) else type(picture).__name__
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
    rows = channels_last(array[None], place, layout)
    pixels = np.rint(rows[0] * scale_of(rows, place)).astype(np.uint8)
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
