"""What a file is, by its first bytes: pickles and other forms that are refused, each with what to do."""

from __future__ import annotations

from pathlib import Path

from bezoar.training.opening.checkpoints.instructions import dotted, named_globals
from bezoar.training.opening.opened import SAVE_WEIGHTS, few, refusal

ZIP = b"PK\x03\x04"
LEGACY_MAGIC = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
"""The number with which torch began its files before they were zip archives, as it is pickled."""

START = 2**16
"""Bytes at the start of a file that are looked at."""

KNOWN = (
    (b"\x93NUMPY", "is a numpy array, not a torch checkpoint"),
    (b"\x89HDF\r\n\x1a\n", "is an HDF5 file (as Keras writes), not a torch checkpoint"),
    (b"ORTM", "is a model of ONNX Runtime, not a torch checkpoint"),
    (b"\x1f\x8b", "is compressed with gzip, as joblib and others do with pickles"),
    (b"BZh", "is compressed with bzip2, as joblib and others do with pickles"),
    (b"\xfd7zXZ\x00", "is compressed with xz, as joblib and others do with pickles"),
    (b"\x5d\x00\x00", "is compressed with lzma, as joblib and others do with pickles"),
    (b"\x04\x22\x4d\x18", "is compressed with lz4, as joblib and others do with pickles"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd"),
    (b"ZF", "is a compressed pickle of an old joblib"),
    *((bytes((0x78, level)), "is compressed with zlib, as joblib does with pickles") for level in (1, 94, 156, 218)),
)


def require_zip(path: Path) -> None:
    """Raise ModelError that names what the file is unless it begins as a zip archive does."""
    with path.open("rb") as file:
        start = file.read(START)
    if start.startswith(ZIP):
        return
    raise refusal(
        path,
        _description(start),
        expected="a zip archive as torch.save writes it",
        found=_asks(start),
        remedy=SAVE_WEIGHTS,
    )


def _description(start: bytes) -> str:
    for magic, words in KNOWN:
        if start.startswith(magic):
            return words
    if not start:
        return "is empty"
    if start[257:262] == b"ustar":
        return "is a tar archive, torch's oldest format, which runs code when it is loaded"
    if LEGACY_MAGIC in start[:64]:
        return "is in torch's legacy format of plain pickles, which run code when they are loaded"
    if start[8:9] == b"{":
        return "seems to be a safetensors file under another name"
    if start[0] == 0x80 or _is_pickle(start):
        return "is a plain pickle, which runs code when it is loaded"
    return "is no torch checkpoint"


def _is_pickle(start: bytes) -> bool:
    """Whether the bytes can be read as a pickle, up to its end or to a global."""
    names, ended = named_globals(start)
    return bool(names) or ended


def _asks(start: bytes) -> str:
    names, _ = named_globals(start)
    return f"one that asks for {few([dotted(name) for name in names])}" if names else ""
