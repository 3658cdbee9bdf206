"""Reads a folder of class folders."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bezoar.data.dataset import Dataset, SkippedSample
from bezoar.data.images import suffix_of
from bezoar.data.index import DESCRIPTION, INDEX, IndexRow, read_index
from bezoar.data.metadata import Metadata, read_metadata
from bezoar.data.options import ReadOptions
from bezoar.data.readers.gather import Entry, gather
from bezoar.data.readers.walk import Found, read_inside, walk
from bezoar.errors import BezoarError, BezoarWarning, DataError, EmptyDataError, UnreadableSampleError

PICTURE_SUFFIXES = frozenset(
    [".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"]
)

DATA_SUFFIXES = frozenset([".npz", ".parquet"])
"""Of files that may hold samples as well."""


@dataclass(frozen=True)
class _Files:
    """`Fetcher` of files below a root, by position in the list."""

    root: Path
    relative: Sequence[str]

    def fetch(self, key: int) -> tuple[str, bytes]:
        """Suffix and bytes of a file."""
        relative = self.relative[key]
        content = read_inside(self.root, relative, str(self.root / relative))
        return PurePosixPath(relative).suffix or suffix_of(content), content


@dataclass(frozen=True)
class _Place:
    """Class and source that a file's folders say, or the error."""

    class_folder: str = ""
    source: str | None = None
    error: BezoarError | None = None


def read_folder(root: Path, options: ReadOptions, name: str) -> Dataset:
    """Read the pictures below `root`; the folder names are the classes, sorted. `name` is for a set without its own.

    The class is the first folder level; deeper levels are allowed and mean nothing. With `source_level=k`
    the k-th level below the root names the source, and the class is the first of the other levels: 1 for
    root/source/class/file, 2 for root/class/source/file. Hidden files, hidden folders and known junk
    (Thumbs.db and such) are passed over, and so are files other than pictures that lie in the root itself.
    Any other file must be a picture. Ids are content hash and relative path; the index that bezoar writes
    is honoured where its hashes still match. Raises a DataError subclass naming the file and the remedy.
    """
    found = walk(root)
    description = _description(root)
    index = read_index(root / INDEX) if (root / INDEX).is_file() else {}
    places = _places(root, found, options.source_level)
    names, numbers = _classes(found, places, description, options.source_level)
    skipped = _empty_classes(root, places, numbers, description, options)
    # Files keep the order of the index, so that writing and reading keep the order of the samples.
    rank = {path: number for number, path in enumerate(index)}
    files = sorted(places, key=lambda item: rank.get(item.relative, len(rank)))
    return gather(
        _entries(root, files, places, numbers, index, options),
        len(files),
        name=description.name if description else name,
        where=str(root),
        class_names=names,
        options=options,
        fetcher=_Files(root, [item.relative for item in files]),
        mark=description.mark if description else None,
        skipped=skipped,
    )


def _description(root: Path) -> Metadata | None:
    path = root / DESCRIPTION
    if not path.is_file():
        return None
    metadata = read_metadata(path.read_bytes(), str(path))
    if metadata.folders is None:
        raise DataError(f"{path} holds damaged metadata", expected="the folder of each class", remedy="Write it anew")
    return metadata


def _places(root: Path, found: Sequence[Found], source_level: int | None) -> dict[Found, _Place]:
    places = {}
    for item in found:
        if item.is_folder and item.error is None:
            continue
        parts = item.relative.split("/")
        if len(parts) == 1 and _unconcerned(item):
            _mention(root, item)
            continue
        places[item] = _place(root, parts, source_level)
    return places


def _unconcerned(item: Found) -> bool:
    """Whether a file in the root itself has nothing to do with the samples."""
    return item.error is None and PurePosixPath(item.relative).suffix.casefold() not in PICTURE_SUFFIXES


def _mention(root: Path, item: Found) -> None:
    """A file beside the class folders that may hold samples as well is not read, which shall be known."""
    if PurePosixPath(item.relative).suffix.casefold() in DATA_SUFFIXES:
        warnings.warn(
            f"{root / item.relative} lies beside the class folders and is not read: give it by itself to read it",
            BezoarWarning,
            stacklevel=2,
        )


def _place(root: Path, parts: list[str], source_level: int | None) -> _Place:
    folders = parts[:-1]
    class_level = 1 if source_level == 1 else 0
    if len(folders) < max(class_level + 1, source_level or 1):
        layout = "inside a class folder"
        if source_level is not None:
            layout += f", with the source at level {source_level}"
        outside = UnreadableSampleError(
            f"{root / '/'.join(parts)} has no class folder of its own",
            expected=layout,
            remedy="Move it into the folder of its class, or leave such files out with --skip-bad",
        )
        return _Place(error=outside)
    source = None if source_level is None else folders[source_level - 1]
    return _Place(folders[class_level], source)


def _classes(
    found: Sequence[Found], places: dict[Found, _Place], description: Metadata | None, source_level: int | None
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Class names, and the label of each class folder: those described first, then the others sorted."""
    depth = 2 if source_level == 1 else 1
    present = {item.relative.split("/")[depth - 1] for item in _class_folders(found, depth)}
    present |= {place.class_folder for place in places.values() if place.error is None}
    names = list(description.class_names) if description else []
    folders = list(description.folders or ()) if description else []
    added = sorted(present - set(folders))
    numbers = {folder: number for number, folder in enumerate([*folders, *added])}
    return tuple(names + added), numbers


def _class_folders(found: Sequence[Found], depth: int) -> Iterator[Found]:
    return (item for item in found if item.is_folder and item.error is None and item.relative.count("/") == depth - 1)


def _empty_classes(
    root: Path,
    places: dict[Found, _Place],
    numbers: dict[str, int],
    description: Metadata | None,
    options: ReadOptions,
) -> list[SkippedSample]:
    """Class folders without a file; an error unless bad samples may be left out or the class was written empty."""
    filled = {place.class_folder for place in places.values()}
    declared = set(description.folders or ()) if description else set()
    empty = [folder for folder in numbers if folder not in filled and folder not in declared]
    skipped = []
    for folder in empty:
        error = EmptyDataError(
            f"the class folder {folder!r} in {root} holds no pictures",
            remedy="Put pictures into it, remove it, or go on without with --skip-bad",
        )
        if not options.skip_bad:
            raise error
        skipped.append(SkippedSample(folder, str(error)))
    return skipped


def _entries(
    root: Path,
    files: Sequence[Found],
    places: dict[Found, _Place],
    numbers: dict[str, int],
    index: dict[str, IndexRow],
    options: ReadOptions,
) -> Iterator[Entry]:
    for key, item in enumerate(files):
        place = places[item]
        row = index.get(item.relative)
        source = row.source if row is not None and options.source_level is None else place.source
        yield Entry(
            where=str(root / item.relative),
            content=_content(root, item, place),
            label=numbers.get(place.class_folder, 0),
            key=key,
            path=item.relative,
            source=source,
            stored=None if row is None else (row.id, row.content),
        )


def _content(root: Path, item: Found, place: _Place) -> bytes | BezoarError:
    if item.error is not None or place.error is not None:
        return item.error or place.error or b""
    try:
        return read_inside(root, item.relative, str(root / item.relative))
    except DataError as error:
        return error
