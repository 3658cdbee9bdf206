from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bezoar.errors import DataError, ShapeError, UsageError
from bezoar.evidence import sheets
from bezoar.evidence.sheets import Writer
from bezoar.evidence.store import Store


def test_a_large_file_is_sampled_throughout(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(1 << 20))
    before = sheets.check_of(path)
    for place in (0, (1 << 20) - 1, (1 << 20) // 3):
        content = bytearray(1 << 20)
        content[place : place + (1 << 17)] = b"x" * len(content[place : place + (1 << 17)])
        path.write_bytes(content)
        assert sheets.check_of(path) != before


def test_values_beyond_half_precision_are_clipped_and_counted(tmp_path: Path) -> None:
    def make(writer: Writer) -> None:
        half = writer.allocate("half", (2, 3))
        half[0] = np.array([1e6, -np.inf, 3.0])
        half[1] = np.array([65504.0, -65505.0, 0.0], dtype=np.float32)
        single = writer.allocate("single", (3,), np.float32)
        single[:] = np.array([1e39, 1.0, 2.0])
        fine = writer.allocate("fine", (1,), np.float32)
        fine[0] = np.float16(2)

    for _ in range(2):
        found = Store(tmp_path).get_or_make({"seed": 0}, make)
        assert found.clipped == {"half": 3, "single": 1, "fine": 0}
        assert found["half"].tolist() == [[65504, -65504, 3], [65504, -65504, 0]]
        assert found["single"][0] == np.finfo(np.float32).max


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    tmp_path.joinpath("w").mkdir()
    writer = Writer(tmp_path / "w")
    sheet = writer.allocate("features", (4, 2))
    whole = writer.allocate("labels", (4,), np.uint8)
    for rows, values in ((0, np.ones(3)), (slice(0, 2), np.ones((3, 2))), (slice(2, 9), np.ones((7, 2)))):
        with pytest.raises(ShapeError):
            sheet[rows] = values
    with pytest.raises(DataError, match="not a number"):
        sheet[0] = np.array([1.0, np.nan])
    with pytest.raises(DataError, match="uint8"):
        whole[:] = np.arange(4)
    with pytest.raises(UsageError, match="twice"):
        writer.allocate("features", (1,))
    with pytest.raises(ShapeError):
        writer.allocate("nothing", ())
    with pytest.raises(DataError, match="plain numbers"):
        writer.allocate("objects", (3,), object)
    sheet[:], whole[:] = np.ones((4, 2)), np.arange(4, dtype=np.uint8)
    writer.finish()
    with pytest.raises(UsageError, match="finished"):
        sheet[0] = np.ones(2)


def test_writing_stays_small_in_memory(tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil")
    process, most = psutil.Process(), 0
    block = np.ones((1 << 12, 1 << 10), dtype=np.float16)
    before = process.memory_info().rss

    def make(writer: Writer) -> None:
        nonlocal most
        sheet = writer.allocate("features", (1 << 16, 1 << 10))
        for start in range(0, 1 << 16, len(block)):
            sheet[start : start + len(block)] = block
            most = max(most, process.memory_info().rss - before)

    found = Store(tmp_path).get_or_make({"seed": 0}, make)
    assert found["features"].nbytes == 1 << 27
    assert most < 1 << 26
