"""Writes a Dataset as a folder, an .npz file or a parquet file: whole or not at all, the same bytes every time."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from bezoar.data.dataset import Dataset
from bezoar.data.extras import arrow
from bezoar.data.ids import short_hash
from bezoar.data.images import quiet_decoding
from bezoar.data.index import DESCRIPTION, INDEX, IndexRow, index_text
from bezoar.data.memory import chunks
from bezoar.data.metadata import metadata_of
from bezoar.data.names import NameGiver, safe_name
from bezoar.data.writers.atomic import check_file, check_folder, new_file, new_folder
from bezoar.data.writers.stored_form import check_writable, original_place, sample_stem, stored_form
from bezoar.errors import UsageError

Kind = Literal["folder", "npz", "parquet"]
_GROUP = 1000
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_data(dataset: Dataset, path: str | Path, kind: Kind | None = None) -> None:
    """Write as `kind`, or as the suffix of `path` says: .npz, .parquet, else a folder.

    Raises OutputExistsError rather than write over a file or into a folder that is not empty.
    """
    target = Path(path)
    chosen = kind or kind_of(target)
    writers = {"folder": write_folder, "npz": write_npz, "parquet": write_parquet}
    if chosen not in writers:
        raise UsageError(f"no kind of data is called {chosen!r}", expected="one of " + ", ".join(get_args(Kind)))
    writers[chosen](dataset, target)


def kind_of(path: Path) -> Kind:
    """What `write_data` makes of a path: by its suffix an npz or a parquet file, else a folder."""
    kinds: dict[str, Kind] = {".npz": "npz", ".parquet": "parquet"}
    return kinds.get(path.suffix.casefold(), "folder")


def require_free(path: Path) -> None:
    """Raise what `write_data` would raise of the place alone: for whoever works for minutes first.

    That is OutputExistsError, or MissingExtraError for a parquet file without pyarrow.
    """
    check = check_folder if kind_of(path) == "folder" else check_file
    if kind_of(path) == "parquet":
        arrow()
    check(path)


def write_folder(dataset: Dataset, path: str | Path) -> None:
    """Write class folders of pictures, with bezoar.json (names, mark) and bezoar-index.csv (ids, sources, order).

    A sample whose original file still has its pixels is written verbatim, and to its old place where that lies
    in its class's folder; any other as lossless PNG. Class names are percent-escaped where a file system
    somewhere would refuse them; bezoar.json keeps them exactly.
    """
    check_writable(dataset)
    folder_names = NameGiver()
    for own in (INDEX, DESCRIPTION):
        folder_names.give("", own)
    folders = tuple(folder_names.give("", safe_name(name)) for name in dataset.class_names)
    file_names, rows = NameGiver(), []
    with new_folder(Path(path)) as target, quiet_decoding():
        for label in set(dataset.labels.tolist()):
            (target / folders[label]).mkdir()
        for row, label in enumerate(dataset.labels.tolist()):
            suffix, content = stored_form(dataset, row)
            sample_id = dataset.ids[row]
            relative = original_place(sample_id, folders[label], suffix)
            if relative is None or not file_names.claim(relative):
                name = file_names.give(folders[label], sample_stem(sample_id), suffix)
                relative = f"{folders[label]}/{name}"
            (target / relative).parent.mkdir(parents=True, exist_ok=True)
            (target / relative).write_bytes(content)
            source = dataset.sources[row] if dataset.sources else None
            rows.append(IndexRow(relative, sample_id, source, short_hash(content)))
        (target / INDEX).write_text(index_text(rows), encoding="utf-8", newline="")
        (target / DESCRIPTION).write_text(metadata_of(dataset, folders).to_text(), encoding="utf-8", newline="")


def write_npz(dataset: Dataset, path: str | Path) -> None:
    """Write images (n, h, w, c), labels, class_names, ids, sources, content hashes and metadata, uncompressed."""
    check_writable(dataset)
    pixels = dataset.inputs.permute(0, 2, 3, 1).numpy()
    hashes = []
    with new_file(Path(path)) as target, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        with _member(archive, "images", pixels.dtype, pixels.shape) as file:
            for part in chunks(len(pixels), pixels[:1].nbytes):
                piece = np.ascontiguousarray(pixels[part])
                hashes += [short_hash(row) for row in piece]
                file.write(piece.data)
        arrays = {
            "labels": dataset.labels.numpy(),
            "class_names": np.array(dataset.class_names, dtype=np.str_),
            "ids": np.array(dataset.ids, dtype=np.str_),
            "content": np.array(hashes, dtype=np.str_),
            "bezoar": np.array(metadata_of(dataset).to_text()),
        }
        if dataset.sources is not None:
            arrays["sources"] = np.array([source or "" for source in dataset.sources], dtype=np.str_)
        for name, array in arrays.items():
            with _member(archive, name, array.dtype, array.shape) as file:
                file.write(array.tobytes())


def write_parquet(dataset: Dataset, path: str | Path) -> None:
    """Write a parquet file in the layout of Hugging Face: image {bytes, path}, label, id, source, content."""
    check_writable(dataset)
    package = arrow()
    schema = _schema(package, dataset)
    with (
        new_file(Path(path)) as target,
        quiet_decoding(),
        package.parquet.ParquetWriter(target, schema, compression="NONE", use_dictionary=["source"]) as writer,
    ):
        for columns in _column_groups(dataset):
            writer.write_table(package.Table.from_pydict(columns, schema=schema))


def _member(archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: Sequence[int]) -> Any:
    """An open archive member, its array header written. The time stamp is fixed so that bytes repeat."""
    info = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
    info.external_attr = 0o644 << 16
    info.create_system = 3
    file = archive.open(info, "w", force_zip64=True)
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": tuple(shape)}
    np.lib.format.write_array_header_1_0(file, header)
    return file


def _column_groups(dataset: Dataset) -> Iterator[dict[str, list[Any]]]:
    labels = dataset.labels.tolist()
    for start in range(0, len(dataset), _GROUP):
        rows = range(start, min(start + _GROUP, len(dataset)))
        forms = [stored_form(dataset, row) for row in rows]
        yield {
            "image": [
                {"bytes": content, "path": f"{sample_stem(dataset.ids[row])}{suffix}"}
                for row, (suffix, content) in zip(rows, forms, strict=True)
            ],
            "label": [labels[row] for row in rows],
            "id": [dataset.ids[row] for row in rows],
            "source": [None if dataset.sources is None else dataset.sources[row] for row in rows],
            "content": [short_hash(content) for _, content in forms],
        }


def _schema(package: Any, dataset: Dataset) -> Any:
    text = package.string()
    image = package.struct([("bytes", package.binary()), ("path", text)])
    features: dict[str, object] = {
        "image": {"_type": "Image"},
        "label": {"names": list(dataset.class_names), "_type": "ClassLabel"},
    }
    features |= {name: {"dtype": "string", "_type": "Value"} for name in ("id", "source", "content")}
    metadata = {
        "huggingface": json.dumps({"info": {"features": features}}),
        "bezoar": metadata_of(dataset).to_text(),
    }
    columns = [("image", image), ("label", package.int64()), ("id", text), ("source", text), ("content", text)]
    return package.schema(columns, metadata=metadata)
