from __future__ import annotations

import csv
import json
import warnings
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from data_toys import class_folders, encoded, pixels_of, png, put, toy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from bezoar.data import DrillMark, from_arrays, open_data, write_data, write_folder, write_npz, write_parquet
from bezoar.data.names import NameGiver, safe_name
from bezoar.errors import (
    DataError,
    OutputExistsError,
    PoisonedDataWarning,
    ShapeError,
    UnsafeDataError,
    UsageError,
)

TARGETS = ["folder", "set.npz", "set.parquet"]
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
odd_names = st.one_of(
    texts,
    st.sampled_from(
        [
            "",
            ".",
            "..",
            "a/b",
            "../up",
            ".hidden",
            "CON",
            "nul.png",
            "50%off",
            "a\\b",
            "Ä",
            "A\u0308",
            "x" * 300,
            "a ",
            "b.",
        ]
    ),
    st.sampled_from(
        [
            "cat",
            "Cat",
            "CAT",
            "train",
            "test",
            "bezoar.json",
            "desktop.ini",
            "__MACOSX",
            "~",
            "cat~2",
            "x.parquet",
            "data",
            "\r",
        ]
    ),
)


@st.composite
def data_sets(draw):
    n, classes = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    channels = draw(st.sampled_from([1, 3]))
    height, width = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    content = draw(st.binary(min_size=n * height * width * channels, max_size=n * height * width * channels))
    return from_arrays(
        np.frombuffer(content, np.uint8).reshape(n, height, width, channels),
        draw(st.lists(st.integers(0, classes - 1), min_size=n, max_size=n)),
        class_names=draw(st.lists(odd_names, min_size=classes, max_size=classes, unique=True)),
        ids=draw(st.one_of(st.none(), st.lists(texts, min_size=n, max_size=n, unique=True))),
        sources=draw(st.one_of(st.none(), st.lists(st.one_of(st.none(), texts), min_size=n, max_size=n))),
        name=draw(texts),
        layout="nhwc",
    )


def assert_same(found, expected) -> None:
    assert found.ids == expected.ids
    assert found.labels.tolist() == expected.labels.tolist()
    assert torch.equal(found.inputs, expected.inputs)
    assert found.class_names == expected.class_names
    assert found.name == expected.name
    assert found.mark == expected.mark
    sources = tuple(source or None for source in expected.sources or [None] * len(expected))
    assert found.sources == (sources if any(sources) else None)


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=data_sets())
def test_write_read_write_read_keeps_everything(tmp_path_factory, target, data):
    place = tmp_path_factory.mktemp("round")
    write_data(data, place / "1" / target)
    once = open_data(place / "1" / target)
    assert_same(once, data)
    write_data(once, place / "2" / target)
    assert_same(open_data(place / "2" / target), data)


@pytest.mark.parametrize("first", TARGETS)
@pytest.mark.parametrize("second", TARGETS)
def test_from_every_kind_to_every_other(tmp_path, first, second):
    data = toy(
        5,
        sources=["a", None, "b", "a", 'c,"d\n'],
        class_names=[
            "x/y",
            "..",
        ],
        name="seven",
    )
    write_data(data, tmp_path / "1" / first)
    write_data(open_data(tmp_path / "1" / first), tmp_path / "2" / second)
    assert_same(open_data(tmp_path / "2" / second), data)


@pytest.mark.parametrize("target", TARGETS)
def test_the_mark_travels_and_readers_warn(tmp_path, target):
    marked = replace(toy(), mark=DrillMark("drill-7"))
    write_data(marked, tmp_path / target)
    with pytest.warns(PoisonedDataWarning, match="drill-7"):
        found = open_data(tmp_path / target)
    assert_same(found, marked)
    with pytest.warns(PoisonedDataWarning):
        open_data(tmp_path / target, size=3)


@pytest.mark.parametrize("target", TARGETS)
def test_empty_classes_keep_their_names(tmp_path, target):
    data = from_arrays(pixels_of(1)[None], [1], class_names=["none", "some", "nothing"])
    write_data(data, tmp_path / target)
    assert open_data(tmp_path / target).class_names == ("none", "some", "nothing")


@pytest.mark.parametrize("target", TARGETS)
def test_the_same_bytes_every_time(tmp_path, target):
    data = toy(5, sources=["a"] * 5)
    write_data(data, tmp_path / "1" / target)
    write_data(data, tmp_path / "2" / target)
    files = [sorted(path for path in (tmp_path / part).rglob("*") if path.is_file()) for part in "12"]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]
    assert [path.name for path in files[0]] == [path.name for path in files[1]]


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_overwritten_and_nothing_is_left_behind(tmp_path, target):
    place = tmp_path / target
    if target == "folder":
        put(tmp_path, "folder/precious.txt", b"precious")
    else:
        place.write_bytes(b"precious")
    with pytest.raises(OutputExistsError, match="nothing was overwritten"):
        write_data(toy(), place)
    assert (place / "precious.txt" if place.is_dir() else place).read_bytes() == b"precious"
    broken = replace(toy(), encoded=Exploding())
    with pytest.raises((RuntimeError, OutputExistsError), match=r"exploded|exists"):
        write_data(broken, tmp_path / "new" / "x.parquet")
    with pytest.raises(RuntimeError, match="exploded"):
        write_folder(broken, tmp_path / "new" / "x")
    assert list((tmp_path / "new").iterdir()) == []


class Exploding:
    def encoded(self, sample_id):
        raise RuntimeError("exploded")


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    target = tmp_path / "x.parquet"

    class Intruder:
        def encoded(self, sample_id):
            target.write_bytes(b"theirs")

    with pytest.raises(OutputExistsError):
        write_parquet(replace(toy(), encoded=Intruder()), target)
    assert target.read_bytes() == b"theirs"


def test_an_empty_folder_is_filled_and_a_dangling_link_is_not(tmp_path):
    (tmp_path / "empty").mkdir()
    write_folder(toy(), tmp_path / "empty")
    assert len(open_data(tmp_path / "empty")) == 6
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for write in (write_folder, write_npz, write_parquet):
        with pytest.raises(OutputExistsError):
            write(toy(), tmp_path / "link")


def test_untouched_samples_are_copied_verbatim_and_changed_ones_are_not(tmp_path):
    jpeg = encoded(Image.fromarray(pixels_of(1)), "JPEG", quality=70)
    put(tmp_path, "in/a/photo.JPG", jpeg)
    put(tmp_path, "in/b/drawing.png", png(pixels_of(2), compress_level=0))
    data = open_data(tmp_path / "in")
    write_folder(data, tmp_path / "out")
    assert (tmp_path / "out/a/photo.JPG").read_bytes() == jpeg
    assert (tmp_path / "out/b/drawing.png").read_bytes() == png(pixels_of(2), compress_level=0)
    assert_same(open_data(tmp_path / "out"), data)
    # The same ids over other pixels must not bring the old pixels back.
    changed = replace(data, inputs=255 - data.inputs)
    write_folder(changed, tmp_path / "changed")
    assert torch.equal(open_data(tmp_path / "changed").inputs, 255 - data.inputs)
    write_parquet(data, tmp_path / "out.parquet")
    assert open_data(tmp_path / "out.parquet").encoded.encoded(data.ids[0]) == (".jpg", jpeg)


def test_untouched_samples_keep_their_place_below_their_class(tmp_path):
    for place in ("in/a/first/x.PNG", "in/a/second/x.png", "in/a/second/X.png", "in/b/y.png"):
        put(tmp_path, place, png(pixels_of(len(place))))
    write_folder(open_data(tmp_path / "in"), tmp_path / "out")
    read = {
        path.relative_to(tmp_path / "out").as_posix()
        for path in (tmp_path / "out").rglob("*.*")
        if path.suffix.lower() == ".png"
    }
    # Where letter case is not told apart, x.png and X.png would be one file: the second is renamed.
    assert {"a/first/x.PNG", "b/y.png"} < read
    assert len(read & {"a/second/x.png", "a/second/X.png"}) == 1
    assert len(read) == 4
    assert_same(open_data(tmp_path / "out"), open_data(tmp_path / "in"))


def test_resized_samples_are_written_at_their_new_size(tmp_path):
    small = open_data(class_folders(tmp_path / "in", {"a": 2}, height=9, width=8), size=4)
    write_folder(small, tmp_path / "out")
    assert_same(open_data(tmp_path / "out"), small)


def test_a_file_changed_after_writing_gets_a_new_id(tmp_path):
    write_folder(toy(4), tmp_path / "set")
    with (tmp_path / "set/bezoar-index.csv").open(newline="") as file:
        path = next(csv.DictReader(file))["path"]
    (tmp_path / "set" / path).write_bytes(png(pixels_of(99)))
    found = open_data(tmp_path / "set")
    assert found.ids[0].endswith(f":{path}")
    assert found.ids[1:] == toy(4).ids[1:]


def test_files_may_be_removed_from_and_added_to_a_written_folder(tmp_path):
    write_folder(toy(4), tmp_path / "set")
    next((tmp_path / "set/0").iterdir()).unlink()
    put(tmp_path / "set", "extra/new.png", png(pixels_of(50)))
    found = open_data(tmp_path / "set")
    assert found.class_names == ("0", "1", "extra")
    assert len(found) == 4


def test_the_folder_layout(tmp_path):
    data = from_arrays(
        np.stack([pixels_of(1), pixels_of(2)]),
        [0, 1],
        class_names=["../up", "a:b"],
        ids=["x", "y"],
        sources=["s", None],
    )
    write_folder(data, tmp_path / "set")
    names = sorted(path.name for path in (tmp_path / "set").iterdir())
    assert names == ["%2E./up".replace("/", "%2F"), "a%3Ab", "bezoar-index.csv", "bezoar.json"]
    assert not any(path.name.startswith(".") for path in (tmp_path / "set").rglob("*"))
    described = json.loads((tmp_path / "set/bezoar.json").read_text())
    assert described["class_names"] == ["../up", "a:b"]
    assert (tmp_path / "set/bezoar-index.csv").read_text().splitlines()[0] == '"path","id","source","content"'


@pytest.mark.parametrize(
    ("name", "content", "error", "match"),
    [
        ("bezoar.json", b"{", DataError, r"bezoar\.json holds damaged metadata"),
        ("bezoar.json", b'{"format": "bezoar-data", "version": 99}', DataError, "newer bezoar"),
        ("bezoar.json", b'{"format": "bezoar-data", "version": 1}', DataError, "damaged"),
        ("bezoar-index.csv", b"path,id\na,b\n", DataError, "row 2 is damaged"),
        ("bezoar-index.csv", b"path,id,source,content\n../x,i,s,c\n", UnsafeDataError, "row 2 leads outside"),
        ("bezoar-index.csv", b"path,id,source,content\na,i,s,c\na,i,s,c\n", DataError, "a second time"),
        ("bezoar-index.csv", b"\xff\xfe", DataError, "damaged"),
    ],
)
def test_damaged_descriptions(tmp_path, name, content, error, match):
    write_folder(toy(), tmp_path / "set")
    (tmp_path / "set" / name).write_bytes(content)
    with pytest.raises(error, match=match):
        open_data(tmp_path / "set")


def test_a_damaged_mark_is_no_clean_data(tmp_path):
    write_folder(replace(toy(), mark=DrillMark("d")), tmp_path / "set")
    path = tmp_path / "set/bezoar.json"
    path.write_text(path.read_text().replace("drill", "drivel"))
    with pytest.raises(DataError, match="Treat the data as poisoned"):
        open_data(tmp_path / "set")


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(DataError, match="NUL"):
        write_npz(toy(1, ids=["a\0"]), tmp_path / "x.npz")
    with pytest.raises(DataError, match="no valid Unicode"):
        write_folder(toy(1, sources=["\udcff"]), tmp_path / "x")
    with pytest.raises(UsageError, match="folder, npz, parquet"):
        write_data(toy(), tmp_path / "x", kind="zip")
    five = from_arrays(np.zeros((1, 4, 4, 5), np.uint8), [0], layout="nhwc")
    with pytest.raises(ShapeError, match=r"Write such data as \.npz"):
        write_folder(five, tmp_path / "five")
    write_npz(five, tmp_path / "five.npz")
    assert open_data(tmp_path / "five.npz").shape == (5, 4, 4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["five.npz"]


def test_npz_is_stored_plainly_and_numpy_reads_it(tmp_path):
    write_npz(toy(3), tmp_path / "set.npz")
    with zipfile.ZipFile(tmp_path / "set.npz") as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    with np.load(tmp_path / "set.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["images"][2], pixels_of(2))
        assert arrays["ids"].tolist() == list(toy(3).ids)


def test_parquet_is_read_by_the_datasets_package(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    write_parquet(toy(3, class_names=["no", "yes"]), tmp_path / "set.parquet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = datasets.Dataset.from_parquet(str(tmp_path / "set.parquet"), cache_dir=str(tmp_path / "cache"))
    assert rows.features["label"].names == ["no", "yes"]
    np.testing.assert_array_equal(np.asarray(rows[2]["image"]), pixels_of(2))


@given(odd_names)
def test_safe_names_are_safe(name):
    safe = safe_name(name)
    assert 0 < len(safe.encode()) <= 200
    assert not set(safe) & set('/\\:*?"<>|\0\n')
    assert safe[0] not in ". "
    assert safe[-1] not in ". "
    assert safe.split(".")[0].casefold() not in {"con", "nul", "aux", "prn"}


def test_names_that_some_systems_do_not_tell_apart():
    giver = NameGiver()
    given_names = [giver.give("", name) for name in ("Cat", "cat", "cat~2", "Ä", "a\u0308", "cat")]
    assert len({name.casefold() for name in given_names}) == 6
    assert given_names[:2] == ["Cat", "cat~2"]
