"""Labels and predictions as checked integer arrays, so that every metric fails with the same words."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bezoar.errors import DataError, EmptyDataError, LabelError, ShapeError

Labels: TypeAlias = Tensor | NDArray[np.int64]


def label_array(values: Labels, name: str, *, classes: int | None = None) -> NDArray[np.int64]:
    """Labels as an int64 array (n,), checked to lie in 0..classes-1, or merely not below 0 without `classes`.

    `name` is what an error calls them. Raises ShapeError, EmptyDataError or LabelError.
    """
    array = _as_numpy(values)
    if array.ndim != 1:
        raise ShapeError(
            f"{name} must have one axis",
            expected="(n,)",
            found=str(array.shape),
            remedy="Give class numbers; of logits (n, classes) take argmax over the last axis",
        )
    if array.size == 0:
        raise EmptyDataError(f"{name} are empty", remedy="Measure on at least one sample")
    if array.dtype.kind not in "iu":
        raise LabelError(f"{name} must be integers", expected="int64", found=str(array.dtype))
    numbers: NDArray[np.int64] = array.astype(np.int64)
    _check_range(numbers, name, classes)
    return numbers


def paired_arrays(classes: int | None = None, **parts: Labels) -> tuple[NDArray[np.int64], ...]:
    """Labels and predictions of the same samples, row by row, under the names given.

    Raises what `label_array` raises, and DataError when their lengths differ.
    """
    arrays = {name: label_array(values, name.replace("_", " "), classes=classes) for name, values in parts.items()}
    lengths = {name.replace("_", " "): len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(
            f"{' and '.join(lengths)} differ in length",
            expected="one prediction for each label",
            found=", ".join(f"{length} {name}" for name, length in lengths.items()),
        )
    return tuple(arrays.values())


def _as_numpy(values: Labels) -> NDArray[np.generic]:
    if not isinstance(values, Tensor):
        return np.asarray(values)
    tensor = values.detach().cpu()
    # NumPy has no bfloat16; as float32 it is refused later, like any other fraction.
    return np.asarray(tensor.float() if tensor.dtype == torch.bfloat16 else tensor)


def _check_range(numbers: NDArray[np.int64], name: str, classes: int | None) -> None:
    low, high = int(numbers.min()), int(numbers.max())
    if low >= 0 and (classes is None or high < classes):
        return
    raise LabelError(
        f"{name} lie outside the classes",
        expected="0 or above" if classes is None else f"0..{classes - 1} for {classes} classes",
        found=str(low if low < 0 else high),
        remedy="Give the class names that belong to these labels, and a model with as many outputs",
    )
