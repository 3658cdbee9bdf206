"""The truth file: what was poisoned, and what it takes to undo it, in one sealed zip of its own.

Members, all stored uncompressed: `truth.json` (PoisonTruth, and size and SHA-256 of the other members),
`ids.json` (ids of the original samples, in order), `hashes.bin` (16 bytes of SHA-256 of each original
sample, in that order), and of the samples that were replaced `arrays.bin` (their arrays, one after
another) and `files.bin` (the files they were read from, where there were any), and `triggers.safetensors`
(what triggers have learnt, the tensors of the first backdoor's as `0/name`). The same drill gives the same
bytes. Nothing in it is a path or a pickle.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter
from safetensors.torch import save

from bezoar.attacks.base import Backdoor, Poisoned
from bezoar.attacks.composing.identity import sample_arrays
from bezoar.data.dataset import Dataset
from bezoar.data.ids import content_hash
from bezoar.data.memory import chunks
from bezoar.errors import OutputExistsError, TruthError, UsageError
from bezoar.triggers.learnt import tensors_of
from bezoar.truth import PoisonTruth

FORMAT = "bezoar-truth"
VERSION = 3
HASH_BYTES = 16
SUFFIX = ".truth.zip"
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class StoredFile:
    """The file a replaced sample was read from: its suffix, and where its bytes lie in files.bin."""

    suffix: str
    offset: int
    size: int


@dataclass(frozen=True)
class Member:
    """Size and SHA-256 of a member."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Contents:
    """What `truth.json` holds.

    `shape` and `dtype` are those of one sample's array (an image in row, column, channel order).
    `replaced` are the original ids of the samples in arrays.bin, `sources` and `files` go with them.
    """

    format: str
    version: int
    truth: PoisonTruth
    name: str
    shape: tuple[int, ...]
    dtype: str
    replaced: tuple[str, ...]
    sources: tuple[str | None, ...] | None
    files: tuple[StoredFile | None, ...]
    members: dict[str, Member]


def default_truth_path(out: Path | str) -> Path:
    """Where the truth about data written to `out` belongs: beside it, never inside."""
    path = Path(out) if Path(out).name not in ("", "..") else Path(out).resolve()
    return path.with_name(path.name + SUFFIX)


def save_truth(poisoned: Poisoned, path: Path | str) -> None:
    """Write the truth file: whole or not at all, for its owner's eyes only, never over another file.

    Raises OutputExistsError when there is a file already, TruthError when it cannot be written or when
    `path` lies inside a poisoned data folder.
    """
    _seal(Path(path), lambda archive: _write(archive, poisoned))


def seal_without_data(truth: PoisonTruth, backdoors: Sequence[Backdoor], path: Path | str) -> None:
    """Write the truth file of an attack that touched no data, with nothing to undo. Raises as `save_truth` does."""

    def write(archive: zipfile.ZipFile) -> None:
        members = {name: _add(archive, name, []) for name in ("hashes.bin", "arrays.bin", "files.bin")}
        members["ids.json"] = _add(archive, "ids.json", [b"[]"])
        members["triggers.safetensors"] = _add(archive, "triggers.safetensors", [_learnt(backdoors)])
        contents = Contents(
            format=FORMAT,
            version=VERSION,
            truth=truth,
            name="",
            shape=(),
            dtype=np.dtype(np.uint8).str,
            replaced=(),
            sources=None,
            files=(),
            members=members,
        )
        _add(archive, "truth.json", [TypeAdapter(Contents).dump_json(contents, indent=1)])

    _seal(Path(path), write)


def _seal(target: Path, write: Callable[[zipfile.ZipFile], None]) -> None:
    require_truth_place(target)
    temporary = target.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        with os.fdopen(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                write(archive)
            file.flush()
            os.fsync(file.fileno())
        _give_name(temporary, target)
    except OSError as error:
        raise TruthError(f"cannot write the truth file {target}", found=str(error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def sample_hash(array: np.ndarray) -> bytes:
    """The hash of a sample kept in hashes.bin."""
    return bytes.fromhex(content_hash(array))[:HASH_BYTES]


def require_truth_place(target: Path) -> None:
    """Raise OutputExistsError, UsageError or TruthError when no truth file can be written there."""
    if os.path.lexists(target):
        raise _exists(target)
    if not target.resolve().parent.is_dir():
        raise UsageError(f"the folder {target.parent} does not exist", remedy="Make it first, or name another place")
    for folder in target.resolve().parents:
        if (folder / "bezoar.json").is_file():
            raise TruthError(
                f"{target} lies inside the data folder {folder}",
                expected="a place beside the data, for the truth must not travel with them",
                remedy=f"Write it to {default_truth_path(folder)}",
            )


def _exists(target: Path) -> OutputExistsError:
    return OutputExistsError(
        f"{target} exists",
        remedy="Give another name: a truth file is never overwritten, for nothing else undoes its drill",
    )


def _give_name(temporary: Path, target: Path) -> None:
    try:
        # A link, unlike a rename, fails when another process was faster.
        os.link(temporary, target)
    except FileExistsError:
        raise _exists(target) from None
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise _exists(target) from None
        temporary.rename(target)


def _write(archive: zipfile.ZipFile, poisoned: Poisoned) -> None:
    data, replaced = poisoned.originals.data, poisoned.originals.replaced
    rows = data.positions(replaced).tolist()
    files: list[StoredFile | None] = []
    members = {
        "ids.json": _add(archive, "ids.json", [json.dumps(data.ids).encode()]),
        "hashes.bin": _add(archive, "hashes.bin", (sample_hash(array) for array in _arrays(data, range(len(data))))),
        "arrays.bin": _add(archive, "arrays.bin", (array.tobytes() for array in _arrays(data, rows))),
        "files.bin": _add(archive, "files.bin", _files(data, replaced, files)),
        "triggers.safetensors": _add(archive, "triggers.safetensors", [_learnt(poisoned.backdoors)]),
    }
    example = sample_arrays(data.inputs[:1])[0]
    contents = Contents(
        format=FORMAT,
        version=VERSION,
        truth=poisoned.truth,
        name=data.name,
        shape=example.shape,
        dtype=example.dtype.str,
        replaced=replaced,
        sources=None if data.sources is None else tuple(data.sources[row] for row in rows),
        files=tuple(files),
        members=members,
    )
    _add(archive, "truth.json", [TypeAdapter(Contents).dump_json(contents, indent=1)])


def _arrays(data: Dataset, rows: range | list[int]) -> Iterator[np.ndarray]:
    for part in chunks(len(rows), data.inputs[:1].nbytes):
        yield from sample_arrays(data.inputs[list(rows[part])])


def _files(data: Dataset, ids: Iterable[str], index: list[StoredFile | None]) -> Iterator[bytes]:
    """The files of these samples; their places go into `index` on the way."""
    offset = 0
    for sample_id in ids:
        found = None if data.encoded is None else data.encoded.encoded(sample_id)
        if found is None:
            index.append(None)
            continue
        suffix, content = found
        index.append(StoredFile(suffix, offset, len(content)))
        offset += len(content)
        yield content


def _learnt(backdoors: Sequence[Backdoor]) -> bytes:
    tensors = {
        f"{number}/{name}": tensor
        for number, backdoor in enumerate(backdoors)
        for name, tensor in tensors_of(backdoor.trigger).items()
    }
    return save(tensors)


def _add(archive: zipfile.ZipFile, name: str, parts: Iterable[bytes]) -> Member:
    info = zipfile.ZipInfo(name, EPOCH)
    info.external_attr = 0o600 << 16
    digest, size = hashlib.sha256(), 0
    with archive.open(info, "w", force_zip64=True) as member:
        for part in parts:
            member.write(part)
            digest.update(part)
            size += len(part)
    return Member(size, digest.hexdigest())
