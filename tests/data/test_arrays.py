from __future__ import annotations

import numpy as np
import pytest
import torch
from data_toys import pixels_of
from PIL import Image
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import IterableDataset, Subset, TensorDataset

from bezoar.data import from_arrays, from_torch_dataset
from bezoar.data.ids import array_ids
from bezoar.errors import (
    DataError,
    EmptyDataError,
    LabelError,
    ShapeError,
    SkippedSamplesWarning,
    UnreadableSampleError,
    UsageError,
)

IMAGES = np.stack([pixels_of(number, 5, 7) for number in range(4)])


class Pairs(TorchDataset):
    def __init__(self, pairs, classes=None):
        self.pairs = pairs
        if classes is not None:
            self.classes = classes

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        pair = self.pairs[index]
        if isinstance(pair, Exception):
            raise pair
        return pair


def hwc(data) -> np.ndarray:
    return data.inputs.permute(0, 2, 3, 1).numpy()


def test_arrays_and_tensors_of_either_layout():
    for images in (IMAGES, torch.from_numpy(IMAGES), IMAGES.transpose(0, 3, 1, 2), torch.from_numpy(IMAGES / 255.0)):
        data = from_arrays(images, torch.tensor([0, 1, 0, 1]), class_names=["a", "b"])
        np.testing.assert_array_equal(hwc(data), IMAGES)
        assert data.ids == array_ids(IMAGES)


def test_an_axis_that_could_be_either_is_channels_last_unless_stated():
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 3), dtype=np.uint8)
    assert from_arrays(images, [0, 1]).shape == (3, 3, 8)
    assert from_arrays(images, [0, 1], layout="nchw").shape == (3, 8, 3)
    assert from_arrays(np.zeros((1, 6, 6, 5), np.uint8), [0], layout="nhwc").shape == (5, 6, 6)


def test_sharing_and_copying():
    shared = IMAGES.copy()
    data = from_arrays(shared, [0] * 4)
    shared[0] = 9
    assert (hwc(data)[0] == 9).all()
    frozen = IMAGES.copy()
    frozen.setflags(write=False)
    data = from_arrays(frozen, [0] * 4)
    data.inputs.zero_()
    np.testing.assert_array_equal(frozen, IMAGES)


def test_given_ids_sources_and_names():
    data = from_arrays(IMAGES, ["x", "y", "x", "y"], ids=list("abcd"), sources=["s", None, "s", "t"], name="mine")
    assert data.ids == tuple("abcd")
    assert data.sources == ("s", None, "s", "t")
    assert data.class_names == ("x", "y")
    with pytest.raises(DataError, match="not unique"):
        from_arrays(IMAGES, [0] * 4, ids=["a"] * 4)
    with pytest.raises(LabelError, match=r"row 1.*one of the 1 classes"):
        from_arrays(IMAGES, ["x", "y", "x", "y"], class_names=["x"])


def test_identical_samples_have_different_ids():
    assert len(set(from_arrays(np.zeros((5, 4, 4, 1), np.uint8), [0] * 5).ids)) == 5


@pytest.mark.parametrize(
    "picture",
    [
        Image.fromarray(IMAGES[0]),
        IMAGES[0],
        IMAGES[0].transpose(2, 0, 1),
        torch.from_numpy(IMAGES[0]).permute(2, 0, 1),
        torch.from_numpy(IMAGES[0]),
        torch.from_numpy(IMAGES[0]).permute(2, 0, 1) / 255,
    ],
)
@pytest.mark.parametrize("label", [1, np.int64(1), torch.tensor(1), "b"])
def test_what_torch_data_sets_yield(picture, label):
    data = from_torch_dataset(Pairs([(picture, label)]), class_names=["a", "b"])
    np.testing.assert_array_equal(hwc(data)[0], IMAGES[0])
    assert data.labels.tolist() == [1]
    assert data.ids == array_ids(IMAGES[:1])


def test_an_ambiguous_axis_follows_the_custom_of_the_type():
    tensor = torch.zeros(3, 8, 3, dtype=torch.uint8)
    assert from_torch_dataset(Pairs([(tensor, 0)])).shape == (3, 8, 3)
    assert from_torch_dataset(Pairs([(tensor.numpy(), 0)])).shape == (3, 3, 8)
    assert from_torch_dataset(Pairs([(np.zeros((8, 9), np.uint8), 0)])).shape == (1, 8, 9)


def test_class_names_come_from_the_set_also_through_a_subset():
    whole = Pairs([(IMAGES[0], 0), (IMAGES[1], 1)], classes=["cat", ("dog", "hound")])
    assert from_torch_dataset(whole).class_names == ("cat", "dog")
    assert from_torch_dataset(Subset(whole, [1])).class_names == ("cat", "dog")
    assert from_torch_dataset(Pairs([(IMAGES[0], 2)])).class_names == ("0", "1", "2")


def test_tensor_datasets_and_sizes():
    tensors = TensorDataset(torch.from_numpy(IMAGES).permute(0, 3, 1, 2), torch.arange(4))
    assert from_torch_dataset(tensors, size=4, fit="pad").shape == (3, 4, 4)
    mixed = Pairs([(IMAGES[0], 0), (IMAGES[1][:3], 0)])
    with pytest.raises(ShapeError, match=r"Pairs\[0\].*Pairs\[1\].*--size"):
        from_torch_dataset(mixed)
    assert from_torch_dataset(mixed, size=3).shape == (3, 3, 3)


@pytest.mark.parametrize(
    ("pair", "error", "match"),
    [
        ((IMAGES[0] / 127.0, 0), DataError, r"Pairs\[0\] holds floats over 1"),
        ((IMAGES[0] / 255.0 - 0.5, 0), DataError, "out of range"),
        ((np.full((4, 4), np.nan), 0), DataError, "NaN"),
        ((np.zeros((4, 4, 7), np.uint8), 0), ShapeError, "no axis of 1 or 3 channels"),
        (("text", 0), ShapeError, "is no picture"),
        ((IMAGES[0], None), LabelError, "no class as its label"),
        ((IMAGES[0], 0.5), LabelError, "no class as its label"),
        ((IMAGES[0], torch.zeros(3)), LabelError, "no class as its label"),
        ((IMAGES[0], -1), LabelError, "outside the classes"),
        (IMAGES[0], UnreadableSampleError, "a pair of picture and label"),
        (OSError("image file is truncated"), UnreadableSampleError, "truncated"),
    ],
)
def test_bad_samples(pair, error, match):
    with pytest.raises(error, match=match):
        from_torch_dataset(Pairs([pair]))


def test_skip_bad():
    pairs = Pairs([(IMAGES[0], 0), OSError("gone"), (IMAGES[1], 5)])
    with pytest.warns(SkippedSamplesWarning, match="2 left out"):
        data = from_torch_dataset(pairs, class_names=["a"], skip_bad=True)
    assert [sample.path for sample in data.skipped] == ["Pairs[1]", "Pairs[2]"]
    with pytest.raises(EmptyDataError, match="no usable"):
        from_torch_dataset(Pairs([OSError("gone")]), skip_bad=True)


def test_what_is_no_map_style_set():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter([])

    for thing in (Stream(), object(), (pair for pair in [])):
        with pytest.raises(UsageError, match=r"map-style|length"):
            from_torch_dataset(thing)
    with pytest.raises(EmptyDataError):
        from_torch_dataset(Pairs([]))
