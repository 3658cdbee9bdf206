"""Sets by name. `datasets` is the real package, offline; torchvision is real where it loads, else a stand-in."""

from __future__ import annotations

import gzip
import struct
import sys
import types

import numpy as np
import pytest
import torch
from data_toys import class_folders, pixels_of, toy

from bezoar.data import from_torch_dataset, open_data, write_parquet
from bezoar.data.options import ReadOptions
from bezoar.data.readers.hub import read_torchvision
from bezoar.errors import DataError, MissingExtraError, UsageError


@pytest.fixture
def offline(monkeypatch, tmp_path):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf-cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True, raising=False)
    datasets.disable_progress_bars()
    return datasets


@pytest.mark.filterwarnings("ignore")
def test_a_local_folder_of_parquet_by_its_hf_name(offline, tmp_path):
    write_parquet(toy(4, class_names=["no", "yes"], sources=["a", None, "b", "a"]), tmp_path / "set/train.parquet")
    write_parquet(toy(2, class_names=["no", "yes"]), tmp_path / "set/test.parquet")
    data = open_data(f"hf:{tmp_path / 'set'}")
    assert data.class_names == ("no", "yes")
    assert data.ids == toy(4).ids
    assert data.sources == ("a", None, "b", "a")
    assert torch.equal(data.inputs, toy(4).inputs)
    assert data.encoded.encoded(data.ids[3])[0] == ".png"
    assert len(open_data(f"hf:{tmp_path / 'set'}", split="test", size=4)) == 2
    with pytest.raises(DataError, match="no split 'validation'"):
        open_data(f"hf:{tmp_path / 'set'}", split="validation")


@pytest.mark.filterwarnings("ignore")
def test_a_local_folder_of_pictures_by_its_hf_name(offline, tmp_path):
    root = class_folders(tmp_path / "set" / "train", {"cat": 2, "dog": 1})
    data = open_data(f"hf:{tmp_path / 'set'}")
    assert data.class_names == ("cat", "dog")
    assert data.class_counts == (2, 1)
    assert any(sample_id.endswith(":train/dog/0.png") for sample_id in data.ids)
    row = data.ids.index(next(name for name in data.ids if "dog" in name))
    np.testing.assert_array_equal(data.inputs[row].permute(1, 2, 0).numpy(), pixels_of(2))
    assert data.encoded.encoded(data.ids[row]) == (".png", (root / "dog/0.png").read_bytes())


@pytest.mark.filterwarnings("ignore")
def test_a_name_that_cannot_be_loaded(offline, tmp_path):
    with pytest.raises(DataError, match=r"hf:nobody/nothing cannot be loaded.*hf:NAME:config"):
        open_data("hf:nobody/nothing")


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def put_mnist(root) -> tuple[np.ndarray, np.ndarray]:
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28), dtype=np.uint8)
    labels = np.array([5, 0, 4, 1, 9, 2], np.uint8)
    for part, take in {"train": slice(0, 4), "t10k": slice(4, 6)}.items():
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(images[take]))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels[take]))
        (raw / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels[take])))
    return images, labels


def test_real_torchvision_where_it_loads(tmp_path, monkeypatch):
    try:
        import torchvision.datasets  # noqa: F401
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"torchvision does not load here: {error}")
    images, labels = put_mnist(tmp_path)
    monkeypatch.setenv("BEZOAR_TORCHVISION_ROOT", str(tmp_path))
    data = open_data("torchvision:MNIST")
    np.testing.assert_array_equal(data.inputs[:, 0].numpy(), images[:4])
    assert data.labels.tolist() == labels[:4].tolist()
    assert data.class_names[5] == "5 - five"
    assert data.shape == (1, 28, 28)
    assert len(open_data("torchvision:mnist", split="test", size=14)) == 2


class Digits:
    """A stand-in with the interface of torchvision's sets that take `train`."""

    classes = ("zero", "one")

    def __init__(self, root, train=True, transform=None, target_transform=None, download=False):
        self.place = f"{root}|{train}|{download}"
        if not download:
            raise RuntimeError("Dataset not found. You can use download=True to download it")
        self.count = 3 if train else 1

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return pixels_of(index), index % 2


class Numbers(Digits):
    """And one that takes `split`."""

    def __init__(self, root, split="train", download=False):
        if split not in ("train", "val"):
            raise ValueError(f"Unknown value '{split}' for argument split")
        super().__init__(root, split == "train", download=True)


class Faces(Digits):
    def __init__(self, root):
        raise RuntimeError("Dataset not found or corrupted")


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    package, module = types.ModuleType("torchvision"), types.ModuleType("torchvision.datasets")
    module.Digits, module.Numbers, module.Faces, module.helper = Digits, Numbers, Faces, len
    package.datasets = module
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", module)
    monkeypatch.setenv("BEZOAR_TORCHVISION_ROOT", str(tmp_path))


@pytest.mark.usefixtures("stand_in")
def test_torchvision_by_name():
    data = open_data("torchvision:digits", size=4)
    assert (len(data), data.class_names, data.name, data.shape) == (3, ("zero", "one"), "torchvision:digits", (3, 4, 4))
    assert len(open_data("torchvision:Digits", split="test")) == 1
    assert len(open_data("torchvision:Numbers")) == 3
    assert len(open_data("torchvision:Numbers", split="validation")) == 1
    assert len(open_data("torchvision:Numbers", split="test")) == 1
    with pytest.raises(DataError, match="no split 'validation'"):
        open_data("torchvision:Digits", split="validation")
    with pytest.raises(DataError, match=r"cannot be loaded.*corrupted.*BEZOAR_TORCHVISION_ROOT"):
        open_data("torchvision:Faces")
    with pytest.raises(UsageError, match=r"no data set 'Digit'.*Perhaps Digits"):
        open_data("torchvision:Digit")
    assert from_torch_dataset(Digits("x", download=True)).ids == open_data("torchvision:Digits").ids


@pytest.mark.parametrize(
    ("module", "source", "packages"),
    [
        ("datasets", "hf:x", r"'datasets>=3' 'pyarrow>=17'"),
        ("torchvision.datasets", "torchvision:MNIST", r"'torchvision>=0.20'"),
        ("pyarrow", "a.parquet", r"'pyarrow>=17'"),
    ],
)
def test_missing_extras_say_how_to_install_them(monkeypatch, tmp_path, module, source, packages):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"-m pip install {packages}\.$"):
        open_data(source)


def test_a_root_can_be_given(stand_in, tmp_path):
    assert len(read_torchvision("Digits", ReadOptions(), root=tmp_path)) == 3
