from __future__ import annotations

import pytest
from data_toys import class_folders, put

from bezoar.data import open_data
from bezoar.errors import DataError, EmptyDataError, UnsafeDataError, UsageError


def test_an_unknown_name_says_what_data_can_be_and_what_is_near(tmp_path):
    class_folders(tmp_path / "flowers", {"a": 1})
    with pytest.raises(UsageError, match=r"no data set '.*flowrs'.*\.npz.*hf:NAME.*Perhaps .*flowers"):
        open_data(str(tmp_path / "flowrs"))
    with pytest.raises(UsageError, match="signs"):
        open_data("sings")


@pytest.mark.parametrize("source", ["hf:", "torchvision:"])
def test_a_prefix_without_a_name(source):
    with pytest.raises(UsageError, match="names no data set"):
        open_data(source)


@pytest.mark.parametrize("name", ["model.pkl", "data.pt", "batch.pickle", "x.pth"])
def test_pickles_are_refused_by_name(tmp_path, name):
    path = put(tmp_path, name, b"\x80\x04.")
    with pytest.raises(UnsafeDataError, match=r"is a pickle.*np.savez"):
        open_data(path)


def test_other_files_and_empty_folders(tmp_path):
    with pytest.raises(UsageError, match=r"is no data set.*parquet.*a \.csv file.*Texts and tables cannot be read yet"):
        open_data(put(tmp_path, "table.csv", b"a,b"))
    with pytest.raises(UsageError, match=r"is no data set.*a \.avi file. Bring the samples"):
        open_data(put(tmp_path, "film.avi", b"a,b"))
    (tmp_path / "void").mkdir()
    with pytest.raises(EmptyDataError, match=r"is an empty folder; expected class folders.*\.png"):
        open_data(tmp_path / "void")
    put(tmp_path, "texts/a.csv", b"a,b")
    with pytest.raises(EmptyDataError, match=r"holds no data.*expected .*\.parquet.*found a\.csv. Texts and tables"):
        open_data(tmp_path / "texts")
    put(tmp_path, "films/a.avi", b"a,b")
    with pytest.raises(EmptyDataError, match=r"holds no data.*found a\.avi. Bring the samples"):
        open_data(tmp_path / "films")
    put(tmp_path, "arrays/train.npz", b"x")
    with pytest.raises(DataError, match=r"Name the file.*train\.npz"):
        open_data(tmp_path / "arrays")


def test_embedded_sets(tmp_path, monkeypatch):
    signs = open_data("embedded:signs", split="test", seed=3, size=16)
    assert signs.shape == (3, 16, 16)
    with pytest.raises(UsageError, match="no embedded set is called 'nothing'"):
        open_data("embedded:nothing")
    monkeypatch.chdir(tmp_path)
    class_folders(tmp_path / "signs", {"a": 2})
    with pytest.raises(UsageError, match=r"\./signs for the path"):
        open_data("signs")
    assert len(open_data("./signs")) == 2
    with pytest.raises(UsageError, match="source_level does not apply"):
        open_data("embedded:signs", source_level=1)
