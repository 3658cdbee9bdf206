"""Samples in Arrow tables, as parquet files and Hugging Face data sets hold them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bezoar.data.options import ReadOptions
from bezoar.data.readers.gather import Entry, Label
from bezoar.errors import BezoarError, DataError, UnreadableSampleError, UsageError

_IMAGES = ("image", "img", "picture")
_LABELS = ("label", "labels", "class", "target")


@dataclass(frozen=True)
class Columns:
    """Which column is what; `class_names` when the schema names the classes of the label column."""

    image: str
    label: str
    source: str | None = None
    id: str | None = None
    content: str | None = None
    class_names: tuple[str, ...] | None = None

    @property
    def names(self) -> list[str]:
        """The columns to be read."""
        given = (self.image, self.label, self.source, self.id, self.content)
        return list(dict.fromkeys(name for name in given if name is not None))


def choose_columns(schema: Any, options: ReadOptions, where: str) -> Columns:
    """The columns of a schema that hold pictures, labels and what else is known.

    Those named in `options`, else those usually called so, else the only one that can be it. Raises
    DataError, listing the columns, when there is none or the choice is not clear.
    """
    features = _features(schema, where)
    pictures = [field.name for field in schema if _is_picture(field.type)]
    classes = [name for name, feature in features.items() if feature.get("_type") == "ClassLabel"]
    image = _choose("image", options.image_column, _IMAGES, pictures, schema, where)
    if image not in pictures:
        raise DataError(
            f"{where}: the column {image!r} does not hold picture files",
            expected="binary, or a struct of bytes and path",
            found=str(schema.field(image).type),
            remedy="Name another column as the image column",
        )
    labels = classes or [name for name in _LABELS if name in schema.names]
    label = _choose("label", options.label_column, _LABELS, labels, schema, where)
    source = options.source_column or ("source" if "source" in schema.names else None)
    if source is not None:
        source = _choose("source", source, (), [], schema, where)
    texts = {field.name for field in schema if str(field.type) in ("string", "large_string")}
    return Columns(
        image,
        label,
        source,
        "id" if "id" in texts else None,
        "content" if "content" in texts else None,
        _names(features.get(label, {})),
    )


def entries_of(batches: Iterator[tuple[str, Any]], columns: Columns) -> Iterator[Entry]:
    """Entries of record batches, each with the name of its file; the key is the row number over all of them."""
    key, row, current = 0, 0, ""
    for where, batch in batches:
        row = row if where == current else 0
        current = where
        contents, paths = _pictures(batch.column(batch.schema.get_field_index(columns.image)))
        labels = _values(batch, columns.label)
        sources = _values(batch, columns.source)
        ids, hashes = _values(batch, columns.id), _values(batch, columns.content)
        for number, content in enumerate(contents):
            place = f"{where}, row {row}"
            sample_id = ids[number]
            yield Entry(
                where=place,
                content=content if content is not None else _missing(place),
                label=_label(labels[number], columns.class_names),
                key=key,
                path=paths[number],
                source=None if sources[number] is None else str(sources[number]),
                stored=None if sample_id is None else (sample_id, hashes[number]),
            )
            key, row = key + 1, row + 1


def column_bytes(column: Any, row: int) -> bytes | None:
    """The picture file in one row of an image column."""
    value = column[row].as_py()
    found = value.get("bytes") if isinstance(value, dict) else value
    return found if isinstance(found, bytes) else None


def _pictures(column: Any) -> tuple[list[bytes | None], list[str | None]]:
    if str(column.type).startswith("struct"):
        # flatten, unlike field, heeds rows where the whole struct is null
        parts = dict(zip((field.name for field in column.type), column.flatten(), strict=True))
        paths = parts["path"].to_pylist() if "path" in parts else [None] * len(column)
        return parts["bytes"].to_pylist(), [path or None for path in paths]
    return column.to_pylist(), [None] * len(column)


def _values(batch: Any, name: str | None) -> list[Any]:
    if name is None:
        return [None] * batch.num_rows
    return list(batch.column(batch.schema.get_field_index(name)).to_pylist())


def _label(value: object, class_names: Sequence[str] | None) -> Label:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) or value is None:
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and class_names is not None and value not in class_names and value.isdecimal():
        return int(value)
    # What is no class at all is turned into a text only when it was one.
    return value if isinstance(value, str) else None


def _missing(place: str) -> BezoarError:
    return UnreadableSampleError(
        f"{place} holds no picture",
        expected="the bytes of a picture file",
        remedy="Mend or remove the row, or leave such samples out with --skip-bad",
    )


def _choose(
    role: str, given: str | None, usual: Sequence[str], possible: Sequence[str], schema: Any, where: str
) -> str:
    known = "the columns are " + ", ".join(schema.names)
    if given is not None:
        if schema.names.count(given) != 1:
            raise UsageError(f"{where} has no column {given!r}", found=known, remedy=f"Name the {role} column")
        return given
    chosen = next((name for name in usual if name in possible), None)
    if chosen is None and len(possible) == 1:
        chosen = possible[0]
    if chosen is None:
        count = "several" if possible else "no"
        raise DataError(
            f"{where} has {count} columns that may be the {role}",
            found=", ".join(possible) if possible else known,
            remedy=f"Name the {role} column, as with --{role}-column",
        )
    return chosen


def _is_picture(kind: Any) -> bool:
    text = str(kind)
    if text in ("binary", "large_binary"):
        return True
    return text.startswith("struct") and any(
        field.name == "bytes" and str(field.type) in ("binary", "large_binary", "null") for field in kind
    )


def _features(schema: Any, where: str) -> dict[str, dict[str, Any]]:
    text = (schema.metadata or {}).get(b"huggingface")
    if text is None:
        return {}
    try:
        features = json.loads(text)["info"]["features"]
        return {name: feature for name, feature in features.items() if isinstance(feature, dict)}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{where}: the metadata 'huggingface' are damaged", found=str(error), remedy="Get the file anew"
        ) from error


def _names(feature: dict[str, Any]) -> tuple[str, ...] | None:
    names = feature.get("names")
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        return tuple(names)
    return None
