"""Opens data by what names them: a folder, a file, a set of a hub, an embedded set."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bezoar.data.dataset import Dataset
from bezoar.data.index import DESCRIPTION
from bezoar.data.names import is_junk
from bezoar.data.options import Fit, Progress, ReadOptions
from bezoar.data.readers.arrays import resized
from bezoar.data.readers.folder import PICTURE_SUFFIXES, read_folder
from bezoar.data.readers.hub import read_hugging_face, read_torchvision
from bezoar.data.readers.npz import read_npz
from bezoar.data.readers.npz_members import pickled
from bezoar.data.readers.parquet import check_shards, read_parquet
from bezoar.data.readers.splits import choose_split, is_split, split_prefix, whole_set
from bezoar.data.readers.walk import check_inside
from bezoar.errors import DataError, EmptyDataError, UsageError

if TYPE_CHECKING:
    from bezoar.data.embedded import DrawnSet

KINDS = (
    "a folder of class folders, an .npz file, a folder of parquet files, hf:NAME[:config], torchvision:NAME, "
    "or an embedded set"
)
_TABLE_SUFFIXES = frozenset([".csv", ".tsv", ".json", ".jsonl", ".txt", ".xls", ".xlsx"])
_TABLES = (
    "Texts and tables cannot be read yet, only pictures: if the table lists picture files, put them into a folder for "
    "each class"
)
_PICKLES = frozenset([".pkl", ".pickle", ".pt", ".pth", ".joblib"])


def open_data(
    source: str | Path,
    *,
    split: str = "train",
    size: int | None = None,
    fit: Fit = "crop",
    skip_bad: bool = False,
    image_column: str | None = None,
    label_column: str | None = None,
    source_column: str | None = None,
    source_level: int | None = None,
    memory_share: float = 0.25,
    seed: int = 0,
    progress: Progress | None = None,
) -> Dataset:
    """Open the data that `source` names.

    `source`: a folder of class folders, an .npz file, a parquet file or a folder of them, `hf:NAME[:config]`,
    `torchvision:NAME`, or an embedded set (`embedded:NAME` where a path has the same name). `split` chooses
    among train, test and validation parts by folder, file or array name; an undivided set is its own train
    split; test falls back on a validation part when there is no other. `size` makes every picture square:
    `fit` says whether by the largest centred square (crop), by stretching (resize) or on black (pad).
    `skip_bad` leaves bad samples out, lists them in `Dataset.skipped` and warns; otherwise the first one is
    an error. The columns are those of parquet files and of hf: sets; `source_level` is the folder level that
    names the contributor. Sets larger than `memory_share` of memory are mapped to disk. `seed` draws an
    embedded set. `progress(done, of)` is called as samples are read.

    Raises UsageError for a name that means nothing or options that do not apply, and DataErrors naming the file.
    """
    options = ReadOptions(
        split=split,
        size=size,
        fit=fit,
        skip_bad=skip_bad,
        image_column=image_column,
        label_column=label_column,
        source_column=source_column,
        source_level=source_level,
        memory_share=memory_share,
        seed=seed,
        progress=progress,
    )
    dataset = _open(source, options)
    return dataset if size is None or not dataset.is_images else resized(dataset, size, fit, memory_share)


def _open(source: str | Path, options: ReadOptions) -> Dataset:
    if isinstance(source, str):
        if source.startswith("hf:"):
            _refuse_level(source, options)
            return read_hugging_face(_rest(source), options)
        if source.startswith("torchvision:"):
            _refuse_level(source, options)
            _refuse_columns(source, options)
            return read_torchvision(_rest(source), options)
        if (embedded := _embedded(source, options)) is not None:
            return embedded
    path = Path(source).expanduser()
    if not path.exists():
        raise _unknown(str(source), path)
    return _open_folder(path, path, options) if path.is_dir() else _open_file(path, options)


def _open_file(path: Path, options: ReadOptions) -> Dataset:
    _refuse_level(str(path), options)
    suffix = path.suffix.casefold()
    if suffix == ".parquet":
        prefix = split_prefix(path.stem)
        # A file named outright is read as it is, unless another part of it was asked for.
        if options.split != "train":
            if prefix is None:
                whole_set(options.split, str(path))
            else:
                choose_split(options.split, [prefix], str(path))
        real = path.resolve()  # a link that was itself named may lead anywhere
        return read_parquet([real], real.parent, options, path.stem)
    if suffix in _PICKLES:
        raise pickled(str(path))
    if suffix == ".npz":
        _refuse_columns(str(path), options)
        return read_npz(path, options)
    raise UsageError(
        f"{path} is no data set",
        expected=KINDS,
        found=f"a {suffix} file" if suffix else "a file without an ending",
        remedy=_TABLES if suffix in _TABLE_SUFFIXES else "Bring the samples into one of these forms",
    )


def _open_folder(path: Path, root: Path, options: ReadOptions) -> Dataset:
    names = sorted(entry.name for entry in path.iterdir() if not is_junk(entry.name))
    sheets = [path / name for name in names if name.casefold().endswith(".parquet") and not (path / name).is_dir()]
    if sheets:
        _refuse_level(str(path), options)
        return _open_sheets(path, root, sheets, options)
    folders = [name for name in names if (path / name).is_dir()]
    if not folders and not any(Path(name).suffix.casefold() in PICTURE_SUFFIXES for name in names):
        raise _empty_folder(path, names)
    if (path / DESCRIPTION).is_file():
        return _open_classes(path, options)
    if folders == ["data"] and any((path / "data").glob("*.parquet")):
        return _open_folder(path / "data", root, options)
    parts = [name for name in folders if is_split(name)]
    if not parts:
        return _open_classes(path, options)
    if len(parts) == len(folders):
        chosen = path / choose_split(options.split, parts, str(path))
        check_inside(root, chosen, str(chosen))
        # What lies below a part is undivided, whatever its own folders are called.
        return _open_part(chosen, root, options)
    _refuse_half_divided(path, parts, folders)
    return _open_classes(path, options)


def _open_part(path: Path, root: Path, options: ReadOptions) -> Dataset:
    sheets = sorted(file for file in path.glob("*.parquet") if not is_junk(file.name))
    if sheets:
        _refuse_level(str(path), options)
        check_shards(sheets)
        return read_parquet(sheets, root, options, f"{root.resolve().name}/{path.name}")
    _refuse_columns(str(path), options)
    return read_folder(path, options, f"{root.resolve().name}/{path.name}")


def _open_classes(path: Path, options: ReadOptions) -> Dataset:
    _refuse_columns(str(path), options)
    whole_set(options.split, str(path))
    return read_folder(path, options, path.resolve().name)


def _open_sheets(path: Path, root: Path, sheets: Sequence[Path], options: ReadOptions) -> Dataset:
    by_split: dict[str | None, list[Path]] = {}
    for sheet in sheets:
        by_split.setdefault(split_prefix(sheet.stem), []).append(sheet)
    loose = by_split.pop(None, [])
    if loose and by_split:
        raise DataError(
            f"{path} holds parquet files with and without a split in their names",
            found=f"{loose[0].name} beside {next(iter(by_split.values()))[0].name}",
            remedy="Name one file as the data, or move the others away",
        )
    if loose:
        whole_set(options.split, str(path))
        chosen, name = loose, root.resolve().name
    else:
        part = choose_split(options.split, [split for split in by_split if split is not None], str(path))
        chosen, name = by_split[part], f"{root.resolve().name}/{part}"
    check_shards(chosen)
    return read_parquet(chosen, root, options, name)


def _refuse_half_divided(path: Path, parts: Sequence[str], folders: Sequence[str]) -> None:
    """A folder named train beside folders of classes may be a class; one that holds only folders hardly is."""
    for part in parts:
        inside = [entry for entry in (path / part).iterdir() if not is_junk(entry.name)]
        if inside and all(entry.is_dir() for entry in inside):
            other = next(name for name in folders if name not in parts)
            raise DataError(
                f"{path} is neither divided into splits nor a folder of classes",
                found=f"the split {part!r} beside {other!r}",
                remedy=f"Name {path / part} as the data, or move {other!r} away",
            )


def _embedded(source: str, options: ReadOptions) -> Dataset | None:
    name = source.removeprefix("embedded:")
    sets = _embedded_sets()
    if name not in sets:
        if source != name:
            raise UsageError(f"no embedded set is called {name!r}", expected="one of " + ", ".join(sorted(sets)))
        return None
    if source == name and Path(name).exists():
        raise UsageError(
            f"{name!r} is an embedded set and also a path here",
            remedy=f"Write ./{name} for the path, or embedded:{name} for the embedded set",
        )
    _refuse_level(source, options)
    _refuse_columns(source, options)
    return sets[name].split(options.split, options.seed)


def _embedded_sets() -> Mapping[str, DrawnSet]:
    from bezoar.data.embedded import EMBEDDED  # drawing code is loaded only when it is needed

    return EMBEDDED


def _refuse_level(source: str, options: ReadOptions) -> None:
    if options.source_level is not None:
        raise UsageError(f"source_level does not apply to {source}", expected="a folder of class folders")


def _refuse_columns(source: str, options: ReadOptions) -> None:
    if options.columns_given:
        raise UsageError(f"columns do not apply to {source}", expected="parquet files or an hf: set")


def _rest(source: str) -> str:
    rest = source.partition(":")[2]
    if not rest:
        raise UsageError(f"{source!r} names no data set", expected=KINDS)
    return rest


def _unknown(source: str, path: Path) -> UsageError:
    try:
        siblings = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        siblings = []
    near = difflib.get_close_matches(path.name, siblings, n=3)
    shown = [str(path.parent / name) for name in near]
    shown += difflib.get_close_matches(source, list(_embedded_sets()), n=2)
    known = f"{KINDS} ({', '.join(sorted(_embedded_sets()))})" if _embedded_sets() else KINDS
    return UsageError(
        f"there is no data set {source!r}: no such path and no such embedded set",
        expected=known,
        remedy=f"Perhaps {' or '.join(shown)}" if shown else "Check the spelling",
    )


def _empty_folder(path: Path, names: Sequence[str]) -> DataError:
    arrays = [name for name in names if name.casefold().endswith(".npz")]
    if arrays:
        return DataError(
            f"{path} holds .npz files", expected="one data set", remedy=f"Name the file, as in {path / arrays[0]}"
        )
    expected = f"class folders with pictures ({', '.join(sorted(PICTURE_SUFFIXES))}), .parquet files, or an .npz file"
    if not names:
        return EmptyDataError(f"{path} is an empty folder", expected=expected, remedy="Check the path")
    found = ", ".join(names[:4]) + (f" and {len(names) - 4:,} more" if len(names) > 4 else "")
    tables = any(Path(name).suffix.casefold() in _TABLE_SUFFIXES for name in names)
    return EmptyDataError(
        f"{path} holds no data that can be read",
        expected=expected,
        found=found,
        remedy=_TABLES if tables else "Bring the samples into one of these forms, or check the path",
    )
