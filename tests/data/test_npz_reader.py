from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from data_toys import pixels_of, toy

from bezoar.data import open_data, write_npz
from bezoar.data.readers import npz_members
from bezoar.errors import (
    DataError,
    EmptyDataError,
    LabelError,
    ShapeError,
    SkippedSamplesWarning,
    UnsafeDataError,
    UsageError,
)

IMAGES = np.stack([pixels_of(number, 5, 7) for number in range(4)])
LABELS = np.array([0, 1, 2, 1])


@pytest.mark.parametrize(
    ("arrays", "split"),
    [
        ({"images": IMAGES, "labels": LABELS}, "train"),
        ({"x": IMAGES, "y": LABELS}, "train"),
        ({"X": IMAGES, "Y": LABELS}, "train"),
        ({"data": IMAGES, "targets": LABELS}, "train"),
        ({"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:1], "y_test": LABELS[:1]}, "train"),
        ({"x_train": IMAGES[:1], "y_train": LABELS[:1], "x_test": IMAGES, "y_test": LABELS}, "test"),
        ({"train_images": IMAGES[:1], "train_labels": LABELS[:1], "val_images": IMAGES, "val_labels": LABELS}, "val"),
        ({"x": IMAGES.transpose(0, 3, 1, 2), "y": LABELS[:, None]}, "train"),
        ({"x": IMAGES / 255.0, "y": np.eye(3)[LABELS]}, "train"),
        ({"x": IMAGES.astype(np.float32), "y": LABELS.astype(np.float64)}, "train"),
        ({"x": np.asfortranarray(IMAGES), "y": LABELS.astype(np.uint8)}, "train"),
        ({"x": IMAGES.astype(">i4"), "y": LABELS.astype(">i8")}, "train"),
    ],
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_common_layouts(tmp_path, arrays, split, save):
    save(tmp_path / "set.npz", **arrays)
    data = open_data(tmp_path / "set.npz", split=split)
    np.testing.assert_array_equal(data.inputs.permute(0, 2, 3, 1).numpy(), IMAGES)
    assert data.labels.tolist() == LABELS.tolist()
    assert data.class_names == ("0", "1", "2")
    assert data.shape == (3, 5, 7)
    assert data.inputs.is_contiguous(memory_format=torch.channels_last)


def test_ids_do_not_depend_on_layout_or_type(tmp_path):
    np.savez(tmp_path / "a.npz", x=IMAGES, y=LABELS)
    np.savez_compressed(tmp_path / "b.npz", images=IMAGES.transpose(0, 3, 1, 2) / 255.0, labels=LABELS)
    assert open_data(tmp_path / "a.npz").digest() == open_data(tmp_path / "b.npz").digest()


def test_grey_without_a_channel_axis_and_text_labels(tmp_path):
    np.savez(tmp_path / "set.npz", images=IMAGES[:, :, :, 0], labels=np.array(["dog", "cat", "dog", "cat"]))
    data = open_data(tmp_path / "set.npz")
    assert data.shape == (1, 5, 7)
    assert data.class_names == ("cat", "dog")
    assert data.labels.tolist() == [1, 0, 1, 0]


def test_a_large_plain_member_is_mapped_and_writing_to_it_leaves_the_file(tmp_path):
    path = tmp_path / "set.npz"
    write_npz(toy(50), path)
    before = path.read_bytes()
    data = open_data(path, memory_share=1e-9)
    assert f" {path}" in Path("/proc/self/maps").read_text()
    np.testing.assert_array_equal(data.inputs.numpy(), toy(50).inputs.numpy())
    data.inputs.zero_()
    assert path.read_bytes() == before
    assert data.ids == toy(50).ids


def test_a_large_compressed_member_goes_to_scratch(tmp_path):
    np.savez_compressed(tmp_path / "set.npz", x=IMAGES, y=LABELS)
    data = open_data(tmp_path / "set.npz", memory_share=1e-9)
    np.testing.assert_array_equal(data.inputs.permute(0, 2, 3, 1).numpy(), IMAGES)


@pytest.mark.parametrize("key", ["images", "labels", "class_names"])
def test_a_pickle_inside_is_refused(tmp_path, key):
    arrays = {"images": IMAGES, "labels": LABELS, key: np.array([{"a": 1}], dtype=object)}
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(UnsafeDataError, match=rf"set\.npz, array '{key}' is a pickle.*np\.savez"):
        open_data(tmp_path / "set.npz")


def test_a_pickle_called_npz_and_a_single_npy(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"\x80\x04\x95")
    with pytest.raises(UnsafeDataError, match="is a pickle"):
        open_data(tmp_path / "a.npz")
    with (tmp_path / "b.npz").open("wb") as file:
        np.save(file, IMAGES)
    with pytest.raises(DataError, match=r"single \.npy array"):
        open_data(tmp_path / "b.npz")


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["../x.npy", "/etc/x.npy", "a/../../x.npy", "c:x.npy", "a\\b.npy", "a\nb.npy"])
def test_members_that_lead_elsewhere_are_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        archive.writestr("x.npy", npy(IMAGES))
        archive.writestr("y.npy", npy(LABELS))
        archive.writestr(name, npy(LABELS))
    with pytest.raises(UnsafeDataError, match="name leads elsewhere"):
        open_data(tmp_path / "set.npz")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        archive.writestr("x.npy", npy(IMAGES))
        archive.writestr("x.npy", npy(IMAGES[::-1]))
        archive.writestr("y.npy", npy(LABELS))
    with pytest.raises(UnsafeDataError, match="'x' twice"):
        open_data(tmp_path / "set.npz")


def test_an_array_that_claims_more_than_it_has_is_refused(tmp_path):
    header = npy(np.zeros((2, 2), np.uint8)).replace(b"(2, 2), ", b"(2, 9**9)", 1)
    huge = npy(np.zeros((10,), np.uint8)).replace(b"(10,), }", b"(99999999999,), }"[:8], 1)
    for content in (header, npy(np.zeros(5, np.uint8)).replace(b"(5,)", b"(9,)"), huge[:40]):
        with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
            archive.writestr("x.npy", content)
            archive.writestr("y.npy", npy(LABELS))
        with pytest.raises(DataError, match=r"set\.npz, array 'x' is (not as large as it says|damaged)"):
            open_data(tmp_path / "set.npz")


@pytest.mark.parametrize("share", [0.25, 1e-9])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damage_is_found(tmp_path, save, share):
    path = tmp_path / "set.npz"
    save(path, x=IMAGES, y=LABELS)
    content = bytearray(path.read_bytes())
    content[300] ^= 0xFF  # inside the images
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        open_data(path, memory_share=share)
    path.write_bytes(content[:-200])
    with pytest.raises(DataError, match=r"not a whole \.npz file.*Get the file anew"):
        open_data(path)


@pytest.mark.parametrize(
    ("arrays", "error", "match"),
    [
        ({"a": IMAGES, "b": LABELS}, DataError, r"lacks an array.*a \(4, 5, 7, 3\)"),
        ({"x": IMAGES, "y": LABELS[:2]}, LabelError, "one label an image"),
        ({"x": IMAGES, "y": LABELS - 1}, LabelError, r"row 0 has a label outside the classes.*found -1"),
        ({"x": IMAGES, "y": LABELS, "class_names": np.array(["a", "b"])}, LabelError, "row 2.*one of the 2 classes"),
        ({"x": IMAGES, "y": LABELS + 0.5}, LabelError, "no whole number"),
        ({"x": IMAGES, "y": np.full(4, np.nan)}, LabelError, "no whole number"),
        ({"x": IMAGES, "y": np.full(4, 2**40)}, LabelError, "too large"),
        ({"x": IMAGES, "y": np.ones((4, 3))}, LabelError, "two-dimensional"),
        ({"x": IMAGES[:0], "y": LABELS[:0]}, EmptyDataError, "holds no images"),
        ({"x": IMAGES[0, 0], "y": LABELS}, ShapeError, "does not hold images"),
        ({"x": np.zeros((4, 5, 7, 4), np.uint8), "y": LABELS}, ShapeError, "no axis of 1 or 3 channels"),
        ({"x": np.where(IMAGES == 0, np.nan, IMAGES / 255), "y": LABELS}, DataError, "row [0-3] holds NaN"),
        ({"x": IMAGES / 255 - 0.5, "y": LABELS}, DataError, "out of range.*normalisation"),
        ({"x": IMAGES.astype(int) + 1, "y": LABELS}, DataError, "out of range"),
        ({"x": IMAGES.astype(complex), "y": LABELS}, DataError, "does not hold pixel values"),
    ],
)
def test_bad_arrays(tmp_path, arrays, error, match):
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(error, match=match):
        open_data(tmp_path / "set.npz")


def test_skip_bad_leaves_out_rows_with_bad_labels(tmp_path):
    np.savez(tmp_path / "set.npz", x=IMAGES, y=np.array([0, -1, 1, 7]), class_names=np.array(["a", "b"]))
    with pytest.warns(SkippedSamplesWarning, match="2 left out"):
        data = open_data(tmp_path / "set.npz", skip_bad=True)
    assert data.labels.tolist() == [0, 1]
    np.testing.assert_array_equal(data.inputs.permute(0, 2, 3, 1).numpy(), IMAGES[[0, 2]])
    assert "row 3" in data.skipped[1].path


def test_a_split_that_is_not_there(tmp_path):
    np.savez(tmp_path / "set.npz", x=IMAGES, y=LABELS)
    with pytest.raises(DataError, match="no split 'test'"):
        open_data(tmp_path / "set.npz", split="test")
    with pytest.raises(UsageError, match="columns do not apply"):
        open_data(tmp_path / "set.npz", image_column="x")


def test_resizing_arrays_keeps_ids(tmp_path):
    np.savez(tmp_path / "set.npz", x=IMAGES, y=LABELS)
    data = open_data(tmp_path / "set.npz", size=4)
    assert data.shape == (3, 4, 4)
    assert data.ids == open_data(tmp_path / "set.npz").ids


def test_lengths_of_ids_must_agree(tmp_path):
    np.savez(tmp_path / "set.npz", x=IMAGES, y=LABELS, ids=np.array(["a"]))
    with pytest.raises(DataError, match="'ids' and the images differ in length"):
        open_data(tmp_path / "set.npz")


def test_foreign_ids_count_only_when_their_hash_matches(tmp_path):
    np.savez(tmp_path / "plain.npz", x=IMAGES, y=LABELS)
    computed = open_data(tmp_path / "plain.npz").ids
    stored = [f"{computed[0][:16]}:kept", "image-2", computed[0], "x"]
    np.savez(tmp_path / "set.npz", x=IMAGES, y=LABELS, ids=np.array(stored))
    assert open_data(tmp_path / "set.npz").ids == (stored[0], *computed[1:])


def test_members_are_closed(tmp_path):
    np.savez(tmp_path / "set.npz", x=IMAGES, y=LABELS)
    with npz_members.open_archive(tmp_path / "set.npz") as archive:
        assert set(npz_members.members(archive, tmp_path / "set.npz")) == {"x", "y"}
