"""Places in the corners and the center of an image."""

from __future__ import annotations

from typing import Literal, get_args

Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right", "center"]
PLACES: tuple[str, ...] = get_args(Corner)


def place_of(corner: str, rows_left: int, columns_left: int, *, margin: int = 0) -> tuple[int, int]:
    """Top and left of what leaves so many rows and columns free, `margin` pixels from the edges of a corner."""
    if corner == "center":
        return rows_left // 2, columns_left // 2
    top = margin if corner.startswith("top") else rows_left - margin
    return top, margin if corner.endswith("left") else columns_left - margin
