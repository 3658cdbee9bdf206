from __future__ import annotations

import os
import re

import numpy as np
import pytest
import torch
from data_toys import class_folders, pixels_of, png, put

from bezoar.data import open_data
from bezoar.data.ids import short_hash
from bezoar.errors import (
    BezoarWarning,
    DataError,
    EmptyDataError,
    ShapeError,
    SkippedSamplesWarning,
    UnreadableSampleError,
    UnsafeDataError,
    UsageError,
)


def test_classes_labels_pixels_and_ids(tmp_path):
    root = class_folders(tmp_path / "set", {"cat": 2, "ant": 1})
    data = open_data(root)
    assert data.class_names == ("ant", "cat")
    assert data.labels.tolist() == [0, 1, 1]
    assert data.shape == (3, 6, 6)
    assert data.name == "set"
    assert data.ids[0] == f"{short_hash((root / 'ant/0.png').read_bytes())}:ant/0.png"
    np.testing.assert_array_equal(data.inputs[1].permute(1, 2, 0).numpy(), pixels_of(0))
    assert data.inputs.is_contiguous(memory_format=torch.channels_last)
    assert data.encoded.encoded(data.ids[0]) == (".png", (root / "ant/0.png").read_bytes())
    assert data.encoded.encoded("unknown") is None


def test_deeper_levels_belong_to_the_class(tmp_path):
    put(tmp_path, "a/x/y/z/1.png", png(pixels_of(1)))
    put(tmp_path, "a/2.png", png(pixels_of(2)))
    put(tmp_path, "b/q/3.png", png(pixels_of(3)))
    data = open_data(tmp_path)
    assert data.class_names == ("a", "b")
    assert data.class_counts == (2, 1)


def test_an_array_beside_the_class_folders_is_mentioned(tmp_path):
    root = class_folders(tmp_path / "set", {"cat": 2, "ant": 1})
    (root / "notes.csv").write_text("mine")
    (root / "more.npz").write_bytes(b"")
    with pytest.warns(BezoarWarning, match=r"more\.npz lies beside the class folders and is not read") as told:
        assert len(open_data(root)) == 3
    assert len(told) == 1


@pytest.mark.parametrize(("level", "first", "second"), [(1, "alice/cat", "bob/dog"), (2, "cat/alice", "dog/bob")])
def test_a_level_names_the_source(tmp_path, level, first, second):
    put(tmp_path, f"{first}/1.png", png(pixels_of(1)))
    put(tmp_path, f"{second}/deeper/2.png", png(pixels_of(2)))
    data = open_data(tmp_path, source_level=level)
    assert data.class_names == ("cat", "dog")
    assert data.sources == ("alice", "bob")


def test_a_file_without_the_source_level_is_named(tmp_path):
    put(tmp_path, "alice/cat/1.png", png(pixels_of(1)))
    put(tmp_path, "alice/2.png", png(pixels_of(2)))
    with pytest.raises(UnreadableSampleError, match=r"2\.png has no class folder.*source at level 1"):
        open_data(tmp_path, source_level=1)


def test_hidden_files_and_junk_are_passed_over_and_readme_in_the_root(tmp_path):
    class_folders(tmp_path, {"a": 1, "b": 1})
    for junk in ("a/.DS_Store", "a/Thumbs.db", "b/desktop.ini", ".git/x", "__MACOSX/a/0.png", "README.txt"):
        put(tmp_path, junk, b"junk")
    data = open_data(tmp_path)
    assert len(data) == 2
    assert data.skipped == ()


@pytest.mark.parametrize("bad", ["a/notes.txt", "a/half.png", "a/empty.jpg", "stray.png"])
def test_other_files_are_errors_and_skip_bad_lists_them(tmp_path, bad):
    class_folders(tmp_path, {"a": 2, "b": 1})
    put(tmp_path, bad, png(pixels_of(9))[:70] if "half" in bad else b"" if "empty" in bad else png(pixels_of(4))[:9])
    with pytest.raises(UnreadableSampleError, match=re.escape(str(tmp_path / bad)) + ".*"):
        open_data(tmp_path)
    with pytest.warns(SkippedSamplesWarning, match="1 left out"):
        data = open_data(tmp_path, skip_bad=True)
    assert len(data) == 3
    assert [sample.path for sample in data.skipped] == [str(tmp_path / bad)]
    assert str(tmp_path / bad) in data.record().skipped[0]


def test_the_remedy_is_named(tmp_path):
    put(tmp_path, "a/x.png", b"not a picture")
    with pytest.raises(UnreadableSampleError, match=r"--skip-bad"):
        open_data(tmp_path)


def test_mixed_sizes_name_two_files_and_size_is_the_remedy(tmp_path):
    put(tmp_path, "a/small.png", png(pixels_of(1, 4, 4)))
    put(tmp_path, "b/large.png", png(pixels_of(2, 9, 8)))
    with pytest.raises(ShapeError, match=r"small\.png.*large\.png.*--size"):
        open_data(tmp_path, skip_bad=True)
    for fit in ("crop", "resize", "pad"):
        assert open_data(tmp_path, size=5, fit=fit).shape == (3, 5, 5)


def test_grey_sets_stay_grey_and_one_coloured_picture_makes_all_rgb(tmp_path):
    put(tmp_path, "a/1.png", png(pixels_of(1, channels=1)))
    put(tmp_path, "a/2.png", png(pixels_of(2, channels=1)))
    assert open_data(tmp_path).shape == (1, 6, 6)
    put(tmp_path, "b/3.png", png(pixels_of(3)))
    data = open_data(tmp_path)
    assert data.shape == (3, 6, 6)
    np.testing.assert_array_equal(data.inputs[1].permute(1, 2, 0).numpy(), np.repeat(pixels_of(2, channels=1), 3, 2))
    np.testing.assert_array_equal(data.inputs[2].permute(1, 2, 0).numpy(), pixels_of(3))


def test_a_class_without_pictures_is_named(tmp_path):
    class_folders(tmp_path, {"a": 1})
    (tmp_path / "hollow" / "deeper").mkdir(parents=True)
    with pytest.raises(EmptyDataError, match=r"'hollow'.*holds no pictures"):
        open_data(tmp_path)
    with pytest.warns(SkippedSamplesWarning, match="hollow"):
        data = open_data(tmp_path, skip_bad=True)
    assert data.class_names == ("a", "hollow")


def test_links_out_of_the_folder_are_refused_and_inside_they_are_followed(tmp_path):
    outside = put(tmp_path, "elsewhere/secret.png", png(pixels_of(1)))
    root = class_folders(tmp_path / "set", {"a": 1})
    (root / "b").symlink_to(root / "a")
    assert open_data(root).ids[1].endswith(":b/0.png")
    (root / "a" / "link.png").symlink_to(outside)
    with pytest.raises(UnsafeDataError, match=r"link\.png leads outside.*secret\.png"):
        open_data(root)
    (root / "a" / "link.png").unlink()
    (root / "c").symlink_to("../elsewhere")
    with pytest.raises(UnsafeDataError, match="leads outside"):
        open_data(root)
    with pytest.warns(SkippedSamplesWarning, match="leads outside"):
        assert len(open_data(root, skip_bad=True)) == 2


def test_a_sibling_whose_name_begins_alike_is_outside(tmp_path):
    put(tmp_path, "set-private/1.png", png(pixels_of(1)))
    root = class_folders(tmp_path / "set", {"a": 1})
    (root / "b").symlink_to(tmp_path / "set-private")
    with pytest.raises(UnsafeDataError, match="leads outside"):
        open_data(root)


def test_circles_broken_links_and_pipes_end_with_an_error(tmp_path):
    for name, make in {
        "self": lambda root: (root / "a" / "again").symlink_to(root),
        "pair": lambda root: ((root / "a" / "x").symlink_to(root / "b"), (root / "b" / "y").symlink_to(root / "a")),
        "pipe": lambda root: os.mkfifo(root / "a" / "pipe.png"),
        "broken": lambda root: (root / "a" / "gone.png").symlink_to(root / "nothing"),
    }.items():
        root = class_folders(tmp_path / name, {"a": 1, "b": 1})
        make(root)
        with pytest.raises((UnsafeDataError, UnreadableSampleError), match=r"circle|regular|nowhere"):
            open_data(root)


def test_a_name_that_is_no_utf8_is_shown_and_skippable(tmp_path):
    root = class_folders(tmp_path, {"a": 1})
    try:
        (tmp_path / os.fsdecode(b"a/\xff.png")).write_bytes(png(pixels_of(1)))
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    with pytest.raises(UnreadableSampleError, match="not valid UTF-8"):
        open_data(root)
    with pytest.warns(SkippedSamplesWarning):
        assert open_data(root, skip_bad=True).digest()


def test_splits_are_sub_folders(tmp_path):
    class_folders(tmp_path / "train", {"a": 3})
    class_folders(tmp_path / "val", {"a": 1})
    assert len(open_data(tmp_path)) == 3
    assert len(open_data(tmp_path, split="validation")) == 1
    assert len(open_data(tmp_path, split="test")) == 1  # no test part: the validation part
    class_folders(tmp_path / "test", {"a": 2})
    assert len(open_data(tmp_path, split="test")) == 2
    assert open_data(tmp_path, split="test").name == f"{tmp_path.name}/test"
    with pytest.raises(UsageError, match=r"no split 'extra'.*test, train, val"):
        open_data(tmp_path, split="extra")


def test_an_undivided_folder_is_no_test_set(tmp_path):
    class_folders(tmp_path, {"a": 1})
    with pytest.raises(DataError, match=r"no split 'test'.*undivided"):
        open_data(tmp_path, split="test")


def test_a_class_called_train_among_others_is_a_class(tmp_path):
    class_folders(tmp_path, {"bus": 1, "train": 1})
    assert open_data(tmp_path).class_names == ("bus", "train")


def test_splits_beside_other_folders_are_not_taken_for_classes(tmp_path):
    class_folders(tmp_path / "train", {"a": 1})
    class_folders(tmp_path, {"annotations": 1})
    with pytest.raises(DataError, match=r"neither divided into splits nor a folder of classes.*annotations"):
        open_data(tmp_path)


def test_a_changed_file_is_not_handed_on_as_the_original(tmp_path):
    root = class_folders(tmp_path, {"a": 1})
    data = open_data(root)
    put(root, "a/0.png", png(pixels_of(77)))
    with pytest.raises(DataError, match="changed since"):
        data.encoded.encoded(data.ids[0])


def test_nothing_usable_and_options_that_make_no_sense(tmp_path):
    put(tmp_path, "a/x.png", b"no")
    with pytest.raises(EmptyDataError, match=r"no usable sample.*1 left out"):
        open_data(tmp_path, skip_bad=True)
    for options, match in [
        ({"size": 0}, "size is the side"),
        ({"fit": "squash"}, "crop, resize, pad"),
        ({"memory_share": 0.0}, "memory_share"),
        ({"source_level": 0}, "source_level"),
        ({"label_column": "x"}, "columns do not apply"),
    ]:
        with pytest.raises(UsageError, match=match):
            open_data(tmp_path, **options)


def test_progress_is_told(tmp_path):
    seen = []
    open_data(class_folders(tmp_path, {"a": 3}), progress=lambda done, of: seen.append((done, of)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
