"""The arrays inside an .npz file, read without ever unpickling and without trusting its sizes."""

from __future__ import annotations

import math
import mmap
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

import numpy as np

from bezoar.data.memory import allocate_bytes, physical_memory
from bezoar.errors import DataError, UnsafeDataError

_CHUNK = 2**24
_LOCAL_HEADER = struct.Struct("<4s22xHH")


@dataclass
class Member:
    """One array of an archive: its place, and what its header says. `header` are the bytes before the data."""

    name: str
    info: zipfile.ZipInfo
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    fortran: bool
    header: bytes
    mapped: bool = False

    @property
    def size(self) -> int:
        """Bytes of data."""
        return math.prod(self.shape) * self.dtype.itemsize


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open an .npz file. Raises UnsafeDataError when it is a pickle, DataError when it is no .npz."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
        if start[:1] == b"\x80":
            raise pickled(str(path))
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        single = start.startswith(b"\x93NUMPY")
        raise DataError(
            f"{path} is not a whole .npz file",
            expected="a zip of .npy arrays, as np.savez writes",
            found="a single .npy array" if single else str(error),
            remedy="Save images and labels together with np.savez" if single else "Get the file anew",
        ) from error


def members(archive: zipfile.ZipFile, path: Path) -> dict[str, Member]:
    """The arrays of an archive by name. Raises UnsafeDataError for pickles and for names that lead elsewhere."""
    found: dict[str, Member] = {}
    for info in archive.infolist():
        _check_name(info.filename, path)
        name = info.filename.removesuffix(".npy")
        if name in found:
            raise UnsafeDataError(
                f"{path} holds {name!r} twice", remedy="Get the file anew; readers may disagree on it"
            )
        if info.filename.endswith(".npy"):
            found[name] = _member(archive, info, name, path)
    return found


def read_member(archive: zipfile.ZipFile, member: Member, path: Path, memory_share: float) -> np.ndarray:
    """The array of a member: mapped copy-on-write when stored plainly and large, else read and checked."""
    large = member.size > memory_share * physical_memory()
    if large and member.info.compress_type == zipfile.ZIP_STORED:
        flat = _mapped(member, path)
    else:
        flat = allocate_bytes(max(1, member.size), memory_share=memory_share)[: member.size]
        _fill(archive, member, flat, path)
    values: np.ndarray = flat.view(member.dtype) if member.dtype.itemsize else np.zeros(member.shape, member.dtype)
    if member.fortran:
        return values.reshape(member.shape[::-1]).transpose()
    return values.reshape(member.shape)


def pickled(where: str) -> UnsafeDataError:
    """The error for data that only unpickling could read."""
    return UnsafeDataError(
        f"{where} is a pickle, which runs code when it is read",
        expected="plain arrays",
        remedy="Have its author save plain numbers and texts with np.savez, without objects",
    )


def _check_name(name: str, path: Path) -> None:
    if (
        ".." in PurePosixPath(name).parts
        or name.startswith("/")
        or "\\" in name
        or PureWindowsPath(name).drive
        or any(ord(char) < 32 for char in name)
    ):
        raise UnsafeDataError(
            f"{path} has a member whose name leads elsewhere",
            found=repr(name),
            remedy="Do not unpack this file; get it anew from its origin",
        )


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, path: Path) -> Member:
    where = f"{path}, array {name!r}"
    try:
        with archive.open(info) as file:
            shape, fortran, dtype = _header(file)
            length = file.tell()
        with archive.open(info) as file:
            header = file.read(length)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{where} is damaged", found=str(error)[:200], remedy="Get the file anew") from error
    if dtype.hasobject:
        raise pickled(where)
    member = Member(name, info, shape, dtype, fortran, header)
    if any(side < 0 for side in shape) or length + member.size != info.file_size:
        raise UnsafeDataError(
            f"{where} is not as large as it says",
            expected=f"{length + member.size:,} bytes for shape {shape}",
            found=f"{info.file_size:,}",
            remedy="Get the file anew",
        )
    return member


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise ValueError(f"an .npy of version {version}")


def _fill(archive: zipfile.ZipFile, member: Member, flat: np.ndarray, path: Path) -> None:
    try:
        with archive.open(member.info) as file:
            file.read(len(member.header))
            view, position = flat.data, 0
            while position < len(flat):
                piece = file.read(min(_CHUNK, len(flat) - position))
                if not piece:
                    raise EOFError("it ends too early")
                view[position : position + len(piece)] = piece
                position += len(piece)
            file.read(1)  # reaching the end makes zipfile compare the checksum
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError) as error:
        raise DataError(
            f"{path}, array {member.name!r} is damaged", found=str(error), remedy="Get the file anew"
        ) from error


def _mapped(member: Member, path: Path) -> np.ndarray:
    with path.open("rb") as file:
        file.seek(member.info.header_offset)
        magic, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
        start = member.info.header_offset + _LOCAL_HEADER.size + name_length + extra_length + len(member.header)
        length = file.seek(0, 2)
        if magic != b"PK\x03\x04" or start + member.size > length:
            raise DataError(f"{path}, array {member.name!r} is damaged", remedy="Get the file anew")
        whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    member.mapped = True
    return np.frombuffer(whole, dtype=np.uint8, count=member.size, offset=start)
