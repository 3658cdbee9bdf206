from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bezoar.errors import DataError, UsageError
from bezoar.evidence.sheets import Writer, check_of
from bezoar.evidence.store import Entry, Store, default_root, key_of

PARTS = {"data": "abc", "gatherer": "spectrum:drop=3", "version": 1, "seed": 0}


class Maker:
    """Fills one matrix, and counts how often it was asked."""

    def __init__(self, rows: int = 100, columns: int = 8, value: float = 1.0) -> None:
        self.shape, self.value, self.calls = (rows, columns), value, 0

    def __call__(self, writer: Writer) -> None:
        self.calls += 1
        features = writer.allocate("features", self.shape)
        for start in range(0, self.shape[0], 30):
            stop = min(start + 30, self.shape[0])
            features[start:stop] = np.full((stop - start, self.shape[1]), self.value) + np.arange(start, stop)[:, None]


def leftovers(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.suffix != ".lock")


def test_what_was_made_is_found(tmp_path: Path) -> None:
    make = Maker()
    first = Store(tmp_path).get_or_make(PARTS, make)
    second = Store(tmp_path).get_or_make(dict(reversed(PARTS.items())), make)
    assert make.calls == 1
    assert (first.made, second.made) == (True, False)
    assert list(second) == ["features"]
    np.testing.assert_array_equal(second["features"], (1 + np.arange(100))[:, None] * np.ones(8))
    assert isinstance(second["features"], np.memmap)
    assert second["features"].dtype == np.float16
    assert leftovers(tmp_path) == [first.key]


def test_maps_are_read_only(tmp_path: Path) -> None:
    found = Store(tmp_path).get_or_make(PARTS, Maker())
    with pytest.raises(ValueError, match="read-only"):
        found["features"][0] = 3
    with pytest.raises(KeyError):
        found["other"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_crash_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def crash(writer: Writer) -> None:
        Maker()(writer)
        raise error("halfway")

    with pytest.raises(error, match="halfway"):
        Store(tmp_path).get_or_make(PARTS, crash)
    assert leftovers(tmp_path) == []
    make = Maker()
    assert Store(tmp_path).get_or_make(PARTS, make).made
    assert make.calls == 1


def test_a_row_never_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    def forget(writer: Writer) -> None:
        sheet = writer.allocate("features", (10, 2))
        sheet[:4] = np.ones((4, 2))
        sheet[np.array([5, 6, 7, 8, 9])] = np.ones((5, 2))

    with pytest.raises(DataError, match="1 of 10, row 4"):
        Store(tmp_path).get_or_make(PARTS, forget)
    assert leftovers(tmp_path) == []


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    own, foreign = key_of(PARTS), key_of({"other": 1})
    for key in (own, foreign):
        (tmp_path / f"{key}.part").mkdir()
        (tmp_path / f"{key}.part" / "000.npy").write_bytes(b"half")
    Store(tmp_path).get_or_make(PARTS, Maker())
    assert leftovers(tmp_path) == [own]


def replace_all(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.write_text("a file")


def edit(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "truncated": edit("000.npy", lambda content: content[:-1]),
    "emptied": edit("000.npy", lambda _: b""),
    "longer": edit("000.npy", lambda content: content + b"0"),
    "removed": lambda folder: (folder / "000.npy").unlink(),
    "another dtype": edit("000.npy", lambda content: content.replace(b"'<f2'", b"'<i2'")),
    "zeroed": edit("000.npy", lambda content: content[:128] + bytes(len(content) - 128)),
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "half a manifest": edit("manifest.json", lambda content: content[: len(content) // 2]),
    "a manifest of another type": edit("manifest.json", lambda _: b"[]"),
    "a manifest that is a word": edit("manifest.json", lambda _: b'"text"'),
    "a manifest that is no text": edit("manifest.json", lambda _: b"\xff\x00"),
    "a changed manifest": edit("manifest.json", lambda content: content.replace(b'"clipped": 0', b'"clipped": 1')),
    "a file in its place": replace_all,
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_entry_is_made_anew(tmp_path: Path, kind: str) -> None:
    store, make = Store(tmp_path), Maker()
    key = store.get_or_make(PARTS, make).key
    DAMAGES[kind](tmp_path / key)
    again = store.get_or_make(PARTS, make)
    assert make.calls == 2
    assert again.made
    assert again["features"][99, 0] == 100
    assert not store.get_or_make(PARTS, make).made


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"seed": 0.0}, {"seed": "0"}, {"seed": False}, {"seed": None}, {"data": "abd"}, {"more": None}],
)
def test_whatever_changes_the_result_changes_the_key(change: dict[str, object]) -> None:
    assert key_of(PARTS | change) != key_of(PARTS)


def test_keys_keep_structure_apart() -> None:
    different = [{"a": ["b", "c"]}, {"a": ["bc"]}, {"a": [["b"], "c"]}, {"a": {"b": "c"}}, {"ab": "c"}, {"a": "b,c"}]
    assert len({key_of(parts) for parts in different}) == len(different)
    assert key_of({"a": (1, 2)}) == key_of({"a": [1, 2]})
    # A key must stay the same from version to version, or every cache is lost.
    assert key_of({"seed": 1}) == hashlib.sha256(b'{"format": 1, "parts": {"seed": 1}}').hexdigest()


@pytest.mark.parametrize("part", [{1: "a"}, b"bytes", float("nan"), np.int64(3), {"x": [object()]}, {1, 2}, Path("x")])
def test_parts_that_are_not_plain_are_refused(tmp_path: Path, part: object) -> None:
    with pytest.raises(UsageError, match="cannot be part of a key"):
        Store(tmp_path).get_or_make({"part": part}, Maker())


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="BEZOAR_CACHE"):
        Store(tmp_path).get_or_make(PARTS, lambda writer: writer.allocate("huge", (1 << 40, 1 << 10)) and None)
    assert leftovers(tmp_path) == []


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    store, make = Store(tmp_path), Maker()
    folder = tmp_path / store.get_or_make(PARTS, make).key
    np.save(folder / "000.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    # Not even where a manifest vouches for it.
    content = json.loads((folder / "manifest.json").read_text())
    content["arrays"][0] |= {"check": check_of(folder / "000.npy"), "dtype": "|O", "shape": [1]}
    del content["digest"]
    content["digest"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(content))
    again = store.get_or_make(PARTS, make)
    assert again.made
    assert again["features"].dtype == np.float16


def hold(root: str, seconds: float, started: object, calls: object) -> None:
    def make(writer: Writer) -> None:
        with calls.get_lock():
            calls.value += 1
        started.set()
        time.sleep(seconds)
        Maker()(writer)

    assert Store(Path(root)).get_or_make(PARTS, make)["features"][99, 7] == 100


@pytest.mark.parametrize("threads", [True, False])
def test_of_several_at_once_one_makes_and_the_others_wait(tmp_path: Path, threads: bool) -> None:
    context = multiprocessing.get_context("spawn")
    started, calls = context.Event(), context.Value("i", 0)
    kind = threading.Thread if threads else context.Process
    workers = [kind(target=hold, args=(str(tmp_path), 0.3, started, calls)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert calls.value == 1
    assert threads or all(worker.exitcode == 0 for worker in workers)
    assert leftovers(tmp_path) == [key_of(PARTS)]


def test_those_used_least_recently_are_removed_above_the_limit(tmp_path: Path) -> None:
    one = Store(tmp_path).get_or_make({"n": 0}, Maker(1000))
    size = Store(tmp_path).size()
    assert size > 16_000
    store = Store(tmp_path, limit=int(2.5 * size))
    store.get_or_make({"n": 1}, Maker(1000))
    for age, number in ((100, 0), (50, 1)):
        stamp = time.time() - age
        os.utime(tmp_path / key_of({"n": number}) / "manifest.json", (stamp, stamp))
    assert not store.get_or_make({"n": 0}, Maker()).made
    store.get_or_make({"n": 2}, Maker(1000))
    assert leftovers(tmp_path) == sorted(key_of({"n": number}) for number in (0, 2))
    assert store.size() <= store.limit
    # The newest stays, however large, and what is still mapped can still be read.
    Store(tmp_path, limit=1).get_or_make({"n": 3}, Maker(1000))
    assert leftovers(tmp_path) == [key_of({"n": 3})]
    assert one["features"][999, 0] == 1000


def test_what_another_process_has_locked_is_not_removed(tmp_path: Path) -> None:
    from filelock import FileLock

    Store(tmp_path).get_or_make({"n": 0}, Maker())
    with FileLock(tmp_path / f"{key_of({'n': 0})}.lock"):
        Store(tmp_path, limit=1).get_or_make({"n": 1}, Maker())
    assert leftovers(tmp_path) == sorted(key_of({"n": number}) for number in (0, 1))


def test_default_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_root() == tmp_path / "own" / "evidence"
    monkeypatch.delenv("BEZOAR_CACHE")
    assert default_root() == tmp_path / "xdg" / "bezoar" / "evidence"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_root() == tmp_path / ".cache" / "bezoar" / "evidence"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_root() == tmp_path / ".cache" / "bezoar" / "evidence"


DTYPES = st.sampled_from([np.float16, np.float32, np.float64, np.int64, np.uint8, np.bool_])
MATRICES = DTYPES.flatmap(
    lambda dtype: arrays.arrays(
        dtype,
        arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5),
        elements={"allow_nan": False, "allow_infinity": False} if np.issubdtype(dtype, np.floating) else None,
    )
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(matrices=st.dictionaries(st.text(max_size=8), MATRICES, max_size=4), size=st.integers(1, 4), data=st.data())
def test_any_matrices_come_back_bit_by_bit(tmp_path_factory, matrices, size, data) -> None:
    def make(writer: Writer) -> None:
        for name, matrix in matrices.items():
            sheet = writer.allocate(name, matrix.shape, matrix.dtype)
            starts = data.draw(st.permutations(range(0, len(matrix), size)))
            for start in starts:
                sheet[start : start + size] = matrix[start : start + size]

    root = tmp_path_factory.mktemp("store")
    made = Store(root).get_or_make({"names": list(matrices)}, make)
    found: Entry = Store(root).get_or_make({"names": list(matrices)}, make)
    assert (made.made, found.made) == (True, False)
    assert list(found) == list(matrices)
    for name, matrix in matrices.items():
        np.testing.assert_array_equal(found[name], matrix)
        assert found[name].dtype == matrix.dtype
