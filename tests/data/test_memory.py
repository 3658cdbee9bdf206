from __future__ import annotations

import gc
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
import torch

from bezoar.data import allocate
from bezoar.data.memory import allocate_bytes, physical_memory, scratch_folder
from bezoar.errors import DataError, ShapeError, UsageError


def mapped_scratch() -> list[str]:
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if ".scratch" in line]


@pytest.mark.parametrize("share", [0.25, 1e-12])
def test_shape_type_and_layout(share, tmp_path, monkeypatch):
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path))
    room = allocate(5, 3, 4, 6, memory_share=share)
    assert room.shape == (5, 3, 4, 6)
    assert room.dtype == torch.uint8
    assert room.is_contiguous(memory_format=torch.channels_last)
    room.copy_(torch.arange(360).reshape(5, 3, 4, 6) % 256)
    assert int(room[4, 2, 3, 5]) == 359 % 256


def test_small_is_in_memory_and_large_in_a_nameless_file(tmp_path, monkeypatch):
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path / "cache"))
    before = len(mapped_scratch())
    small = allocate(1, 1, 2, 2)
    assert len(mapped_scratch()) == before
    large = allocate(2000, 3, 32, 32, memory_share=1e-9)
    assert any(str(tmp_path) in line and "(deleted)" in line for line in mapped_scratch())
    assert list((tmp_path / "cache").iterdir()) == []
    view = large[10:]
    view.fill_(7)
    del large
    assert int(view.sum()) == 7 * view.numel()
    del view, small
    gc.collect()
    assert len(mapped_scratch()) == before


def test_a_full_disk_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12, 10**6))
    with pytest.raises(DataError, match=r"no room in .*BEZOAR_CACHE"):
        allocate_bytes(10**7, memory_share=1e-9)
    assert list(tmp_path.iterdir()) == []


def test_sizes_that_make_no_sense():
    with pytest.raises(ShapeError, match="no size"):
        allocate(0, 3, 4, 4)


def test_physical_memory_and_the_folder(monkeypatch, tmp_path):
    assert 2**26 < physical_memory() < 2**50
    monkeypatch.delenv("BEZOAR_CACHE", raising=False)
    assert scratch_folder().is_dir()
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path / "new"))
    assert scratch_folder() == tmp_path / "new"


def test_a_cache_that_is_a_file_is_told_so(monkeypatch, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path / "notes.txt"))
    with pytest.raises(UsageError, match="BEZOAR_CACHE names no folder"):
        scratch_folder()
    assert (tmp_path / "notes.txt").read_text() == "mine"
