"""Data sets by name: of the Hugging Face hub through `datasets`, of torchvision through its own classes."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bezoar.data.dataset import Dataset
from bezoar.data.images import suffix_of
from bezoar.data.options import ReadOptions
from bezoar.data.readers.gather import Entry, gather
from bezoar.data.readers.splits import choose_split, is_split, whole_set
from bezoar.data.readers.tables import choose_columns, entries_of
from bezoar.data.readers.torch_sets import from_torch_dataset
from bezoar.data.readers.walk import read_inside
from bezoar.errors import BezoarError, DataError, MissingExtraError, UsageError

_BATCH = 1024
_LOADING_ERRORS = (OSError, ValueError, RuntimeError, LookupError, TypeError, ImportError, AttributeError)


def read_hugging_face(spec: str, options: ReadOptions) -> Dataset:
    """Read `NAME` or `NAME:config` with `datasets.load_dataset`; NAME may be a local folder.

    The pictures are decoded by bezoar, not by `datasets`; columns are chosen as in parquet files. A picture
    that the data set keeps outside its rows is read from the folder NAME or the package's cache only.
    Raises MissingExtraError without the extra `hf`, DataError when it cannot be loaded.
    """
    package = _package("datasets", "hf")
    name, _, config = (spec, "", "") if Path(spec).exists() else spec.partition(":")
    rows = _one_split(package, name, config or None, options.split)
    schema = rows.features.arrow_schema
    where = f"hf:{spec}"
    columns = choose_columns(schema, options, where)
    rows = rows.cast_column(columns.image, package.Image(decode=False)).with_format("arrow")
    roots = _roots(package, name)
    return gather(
        _with_files(entries_of(_batches(rows, where), columns), roots),
        len(rows),
        name=where,
        where=where,
        class_names=columns.class_names,
        options=options,
        fetcher=_HubRows(rows, columns.image, roots),
    )


def read_torchvision(name: str, options: ReadOptions, root: str | Path | None = None) -> Dataset:
    """Read the classification set `torchvision.datasets.NAME`, downloading it when it is not there yet.

    It lies in `root`, else BEZOAR_TORCHVISION_ROOT, else torchvision/ in BEZOAR_CACHE or ~/.cache/bezoar.
    Raises MissingExtraError without the extra `vision`, DataError when it cannot be loaded.
    """
    module = _package("torchvision.datasets", "vision")
    kind = _torchvision_class(module, name)
    place = Path(root) if root is not None else _torchvision_root()
    where = f"torchvision:{name}"
    loaded = _torchvision_set(kind, place, options.split, where)
    dataset = from_torch_dataset(
        loaded,
        size=options.size,
        fit=options.fit,
        name=where,
        skip_bad=options.skip_bad,
        memory_share=options.memory_share,
    )
    return replace(dataset, name=where)


@dataclass(frozen=True)
class _HubRows:
    """`Fetcher` of pictures in a Hugging Face data set, by row number."""

    rows: Any
    image: str
    roots: tuple[Path, ...]

    def fetch(self, key: int) -> tuple[str, bytes]:
        """Suffix and bytes of the picture in a row."""
        value = self.rows[key].column(self.image)[0].as_py()
        content = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(content, bytes):
            content = _read_below(self.roots, str(value["path"]), f"row {key}")
        return suffix_of(content), content


def _one_split(package: Any, name: str, config: str | None, split: str) -> Any:
    try:
        parts = package.load_dataset(name, config)
    except _LOADING_ERRORS as error:
        raise DataError(
            f"hf:{name} cannot be loaded",
            found=f"{type(error).__name__}: {error}",
            remedy="Check the name, the configuration (hf:NAME:config) and the network, or give a local folder",
        ) from error
    if any(is_split(part) for part in parts):
        return parts[choose_split(split, list(parts), f"hf:{name}")]
    if split in parts:
        return parts[split]
    if len(parts) == 1:
        whole_set(split, f"hf:{name}")
        return next(iter(parts.values()))
    return parts[choose_split(split, list(parts), f"hf:{name}")]


def _batches(rows: Any, where: str) -> Iterator[tuple[str, Any]]:
    for table in rows.iter(batch_size=_BATCH):
        for batch in table.to_batches():
            yield where, batch


def _with_files(entries: Iterator[Entry], roots: tuple[Path, ...]) -> Iterator[Entry]:
    for entry in entries:
        if isinstance(entry.content, bytes):
            yield replace(entry, path=None if entry.path is None else Path(entry.path).name)
            continue
        content: bytes | BezoarError = entry.content
        if entry.path is not None:
            try:
                content = _read_below(roots, entry.path, entry.where)
            except DataError as error:
                content = error
        yield replace(entry, content=content, path=_relative(roots, entry.path))


def _roots(package: Any, name: str) -> tuple[Path, ...]:
    cache = Path(str(package.config.HF_DATASETS_CACHE))
    hub = os.environ.get("HF_HUB_CACHE") or cache.parent / "hub"
    return (*((Path(name),) if Path(name).is_dir() else ()), cache, Path(hub))


def _relative(roots: tuple[Path, ...], path: str | None) -> str | None:
    for root in roots:
        if path is not None and Path(path).is_relative_to(root.resolve()):
            return Path(path).relative_to(root.resolve()).as_posix()
    return None if path is None else Path(path).name


def _read_below(roots: tuple[Path, ...], path: str, where: str) -> bytes:
    real = os.path.realpath(path)
    for root in roots:
        if real.startswith(os.path.realpath(root) + os.sep):
            return read_inside(root, real, f"{where}, file {path}")
    return read_inside(roots[0], path, f"{where}, file {path}")


def _package(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(f"{name} is not installed", extra=extra) from error
    except (RuntimeError, OSError) as error:  # a build that does not match the installed torch
        raise MissingExtraError(f"{name} is installed but does not load ({error})", extra=extra) from error


def _torchvision_class(module: Any, name: str) -> Any:
    kinds = {
        key.casefold(): value
        for key, value in vars(module).items()
        if inspect.isclass(value) and not key.startswith("_") and hasattr(value, "__getitem__")
    }
    if name.casefold() not in kinds:
        import difflib

        near = difflib.get_close_matches(name.casefold(), kinds, n=3)
        raise UsageError(
            f"torchvision has no data set {name!r}",
            expected="a class of torchvision.datasets",
            remedy=f"Perhaps {', '.join(kinds[key].__name__ for key in near)}" if near else "",
        )
    return kinds[name.casefold()]


def _torchvision_root() -> Path:
    given = os.environ.get("BEZOAR_TORCHVISION_ROOT")
    cache = os.environ.get("BEZOAR_CACHE")
    return Path(given) if given else (Path(cache) if cache else Path.home() / ".cache" / "bezoar") / "torchvision"


def _torchvision_set(kind: Any, root: Path, split: str, where: str) -> Any:
    parameters = inspect.signature(kind).parameters
    arguments: dict[str, Any] = {"root": str(root)} if "root" in parameters else {}
    if "train" in parameters:
        arguments["train"] = choose_split(split, ("train", "test"), where) == "train"
    elif "split" in parameters:
        return _by_split(kind, arguments, split, where, "download" in parameters)
    else:
        whole_set(split, where)
    return _loaded(kind, arguments, where, "download" in parameters)


def _by_split(kind: Any, arguments: dict[str, Any], split: str, where: str, downloads: bool) -> Any:
    """Try the names torchvision's sets use for a split; an unknown one is a ValueError there."""
    wanted = {"validation": ("val", "valid", "validation"), "test": ("test", "val")}.get(split, (split,))
    for name in wanted[:-1]:
        try:
            return _loaded(kind, {**arguments, "split": name}, where, downloads)
        except DataError as error:
            if not isinstance(error.__cause__, ValueError):
                raise
    return _loaded(kind, {**arguments, "split": wanted[-1]}, where, downloads)


def _loaded(kind: Any, arguments: dict[str, Any], where: str, downloads: bool) -> Any:
    try:
        try:
            return kind(**arguments)
        except RuntimeError:  # torchvision's word for data that are not there yet
            if not downloads:
                raise
            return kind(**arguments, download=True)
    except _LOADING_ERRORS as error:
        raise DataError(
            f"{where} cannot be loaded",
            found=f"{type(error).__name__}: {error}",
            remedy="Check the network, or put the data into the folder named by BEZOAR_TORCHVISION_ROOT",
        ) from error
