"""Shapes of tensors as types. In use they are plain Tensor; the tests check them at every call (tests/conftest.py).

Letters mean the same size within one call: n samples, c channels, h rows, w columns, k classes.
"""

from __future__ import annotations

from typing import TypeAlias

from jaxtyping import Float, Int64, Shaped
from torch import Tensor

Images: TypeAlias = Shaped[Tensor, "n c h w"]
FloatImages: TypeAlias = Float[Tensor, "n c h w"]
FloatMasks: TypeAlias = Float[Tensor, "n maps h w"]
Samples: TypeAlias = Shaped[Tensor, "n *sample"]
Region: TypeAlias = Shaped[Tensor, "n c rows columns"]
AnyPattern: TypeAlias = Shaped[Tensor, "c rows columns"]
Pattern: TypeAlias = Float[Tensor, "c rows columns"]
Matrix: TypeAlias = Float[Tensor, "rows columns"]
Logits: TypeAlias = Float[Tensor, "n k"]
Whole: TypeAlias = Int64[Tensor, " n"]
Real: TypeAlias = Float[Tensor, " n"]
