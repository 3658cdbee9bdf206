"""The zip archive of a checkpoint: taken apart by one reader, written anew, so that no other reads it differently."""

from __future__ import annotations

import re
import shutil
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from bezoar.training.opening.checkpoints.formats import require_zip
from bezoar.training.opening.opened import GET_ANEW, SAVE_WEIGHTS, few, refusal

MOST_MEMBERS = 50_000
LARGEST_PICKLE = 32 * 2**20
LARGEST_DIRECTORY = 300 * MOST_MEMBERS
"""Bytes of the list of members at the end of a zip archive."""

PICKLE, BYTE_ORDER = "data.pkl", "byteorder"
STORAGE_NAME = re.compile(r"data/([0-9]{1,20})", re.ASCII)
DAMAGES = (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, NotImplementedError, struct.error)


@dataclass(frozen=True, eq=False)
class CheckpointArchive:
    """An open checkpoint: its pickle, the order of bytes in its numbers, and its storages by their keys."""

    archive: zipfile.ZipFile
    pickle: bytes
    byte_order: bytes
    storages: dict[str, zipfile.ZipInfo]

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each storage."""
        return {key: member.file_size for key, member in self.storages.items()}

    def write_anew(self, target: Path) -> None:
        """A clean archive with the pickle that was examined, and the storages, and nothing else.

        Raises BadZipFile where a storage doesn't match its checksum.
        """
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as clean:
            clean.writestr(f"weights/{PICKLE}", self.pickle)
            clean.writestr(f"weights/{BYTE_ORDER}", self.byte_order)
            clean.writestr("weights/version", b"3\n")
            for key, member in self.storages.items():
                place = zipfile.ZipInfo(f"weights/data/{key}")
                place.file_size = member.file_size
                with self.archive.open(member) as source, clean.open(place, "w") as copy:
                    shutil.copyfileobj(source, copy, 2**20)


@contextmanager
def opened_archive(path: Path) -> Iterator[CheckpointArchive]:
    """The checkpoint in a zip archive. Raises ModelError for another format or what torch would not write."""
    require_zip(path)
    with path.open("rb") as file:
        try:
            _require_short_directory(file)
            with zipfile.ZipFile(file) as archive:
                yield _taken_apart(archive, path)
        except DAMAGES as error:
            raise refusal(
                path,
                "is no whole checkpoint",
                expected="a zip archive as torch.save writes it",
                found=str(error),
                remedy=GET_ANEW,
            ) from error


def _require_short_directory(file: IO[bytes]) -> None:
    """Raise ValueError where the list of members is longer than any checkpoint's: reading it takes memory."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 98))
    tail = file.read()
    end = tail[-22:]
    if end[:4] != b"PK\x05\x06":
        raise ValueError("no end of an archive where the file ends")
    lengths = [struct.unpack("<I", end[12:16])[0]]
    if tail[-42:-38] == b"PK\x06\x07":
        if tail[-98:-94] != b"PK\x06\x06" or struct.unpack("<Q", tail[-34:-26])[0] != size - 98:
            raise ValueError("an end of an archive in two places")
        lengths = [struct.unpack("<Q", tail[-58:-50])[0]]
    if max(lengths) > LARGEST_DIRECTORY:
        raise ValueError(f"a list of members of {max(lengths):,} bytes")
    file.seek(0)


def _taken_apart(archive: zipfile.ZipFile, path: Path) -> CheckpointArchive:
    members = archive.infolist()
    _require_names(members, path)
    folder = members[0].filename.partition("/")[0] if members else ""
    named = {member.filename.removeprefix(f"{folder}/"): member for member in members}
    _refuse_programs(named, path)
    _require_plain_members(members, path)
    if PICKLE not in named or any(not member.filename.startswith(f"{folder}/") for member in members):
        raise refusal(
            path,
            "is a zip archive and no torch checkpoint",
            expected=f"one folder in it, with {PICKLE}",
            found=few([member.filename for member in members]),
            remedy=SAVE_WEIGHTS,
        )
    if named[PICKLE].file_size > LARGEST_PICKLE:
        raise ValueError(f"a pickle of {named[PICKLE].file_size:,} bytes, apart from its numbers")
    order = archive.read(named[BYTE_ORDER]) if BYTE_ORDER in named else b"little"
    if order not in (b"little", b"big"):
        raise ValueError(f"an order of bytes that is none: {order[:20]!r}")
    storages = {match[1]: member for name, member in named.items() if (match := STORAGE_NAME.fullmatch(name))}
    return CheckpointArchive(archive, archive.read(named[PICKLE]), order, storages)


def _require_names(members: list[zipfile.ZipInfo], path: Path) -> None:
    """Raise ModelError for too many members, names that lead elsewhere, or names that two readers may confuse."""
    if len(members) > MOST_MEMBERS:
        raise ValueError(f"{len(members):,} members")
    seen: set[str] = set()
    for member in members:
        name = member.filename
        # The name as the archive has it: zipfile cuts it at a null byte, other readers don't.
        if name != member.orig_filename or not name.isprintable() or not name.isascii() or "\\" in name or ":" in name:
            raise refusal(path, "has a member with an odd name", found=repr(member.orig_filename), remedy=GET_ANEW)
        if ".." in PurePosixPath(name).parts or name.startswith("/") or "//" in name:
            raise refusal(path, "has a member whose name leads elsewhere", found=repr(name), remedy=GET_ANEW)
        if name.casefold() in seen:
            raise refusal(
                path,
                "has two members of one name, of which readers may see different ones",
                found=repr(name),
                remedy=GET_ANEW,
            )
        seen.add(name.casefold())


def _refuse_programs(named: dict[str, zipfile.ZipInfo], path: Path) -> None:
    """Raise ModelError for archives that hold a program beside weights: torch falls back to unpickling all of it."""
    if "constants.pkl" in named or any(name.startswith("code/") for name in named):
        raise refusal(path, "is a TorchScript archive, which holds a program", remedy=SAVE_WEIGHTS)
    exported = ("archive_format", "models/", "serialized_exported_program", "extra/")
    if any(name.startswith(exported) for name in named) and PICKLE not in named:
        raise refusal(path, "is an exported program (.pt2), which holds more than weights", remedy=SAVE_WEIGHTS)
    if any(name.endswith(".npy") for name in named):
        raise refusal(path, "is an archive of numpy arrays (.npz), not a torch checkpoint", remedy=SAVE_WEIGHTS)


def _require_plain_members(members: list[zipfile.ZipInfo], path: Path) -> None:
    """Raise ModelError for members that are compressed, encrypted, or overlap: torch.save writes none of these."""
    odd = [one.filename for one in members if one.compress_type or one.flag_bits & 1 or one.is_dir()]
    if odd or any(one.compress_size != one.file_size for one in members):
        raise refusal(
            path,
            "has compressed or encrypted members, which may unpack to any size",
            expected="plain ones, as torch.save writes them",
            found=few(odd),
            remedy=SAVE_WEIGHTS,
        )
    if sum(one.file_size for one in members) > path.stat().st_size:
        raise refusal(path, "has members that overlap, so that it unpacks to more than it holds", remedy=GET_ANEW)
    if members and min(one.header_offset for one in members) != 0:
        raise refusal(path, "begins with something else than its first member", remedy=GET_ANEW)
