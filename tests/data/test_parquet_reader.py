from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_toys import pixels_of, png, put

from bezoar.data import open_data
from bezoar.data.ids import content_hash
from bezoar.errors import (
    DataError,
    EmptyDataError,
    LabelError,
    SkippedSamplesWarning,
    UnreadableSampleError,
    UnsafeDataError,
    UsageError,
)

PICTURES = [png(pixels_of(number)) for number in range(5)]


def sheet(path, columns, names=None, row_group_size=2):
    table = pa.table(columns)
    if names is not None:
        label = {"names": names, "_type": "ClassLabel"}
        info = {"info": {"features": {"image": {"_type": "Image"}, "label": label}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=row_group_size)
    return path


def images(paths=None, contents=PICTURES):
    paths = paths or [None] * len(contents)
    return pa.array([{"bytes": content, "path": path} for content, path in zip(contents, paths, strict=True)])


def test_hugging_face_layout(tmp_path):
    columns = {
        "image": images([f"{number}.png" for number in range(5)]),
        "label": [1, 0, 1, 0, 1],
        "source": ["ann", None, "bob", "ann", "bob"],
    }
    data = open_data(sheet(tmp_path / "a.parquet", columns, ["cat", "dog"]))
    assert data.class_names == ("cat", "dog")
    assert data.labels.tolist() == [1, 0, 1, 0, 1]
    assert data.sources == ("ann", None, "bob", "ann", "bob")
    assert data.ids[3] == f"{content_hash(PICTURES[3])[:16]}:3.png"
    np.testing.assert_array_equal(data.inputs[3].permute(1, 2, 0).numpy(), pixels_of(3))
    for number in (4, 0, 3, 1):
        assert data.encoded.encoded(data.ids[number]) == (".png", PICTURES[number])


def test_plain_bytes_text_labels_and_doubles(tmp_path):
    contents = [*PICTURES[:2], PICTURES[0]]
    path = sheet(tmp_path / "a.parquet", {"picture_file": contents, "label": ["b", "a", "b"]})
    data = open_data(path)
    assert data.class_names == ("a", "b")
    short = content_hash(PICTURES[0])[:16]
    assert (data.ids[0], data.ids[2]) == (f"{short}#0", f"{short}#1")


def test_the_same_picture_twice_under_the_same_path(tmp_path):
    path = sheet(tmp_path / "a.parquet", {"image": images(["x", "x"], [PICTURES[0]] * 2), "label": [0, 0]})
    short = content_hash(PICTURES[0])[:16]
    assert open_data(path).ids == (f"{short}:x", f"{short}:x#1")


def test_shards_and_splits(tmp_path):
    for number in range(3):
        sheet(
            tmp_path / f"data/train-0000{number}-of-00003.parquet",
            {"image": images(contents=PICTURES[number : number + 1]), "label": [number]},
            ["a", "b", "c"],
        )
    sheet(tmp_path / "data/test-00000-of-00001.parquet", {"image": images(), "label": [0] * 5}, ["a", "b", "c"])
    data = open_data(tmp_path)
    assert data.labels.tolist() == [0, 1, 2]
    assert [data.encoded.encoded(name)[1] for name in data.ids] == PICTURES[:3]
    assert len(open_data(tmp_path / "data", split="test")) == 5
    with pytest.raises(DataError, match="no split 'validation'"):
        open_data(tmp_path, split="validation")
    (tmp_path / "data/train-00001-of-00003.parquet").unlink()
    with pytest.raises(DataError, match=r"lacks the shard train-00001-of-00003\.parquet"):
        open_data(tmp_path)
    alone = tmp_path / "data/train-00002-of-00003.parquet"
    assert len(open_data(alone)) == 1
    with pytest.raises(DataError, match="no split 'test'"):
        open_data(alone, split="test")
    sheet(tmp_path / "data/meta.parquet", {"image": images(), "label": [0] * 5})
    with pytest.raises(DataError, match="with and without a split"):
        open_data(tmp_path / "data")


def test_parts_in_folders(tmp_path):
    sheet(tmp_path / "train/0000.parquet", {"image": images(), "label": [0] * 5})
    sheet(tmp_path / "test/0000.parquet", {"image": images(contents=PICTURES[:2]), "label": [0] * 2})
    assert len(open_data(tmp_path, split="test")) == 2


def test_shards_that_disagree(tmp_path):
    sheet(tmp_path / "a.parquet", {"image": images(), "label": [0] * 5}, ["x", "y"])
    sheet(tmp_path / "b.parquet", {"image": images(), "label": [0] * 5}, ["y", "x"])
    with pytest.raises(DataError, match=r"a\.parquet and .*b\.parquet disagree"):
        open_data(tmp_path)


@pytest.mark.parametrize(
    ("columns", "options", "match"),
    [
        (
            {"image": images(), "number": [0] * 5},
            {},
            r"no columns that may be the label.*image, number.*--label-column",
        ),
        ({"text": ["a"] * 5, "label": [0] * 5}, {}, "no columns that may be the image"),
        ({"a": PICTURES, "b": PICTURES, "label": [0] * 5}, {}, "several columns that may be the image.*a, b"),
        ({"image": images(), "label": [0] * 5}, {"label_column": "klass"}, "no column 'klass'.*image, label"),
        ({"image": images(), "label": [0] * 5}, {"image_column": "label"}, "'label' does not hold picture files"),
        ({"image": images(), "label": [0] * 5}, {"source_column": "who"}, "no column 'who'"),
    ],
)
def test_columns_missing_or_unclear(tmp_path, columns, options, match):
    with pytest.raises((DataError, UsageError), match=match):
        open_data(sheet(tmp_path / "a.parquet", columns), **options)


def test_named_columns(tmp_path):
    columns = {"a": PICTURES, "b": PICTURES, "x": [0] * 5, "y": [1] * 5, "who": [7, 7, 8, 8, 8]}
    path = sheet(tmp_path / "a.parquet", columns)
    data = open_data(path, image_column="b", label_column="y", source_column="who")
    assert data.labels.tolist() == [1] * 5
    assert data.sources == ("7", "7", "8", "8", "8")


@pytest.mark.parametrize(
    ("columns", "error", "match"),
    [
        ({"image": images(), "label": [0, 1, 2, 0, 0]}, LabelError, r"a\.parquet, row 2 has a label.*found 2"),
        ({"image": images(), "label": [0, -1, 1, 0, 0]}, LabelError, r"row 1 .*found -1"),
        ({"image": images(), "label": [0, 0, None, 0, 0]}, LabelError, r"row 2 .*found none"),
        ({"image": images(contents=[*PICTURES[:4], b"junk"]), "label": [0] * 5}, UnreadableSampleError, "row 4 cannot"),
        ({"image": images(contents=[*PICTURES[:4], None]), "label": [0] * 5}, UnreadableSampleError, "row 4 holds no"),
        (
            {"image": images(contents=[*PICTURES[:4], PICTURES[4][:60]]), "label": [0] * 5},
            UnreadableSampleError,
            "row 4",
        ),
        (
            {"image": images(["a"] * 4 + ["../s.png"], [*PICTURES[:4], None]), "label": [0] * 5},
            UnsafeDataError,
            "outside",
        ),
        (
            {"image": images(["a"] * 4 + ["/etc/passwd"], [*PICTURES[:4], None]), "label": [0] * 5},
            UnsafeDataError,
            "outside",
        ),
    ],
)
def test_bad_rows_are_named_and_skippable(tmp_path, columns, error, match):
    put(tmp_path, "s.png", PICTURES[0])
    path = sheet(tmp_path / "set/a.parquet", columns, ["x", "y"])
    with pytest.raises(error, match=match):
        open_data(path)
    with pytest.warns(SkippedSamplesWarning, match="1 left out"):
        data = open_data(path, skip_bad=True)
    assert len(data) == 4
    assert len(data.skipped) == 1
    for name in data.ids:
        assert data.encoded.encoded(name)[1] in PICTURES


def test_a_whole_image_that_is_null(tmp_path):
    column = pa.array([{"bytes": PICTURES[0], "path": None}, None])
    with pytest.raises(UnreadableSampleError, match="row 1 holds no picture"):
        open_data(sheet(tmp_path / "a.parquet", {"image": column, "label": [0, 0]}))


def test_pictures_beside_the_parquet_file(tmp_path):
    put(tmp_path, "files/0.png", PICTURES[0])
    data = open_data(sheet(tmp_path / "a.parquet", {"image": images(["files/0.png"], [None]), "label": [0]}))
    assert data.encoded.encoded(data.ids[0]) == (".png", PICTURES[0])


def test_damaged_and_empty_files(tmp_path):
    path = sheet(tmp_path / "a.parquet", {"image": images(), "label": [0] * 5})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"a\.parquet is not a whole parquet file"):
        open_data(path)
    with pytest.raises(EmptyDataError, match="no samples"):
        open_data(
            sheet(
                tmp_path / "b.parquet",
                {"image": images(contents=[]).cast(images().type), "label": pa.array([], pa.int64())},
            )
        )


def test_a_link_that_was_itself_named_may_lead_anywhere(tmp_path):
    outside = sheet(tmp_path / "blobs/4f3a", {"image": images(), "label": [0] * 5})
    (tmp_path / "set").mkdir()
    (tmp_path / "set/a.parquet").symlink_to(outside)
    assert open_data(tmp_path / "set/a.parquet").name == "a"


def test_a_parquet_link_that_leads_out(tmp_path):
    outside = sheet(tmp_path / "outside.parquet", {"image": images(), "label": [0] * 5})
    (tmp_path / "set").mkdir()
    (tmp_path / "set/a.parquet").symlink_to(outside)
    with pytest.raises(UnsafeDataError, match="leads outside"):
        open_data(tmp_path / "set")
