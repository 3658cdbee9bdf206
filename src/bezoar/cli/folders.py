"""Run folders: new or empty, or an earlier run's own files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from bezoar.errors import OutputExistsError, UsageError


@contextmanager
def new_folder(path: Path, *, own_files: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Make the folder `path` if it is free; after an error an empty one is not left behind."""
    free_folder(path, own_files=own_files).mkdir(parents=True, exist_ok=True)
    try:
        yield path
    except BaseException:
        if not any(path.iterdir()):
            path.rmdir()
        raise


def free_folder(path: Path, *, own_files: frozenset[str] = frozenset()) -> Path:
    """`path`, if there is nothing, or a folder that is empty or holds nothing but `own_files`.

    Raises OutputExistsError otherwise, so that nothing of a user's is overwritten.
    """
    if path.exists() and not path.is_dir():
        raise OutputExistsError(f"{path} is a file", expected="a folder to write to", remedy="Give another --out")
    strangers = sorted(entry.name for entry in path.iterdir() if entry.name not in own_files) if path.exists() else []
    if strangers:
        raise OutputExistsError(
            f"{path} is not empty",
            found=", ".join(strangers[:4]) + (" and more" if len(strangers) > 4 else ""),
            remedy="Give another --out, or empty this folder yourself",
        )
    return path


def next_folder(path: Path) -> Path:
    """`path`, or the first free one of `path`-2, `path`-3 and so on when it holds something already."""
    number = 1
    while True:
        numbered = path if number == 1 else path.with_name(f"{path.name}-{number}")
        if not numbered.exists() or (numbered.is_dir() and not any(numbered.iterdir())):
            return numbered
        number += 1


def next_file(path: Path) -> Path:
    """`path`, or the first free one of `path`-2, `path`-3 and so on, before the suffix."""
    numbered = (path if number == 1 else path.with_stem(f"{path.stem}-{number}") for number in count(1))
    return next(one for one in numbered if not one.exists())


OTHER_FILES = frozenset(
    f".{name}"
    for name in (
        *("zip", "tar", "gz", "npy", "csv", "tsv", "txt", "json", "jsonl", "pt", "pth", "pkl", "h5", "hdf5", "mat"),
        *("png", "jpg", "jpeg", "safetensors"),
    )
)


def check_output(out: Path, data: str) -> None:
    """Raise UsageError when `out` lies inside the folder `data`, has no parent folder, or names no kind of data."""
    source = Path(data).expanduser()
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise UsageError(
            f"{out} lies inside {data}",
            expected="a place outside the data, which would otherwise be changed",
            remedy="Give another --out",
        )
    if not out.resolve().parent.is_dir():
        raise UsageError(f"the folder {out.parent} does not exist", remedy="Make it first, or give another --out")
    if out.suffix.casefold() in OTHER_FILES:
        raise UsageError(f"cannot write {out}", expected="an .npz, a .parquet or a new folder", found=out.suffix)
