"""How one sample is stored in a file: verbatim where its original bytes still say its pixels, else as PNG."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

import numpy as np

from bezoar.data.dataset import Dataset
from bezoar.data.images import decode_image, encode_png, suffix_of
from bezoar.data.names import safe_name
from bezoar.errors import DataError, UnreadableSampleError, UnsafeDataError

_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")
_PATH_ID = re.compile(r"[0-9a-f]{16}:(?P<path>.+)", re.DOTALL)


def stored_form(dataset: Dataset, row: int) -> tuple[str, bytes]:
    """File suffix and bytes that decode to exactly the pixels of a row.

    The original bytes are taken only after decoding them: a resized or changed sample no longer has any.
    """
    pixels = dataset.inputs[row].permute(1, 2, 0).numpy()
    original = dataset.encoded.encoded(dataset.ids[row]) if dataset.encoded is not None else None
    if original is not None and _says(original[1], pixels):
        suffix, content = original
        return (suffix.lower() if _SUFFIX.fullmatch(suffix) else suffix_of(content)), content
    return ".png", encode_png(pixels)


def original_place(sample_id: str, folder: str, suffix: str) -> str | None:
    """The relative path in an id, where it lies in the class folder `folder` and no system would refuse it."""
    match = _PATH_ID.fullmatch(sample_id)
    parts = match["path"].split("/") if match else []
    if len(parts) < 2 or parts[0] != folder or not parts[-1].casefold().endswith(suffix):
        return None
    return "/".join(parts) if all(safe_name(part) == part for part in parts) else None


def sample_stem(sample_id: str) -> str:
    """A file name without suffix for a sample: that of its path if its id has one, else the id itself."""
    match = _PATH_ID.fullmatch(sample_id)
    if match:
        return safe_name(PurePosixPath(match["path"]).stem or "sample")
    return safe_name(sample_id.replace("#", "-"))


def check_writable(dataset: Dataset) -> None:
    """Raise DataError for what no format could give back: samples that are no images, texts that are no UTF-8."""
    if not dataset.is_images:
        raise DataError(f"{dataset.name}: only images can be written", found=f"samples of shape {dataset.shape}")
    _check_texts(dataset.ids, f"{dataset.name}, ids")
    _check_texts((source for source in dataset.sources or () if source), f"{dataset.name}, sources")
    _check_texts(dataset.class_names, f"{dataset.name}, class names")


def _check_texts(texts: Iterable[str], where: str) -> None:
    for text in texts:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise DataError(f"{where}: {text!r} is no valid Unicode", remedy="Rename it") from error
        if "\0" in text:
            raise DataError(f"{where}: {text!r} contains a NUL character", remedy="Rename it")


def _says(content: bytes, pixels: np.ndarray) -> bool:
    try:
        return np.array_equal(decode_image(content, "the original"), pixels)
    except (UnreadableSampleError, UnsafeDataError):
        return False
