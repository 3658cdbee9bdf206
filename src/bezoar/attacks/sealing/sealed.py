"""Reading a truth file, trusting nothing in it: it may be damaged, forged or of another drill."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from bezoar.attacks.sealing.truth_file import FORMAT, HASH_BYTES, VERSION, Contents, Member
from bezoar.errors import TriggerError, TruthError, UsageError
from bezoar.triggers.base import TRIGGERS, Trigger
from bezoar.triggers.learnt import LearntTrigger
from bezoar.truth import PoisonTruth

MEMBERS = frozenset(["ids.json", "hashes.bin", "arrays.bin", "files.bin", "triggers.safetensors", "truth.json"])
MAX_JSON_BYTES = 2**30
BLOCK = 2**20
DTYPES = frozenset("biuf")

_DAMAGE = (zipfile.BadZipFile, OSError, EOFError, ValueError, KeyError, RuntimeError, struct.error, RecursionError)


@dataclass(frozen=True, eq=False)
class SealedTruth:
    """A truth file whose every member was checked; the large ones are read when they are needed."""

    path: Path
    contents: Contents
    ids: tuple[str, ...]
    hashes: np.ndarray
    offsets: dict[str, int]

    @property
    def truth(self) -> PoisonTruth:
        """What was poisoned."""
        return self.contents.truth

    def triggers(self) -> tuple[Trigger, ...]:
        """The trigger of each backdoor, with all that was learnt for it. Raises TruthError when that does not fit."""
        size = self.contents.members["triggers.safetensors"].size
        try:
            tensors = load(self._read("triggers.safetensors", 0, size))
            return tuple(
                _with_tensors(TRIGGERS.create(backdoor.trigger), tensors, f"{number}/")
                for number, backdoor in enumerate(self.truth.backdoors)
            )
        except (SafetensorError, TriggerError, RuntimeError, ValueError) as error:
            raise _damaged(self.path, f"triggers.safetensors: {error}") from error

    def array(self, number: int) -> np.ndarray:
        """The array of the `number`-th replaced sample."""
        dtype, shape = np.dtype(self.contents.dtype), self.contents.shape
        size = dtype.itemsize * int(np.prod(shape))
        return np.frombuffer(self._read("arrays.bin", number * size, size), dtype=dtype).reshape(shape)

    def file(self, number: int) -> tuple[str, bytes] | None:
        """Suffix and bytes of the file that the `number`-th replaced sample was read from, None if there was none."""
        stored = self.contents.files[number]
        return None if stored is None else (stored.suffix, self._read("files.bin", stored.offset, stored.size))

    def _read(self, member: str, offset: int, size: int) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(self.offsets[member] + offset)
                content = file.read(size)
        except OSError as error:
            raise _damaged(self.path, str(error)) from error
        if len(content) != size:
            raise _damaged(self.path, f"{member} ends too early")
        return content


def _with_tensors(trigger: Trigger, tensors: Mapping[str, Tensor], prefix: str) -> Trigger:
    if not isinstance(trigger, LearntTrigger):
        return trigger
    return trigger.with_tensors(
        {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    )


def load_truth(path: Path | str) -> PoisonTruth:
    """What was poisoned, from a truth file. Raises UsageError when it is missing, TruthError when damaged or none."""
    return open_truth(path).truth


def open_truth(path: Path | str) -> SealedTruth:
    """Read and check a whole truth file.

    Raises UsageError when it is missing, TruthError when it is damaged, unsafe or no truth file.
    """
    path = Path(path)
    _require_file(path)
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            infos = _checked_members(archive, path, os.fstat(file.fileno()).st_size)
            contents = _contents(archive.read(infos["truth.json"]), path)
            for name, member in contents.members.items():
                _check_member(archive, infos[name], member, path)
            ids = _ids(archive.read("ids.json"), path)
            hashes = np.frombuffer(archive.read("hashes.bin"), dtype=np.uint8).reshape(-1, HASH_BYTES)
            offsets = {name: _data_offset(file, info) for name, info in infos.items()}
    except _DAMAGE as error:
        raise _damaged(path, str(error)) from error
    sealed = SealedTruth(path, contents, ids, hashes, offsets)
    _check_agreement(sealed)
    return sealed


def _require_file(path: Path) -> None:
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"there is no truth file {path}", found=str(error), remedy="Give the .truth.zip that the attack wrote"
        ) from error
    if not regular:
        raise TruthError(f"{path} is not a file", remedy="Give the .truth.zip that the attack wrote")


def _checked_members(archive: zipfile.ZipFile, path: Path, size: int) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    names = [info.filename for info in infos]
    if len(names) != len(MEMBERS) or set(names) != MEMBERS:
        strange = sorted(set(names) - MEMBERS)
        found = f"{strange[0]!r}"[:80] if strange else "a member missing or twice"
        raise TruthError(f"{path} is no truth file", expected="the members " + ", ".join(sorted(MEMBERS)), found=found)
    for info in infos:
        # Stored members cannot grow when read, so nothing here is larger than the file itself.
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size or info.flag_bits & 1:
            raise _damaged(path, f"{info.filename} is compressed or encrypted")
        limit = min(size, MAX_JSON_BYTES) if info.filename.endswith(".json") else size
        if info.file_size > limit:
            raise _damaged(path, f"{info.filename} claims {info.file_size:,} bytes")
    if sum(info.file_size for info in infos) > size:
        raise _damaged(path, "members that overlap")
    return {info.filename: info for info in infos}


def _contents(text: bytes, path: Path) -> Contents:
    fields = json.loads(text)
    kind, version = (fields.get("format"), fields.get("version")) if isinstance(fields, dict) else (None, None)
    if kind != FORMAT:
        raise TruthError(f"{path} is no truth file", expected=f"format {FORMAT}", found=repr(kind)[:80])
    if version != VERSION:
        newer = not isinstance(version, int) or version > VERSION
        raise TruthError(
            f"{path} was written by {'a newer' if newer else 'an older'} bezoar",
            expected=f"format version {VERSION}",
            found=repr(version)[:80],
            remedy="Update bezoar" if newer else "Undo that drill with the version that wrote it, then poison anew",
        )
    try:
        return TypeAdapter(Contents).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _damaged(path, f"{first['msg']} at {place}") from error


def _check_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, member: Member, path: Path) -> None:
    digest = hashlib.sha256()
    with archive.open(info) as content:
        while block := content.read(BLOCK):
            digest.update(block)
    if info.file_size != member.size or digest.hexdigest() != member.sha256:
        raise _damaged(path, f"{info.filename} does not match its checksum")


def _ids(text: bytes, path: Path) -> tuple[str, ...]:
    ids = json.loads(text)
    if not isinstance(ids, list) or not all(isinstance(sample_id, str) for sample_id in ids):
        raise _damaged(path, "ids.json is not a list of ids")
    if len(set(ids)) != len(ids):
        raise _damaged(path, "ids.json names a sample twice")
    return tuple(ids)


def _data_offset(file: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Where a stored member's bytes begin: behind its local header, whose name and extra field vary in length."""
    file.seek(info.header_offset)
    header = file.read(30)
    name_length, extra_length = struct.unpack("<HH", header[26:30])
    return int(info.header_offset + 30 + name_length + extra_length)


def _check_agreement(sealed: SealedTruth) -> None:
    """Raise TruthError unless the parts of the file fit each other."""
    contents, path = sealed.contents, sealed.path
    if set(contents.members) != MEMBERS - {"truth.json"}:
        raise _damaged(path, "a checksum is missing")
    dtype = _dtype(contents.dtype, path)
    count, sample_bytes = len(contents.replaced), dtype.itemsize * int(np.prod(contents.shape, dtype=object))
    if min(contents.shape, default=1) < 1 or contents.members["arrays.bin"].size != count * sample_bytes:
        raise _damaged(path, "arrays.bin does not hold the samples replaced")
    if len(contents.files) != count or (contents.sources is not None and len(contents.sources) != count):
        raise _damaged(path, "not as many files or sources as samples replaced")
    if len(sealed.hashes) != len(sealed.ids) or not set(contents.replaced) <= set(sealed.ids):
        raise _damaged(path, "ids and hashes disagree")
    for stored in filter(None, contents.files):
        if stored.offset < 0 or stored.size < 0 or stored.offset + stored.size > contents.members["files.bin"].size:
            raise _damaged(path, "a stored file lies outside files.bin")
        if any(char in stored.suffix for char in "/\\\0"):
            raise TruthError(f"{path} holds an unsafe file suffix", found=repr(stored.suffix)[:80])


def _dtype(text: str, path: Path) -> np.dtype[np.generic]:
    try:
        dtype = np.dtype(text)
    except TypeError as error:
        raise _damaged(path, f"dtype {text[:40]!r}") from error
    if dtype.kind not in DTYPES:
        raise _damaged(path, f"dtype {text[:40]!r}")
    return dtype


def _damaged(path: Path, found: str) -> TruthError:
    return TruthError(
        f"the truth file {path} is damaged",
        expected="the file as the attack wrote it",
        found=found[:200],
        remedy="Get it anew from where it was kept; without it the drill cannot be undone",
    )
