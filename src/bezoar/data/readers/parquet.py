"""Reads parquet files in the layout of Hugging Face."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bezoar.data.dataset import Dataset
from bezoar.data.extras import arrow
from bezoar.data.images import suffix_of
from bezoar.data.metadata import Metadata, read_metadata
from bezoar.data.options import ReadOptions
from bezoar.data.readers.gather import Entry, gather
from bezoar.data.readers.tables import Columns, choose_columns, column_bytes, entries_of
from bezoar.data.readers.walk import check_inside, read_inside
from bezoar.errors import BezoarError, DataError

_SHARD = re.compile(r"^(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})$")
_BATCH = 1024
_CACHE_BYTES = 256 * 2**20


def read_parquet(files: Sequence[Path], root: Path, options: ReadOptions, name: str) -> Dataset:
    """Read the parquet files, in order, as one set; `name` is for one that does not say its own.

    The image column holds {bytes, path} or bytes; where bytes are absent, the path is read below `root`.
    Labels are integers, with the class names of the schema if there are any, or texts. A column `source`
    names contributors. Ids are content hash and path, or a counter without a path; a stored `id` column
    counts where its hash still matches. Raises DataError naming the file for missing or unclear columns,
    schemas that disagree, a shard that is absent and a damaged file.
    """
    sheets = [_Sheet.opened(path, root, options) for path in files]
    first = sheets[0]
    for sheet in sheets[1:]:
        if sheet.columns != first.columns:
            raise DataError(
                f"{first.path} and {sheet.path} disagree on columns or class names",
                expected=str(first.columns),
                found=str(sheet.columns),
                remedy="Read them one at a time, or write them in one layout",
            )
    metadata = first.metadata
    marked = next((sheet.metadata.mark for sheet in sheets if sheet.metadata and sheet.metadata.mark), None)
    return gather(
        _with_files(entries_of(_batches(sheets, first.columns), first.columns), root),
        sum(sheet.rows for sheet in sheets),
        name=metadata.name if metadata else name,
        where=str(files[0] if len(files) == 1 else root),
        class_names=metadata.class_names if metadata else first.columns.class_names,
        options=options,
        fetcher=_Rows(sheets, first.columns.image, root),
        mark=marked,
    )


@dataclass(frozen=True)
class _Sheet:
    """One parquet file, known by its footer."""

    path: Path
    rows: int
    columns: Columns
    metadata: Metadata | None

    @classmethod
    def opened(cls, path: Path, root: Path, options: ReadOptions) -> _Sheet:
        """Read the footer of a file."""
        check_inside(root, path, str(path))
        with _opened(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
        text = (schema.metadata or {}).get(b"bezoar")
        metadata = None if text is None else read_metadata(text, str(path))
        return cls(path, rows, choose_columns(schema, options, str(path)), metadata)


@dataclass
class _Rows:
    """`Fetcher` of pictures by row number; keeps the row groups read last, up to 256 MiB."""

    sheets: Sequence[_Sheet]
    column: str
    root: Path
    groups: OrderedDict[int, Any] = field(default_factory=OrderedDict)
    starts: list[tuple[int, int, int]] = field(default_factory=list)

    def fetch(self, key: int) -> tuple[str, bytes]:
        """Suffix and bytes of the picture in a row."""
        number, row = self._position(key)
        column = self._group(number)
        content = column_bytes(column, row)
        if content is None:
            path = str(column[row].as_py()["path"])
            content = read_inside(self.root, path, f"{self.sheets[0].path}, row {key}, file {path}")
        return suffix_of(content), content

    def _position(self, key: int) -> tuple[int, int]:
        if not self.starts:
            self._index()
        low, high = 0, len(self.starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.starts[middle][0] <= key else (low, middle)
        return low, key - self.starts[low][0]

    def _index(self) -> None:
        total = 0
        for number, sheet in enumerate(self.sheets):
            with _opened(sheet.path) as file:
                for group in range(file.num_row_groups):
                    rows = file.metadata.row_group(group).num_rows
                    if rows:
                        self.starts.append((total, number, group))
                    total += rows

    def _group(self, position: int) -> Any:
        if position in self.groups:
            self.groups.move_to_end(position)
            return self.groups[position]
        _, number, group = self.starts[position]
        with _opened(self.sheets[number].path) as file:
            column = file.read_row_group(group, columns=[self.column]).column(self.column)
        self.groups[position] = column
        while len(self.groups) > 1 and sum(kept.nbytes for kept in self.groups.values()) > _CACHE_BYTES:
            self.groups.popitem(last=False)
        return column


def _batches(sheets: Sequence[_Sheet], columns: Columns) -> Iterator[tuple[str, Any]]:
    for sheet in sheets:
        with _opened(sheet.path) as file:
            batches = file.iter_batches(_BATCH, columns=columns.names, use_threads=False)
            try:
                for batch in batches:
                    yield str(sheet.path), batch
            except (OSError, arrow().ArrowException) as error:
                raise _damaged(sheet.path, error) from error


def _with_files(entries: Iterator[Entry], root: Path) -> Iterator[Entry]:
    """Entries without bytes get them from the file that their path names, below `root` only."""
    for entry in entries:
        if isinstance(entry.content, bytes) or entry.path is None:
            yield entry
            continue
        content: bytes | BezoarError
        try:
            content = read_inside(root, entry.path, f"{entry.where}, file {entry.path}")
        except DataError as error:
            content = error
        yield Entry(entry.where, content, entry.label, entry.key, entry.path, entry.source, entry.stored)


def _opened(path: Path) -> Any:
    parquet = arrow().parquet
    try:
        return parquet.ParquetFile(path, memory_map=False)
    except (OSError, arrow().ArrowException) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} is not a whole parquet file", found=str(error), remedy="Get the file anew")


def check_shards(files: Sequence[Path]) -> None:
    """Raise DataError, naming it, when of files called NAME-00000-of-00003 one is absent."""
    present: dict[tuple[str, int], set[int]] = {}
    for path in files:
        if match := _SHARD.match(path.stem):
            present.setdefault((match["stem"], int(match["count"])), set()).add(int(match["number"]))
    for (stem, count), numbers in present.items():
        missing = next((number for number in range(count) if number not in numbers), None)
        if missing is not None:
            raise DataError(
                f"{files[0].parent} lacks the shard {stem}-{missing:05d}-of-{count:05d}.parquet",
                remedy="Get the missing shard, or name a single file to read it alone",
            )
