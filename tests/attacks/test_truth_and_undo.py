"""The truth file, and the way back: everything as it was, or a clear error."""

from __future__ import annotations

import json
import stat
import tempfile
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drill_toys import (
    CLASSES,
    Corner,
    all_files,
    assert_same_data,
    picture_array,
    picture_folder,
    picture_set,
    token_set,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bezoar.attacks import DirtyLabel, default_truth_path, load_truth, save_truth, undo
from bezoar.data import DrillMark, from_arrays, open_data, write_data
from bezoar.errors import OutputExistsError, PoisonedDataWarning, TruthError, UsageError

BEZOAR_FILES = ("bezoar.json", "bezoar-index.csv")


def drill(data, path, *, seed=0, **fields):
    attack = DirtyLabel(trigger=Corner(255), **{"target": "bird", "count": 5, "warn_above": 1.0, **fields})
    poisoned = attack.poison(data, seed=seed)
    save_truth(poisoned, path)
    return poisoned


def reopened(path, **options):
    with pytest.warns(PoisonedDataWarning, match="bezoar attack --undo"):
        return open_data(path, **options)


@given(
    placement=st.sampled_from(["add", "replace"]),
    layout=st.sampled_from(["folder", "npz", "parquet", "memory"]),
    per_class=st.integers(2, 9),
    share=st.floats(0.1, 0.6),
    seed=st.integers(0, 2**31),
    relabel=st.sampled_from(["all-to-one", "all-to-all"]),
)
@settings(max_examples=16, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_poison_save_write_read_undo_gives_everything_back(placement, layout, per_class, share, seed, relabel):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        original = open_data(picture_folder(root / "original", per_class))
        target = "bird" if relabel == "all-to-one" else None
        fields = {"target": target, "relabel": relabel, "count": None, "rate": share, "placement": placement}
        poisoned = drill(original, root / "truth.zip", seed=seed, **fields)
        assert load_truth(root / "truth.zip") == poisoned.truth

        data = poisoned.data
        if layout != "memory":
            path = root / ("poisoned" if layout == "folder" else f"poisoned.{layout}")
            write_data(data, path)
            data = reopened(path)
            assert data.mark == poisoned.data.mark
            assert data.ids == poisoned.data.ids
            assert poisoned.truth.among(data.ids) == poisoned.truth.among(poisoned.data.ids)
        restored = undo(data, root / "truth.zip")

        assert_same_data(restored, original)
        if layout != "npz":
            write_data(restored, root / "restored")
            assert all_files(root / "restored", without=BEZOAR_FILES) == all_files(root / "original")


def test_undo_to_npz_and_parquet_gives_the_same_arrays_and_bytes(tmp_path):
    original = open_data(picture_folder(tmp_path / "original"))
    poisoned = drill(original, tmp_path / "truth.zip", placement="replace")
    restored = undo(poisoned.data, tmp_path / "truth.zip")
    for name in ("data.npz", "data.parquet"):
        write_data(original, tmp_path / f"original-{name}")
        write_data(restored, tmp_path / f"restored-{name}")
        assert (tmp_path / f"original-{name}").read_bytes() == (tmp_path / f"restored-{name}").read_bytes()


@pytest.mark.parametrize("placement", ["add", "replace"])
def test_samples_that_are_no_images(tmp_path, placement):
    data = token_set()
    poisoned = drill(data, tmp_path / "truth.zip", placement=placement)
    assert_same_data(undo(poisoned.data, tmp_path / "truth.zip"), data)


def test_rows_may_come_in_any_order(tmp_path):
    data = picture_set(sources=True)
    poisoned = drill(data, tmp_path / "truth.zip", placement="replace").data
    shuffled = poisoned.select(torch.randperm(len(poisoned), generator=torch.Generator().manual_seed(1)))
    assert_same_data(undo(shuffled, tmp_path / "truth.zip"), data)


def test_a_class_replaced_whole_comes_back(tmp_path):
    original = open_data(picture_folder(tmp_path / "original", 3))
    poisoned = drill(original, tmp_path / "truth.zip", placement="replace", sources=("airplane",), count=3)
    write_data(poisoned.data, tmp_path / "poisoned")
    assert_same_data(undo(reopened(tmp_path / "poisoned"), tmp_path / "truth.zip"), original)


def test_identical_pictures_come_back(tmp_path):
    data = from_arrays(np.full((12, 4, 4, 3), 50, dtype=np.uint8), np.arange(12) % 3, class_names=CLASSES, name="p")
    poisoned = drill(data, tmp_path / "truth.zip", placement="add")
    write_data(poisoned.data, tmp_path / "p.npz")
    assert_same_data(undo(reopened(tmp_path / "p.npz"), tmp_path / "truth.zip"), data)


def test_the_file_is_sealed_and_the_same_every_time(tmp_path):
    data = picture_set(sources=True)
    for name in ("one", "two"):
        drill(data, tmp_path / name, placement="replace")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o600
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["one", "two"]


def test_the_truth_says_what_was_done(tmp_path):
    poisoned = drill(picture_set(), tmp_path / "truth.zip", seed=11)
    truth = load_truth(tmp_path / "truth.zip")
    assert truth.attack == "dirty-label:target=bird,count=5,warn_above=1.0"
    assert truth.backdoors[0].trigger == "drill_toys:Corner:value=255"
    assert truth.seed == 11
    assert {"bezoar", "torch", "numpy", "python"} <= set(dict(truth.versions))
    assert truth.drill == poisoned.data.mark.drill
    assert truth.digest_after == poisoned.data.digest()


def test_a_truth_file_is_never_overwritten(tmp_path):
    drill(picture_set(), tmp_path / "truth.zip")
    before = (tmp_path / "truth.zip").read_bytes()
    with pytest.raises(OutputExistsError, match="exists"):
        drill(picture_set(), tmp_path / "truth.zip", seed=1)
    assert (tmp_path / "truth.zip").read_bytes() == before


def test_it_is_written_beside_the_data_and_never_inside(tmp_path):
    assert default_truth_path(tmp_path / "out") == tmp_path / "out.truth.zip"
    assert default_truth_path(tmp_path / "out.npz") == tmp_path / "out.npz.truth.zip"
    assert default_truth_path(f"{tmp_path}/out/").parent == tmp_path
    poisoned = drill(open_data(picture_folder(tmp_path / "original")), tmp_path / "truth.zip")
    write_data(poisoned.data, tmp_path / "out")
    with pytest.raises(TruthError, match="lies inside the data folder"):
        save_truth(poisoned, tmp_path / "out" / "bird" / "truth.zip")


def test_a_place_that_cannot_be_written_to_is_an_error(tmp_path):
    with pytest.raises(UsageError, match=r"the folder .*nowhere does not exist.*Make it first"):
        drill(picture_set(), tmp_path / "nowhere" / "truth.zip")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UsageError, match="does not exist"):
        drill(picture_set(), tmp_path / "file" / "truth.zip")


def test_nothing_is_left_when_writing_fails(tmp_path):
    class Broken:
        def encoded(self, sample_id):
            raise RuntimeError("the disk is gone")

    data = replace(picture_set(), encoded=Broken())
    with pytest.raises(RuntimeError, match="disk is gone"):
        drill(data, tmp_path / "truth.zip", placement="replace")
    assert list(tmp_path.iterdir()) == []


def edited_row(data):
    inputs = data.inputs.clone()
    inputs[0, :, 3, 3] += 1
    return replace(data, inputs=inputs)


def relabelled_row(data, row):
    labels = data.labels.clone()
    labels[row] = (labels[row] + 1) % 3
    return replace(data, labels=labels)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda data: data.select(range(1, len(data))), r"changed since drill.*1 samples are missing \("),
        (lambda data: replace(data, ids=("new", *data.ids[1:])), r"1 samples are missing.*1 samples are new.*\(new\)"),
        (edited_row, r"changed since drill.*1 samples have other contents \("),
        (lambda data: relabelled_row(data, 0), "labels changed"),
        (lambda data: replace(data, class_names=("a", "b", "c")), "its classes are others: airplane"),
        (lambda data: replace(data, mark=DrillMark("0123")), "belongs to drill .*; found data of drill 0123"),
        (lambda data: replace(data, inputs=data.inputs[:, :, :4]), r"its samples are \(6, 6, 3\)"),
        (lambda data: replace(picture_set(seed=8), mark=None), "does not belong.*no sample in common"),
    ],
)
def test_data_that_changed_or_are_others_are_an_error(tmp_path, change, match):
    poisoned = drill(picture_set(), tmp_path / "truth.zip").data
    with pytest.raises(TruthError, match=match):
        undo(change(poisoned), tmp_path / "truth.zip")


def test_a_relabelled_poison_is_named(tmp_path):
    poisoned = drill(picture_set(), tmp_path / "truth.zip")
    row = poisoned.data.ids.index(poisoned.truth.samples[0].id)
    with pytest.raises(TruthError, match=rf"labels changed \({poisoned.truth.samples[0].id}\)"):
        undo(relabelled_row(poisoned.data, row), tmp_path / "truth.zip")


def test_a_changed_poison_is_noticed_too(tmp_path):
    poisoned = drill(picture_set(), tmp_path / "truth.zip")
    poisoned.data.inputs[poisoned.data.ids.index(poisoned.truth.samples[0].id), 0, 3, 3] ^= 1
    with pytest.raises(TruthError, match="1 samples have other contents"):
        undo(poisoned.data, tmp_path / "truth.zip")


@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_a_damaged_byte_is_an_error_or_harmless(place, flip):
    data = picture_set(per_class=4)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "truth.zip"
        poisoned = drill(data, path, placement="replace", count=2)
        content = bytearray(path.read_bytes())
        content[int(place * len(content))] ^= flip
        path.write_bytes(content)
        try:
            restored = undo(poisoned.data, path)
        except TruthError:
            return
        assert_same_data(restored, data)


@given(length=st.floats(0, 1, exclude_max=True))
@settings(max_examples=20, deadline=None)
def test_a_truncated_file_is_an_error(length):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "truth.zip"
        drill(picture_set(per_class=4), path, placement="replace", count=2)
        content = path.read_bytes()
        path.write_bytes(content[: int(length * len(content))])
        with pytest.raises(TruthError, match="damaged"):
            load_truth(path)


def rewritten(path, change, *, compression=zipfile.ZIP_STORED):
    """The truth file with its members changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def changed_json(**fields):
    def change(members):
        members["truth.json"] = json.dumps(json.loads(members["truth.json"]) | fields).encode()

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda members: members.update({"../../evil": b"x"}), "no truth file.*evil"),
        (lambda members: members.pop("arrays.bin"), "no truth file.*missing"),
        (lambda members: members.update({"arrays.bin": b"x"}), "arrays.bin does not match its checksum"),
        (lambda members: members.update({"ids.json": b"[" * 100_000}), "does not match its checksum"),
        (lambda members: members.update({"truth.json": b"[" * 100_000}), "damaged"),
        (lambda members: members.update({"truth.json": b"[]"}), "expected format bezoar-truth"),
        (lambda members: members.update({"truth.json": b"\xff"}), "damaged"),
        (changed_json(version=4), "newer bezoar"),
        (changed_json(truth=None), "damaged.*truth"),
        (changed_json(dtype="O"), "dtype 'O'"),
        (changed_json(dtype="nonsense"), "dtype 'nonsense'"),
        (changed_json(shape=[10**9, 10**9, 10**9]), "arrays.bin does not hold"),
        (changed_json(shape=[-6, -6, 3]), "arrays.bin does not hold"),
        (changed_json(members={}), "a checksum is missing"),
        (changed_json(replaced=["x"] * 5), "ids and hashes disagree"),
        (changed_json(files=[]), "not as many files"),
        (changed_json(files=[{"suffix": ".png", "offset": 0, "size": 10**12}] * 5), "outside files.bin"),
        (changed_json(files=[{"suffix": "/../../x", "offset": 0, "size": 0}] * 5), "unsafe file suffix"),
    ],
)
def test_a_forged_file_is_an_error(tmp_path, change, match):
    drill(picture_set(), tmp_path / "truth.zip", placement="replace")
    rewritten(tmp_path / "truth.zip", change)
    with pytest.raises(TruthError, match=match):
        load_truth(tmp_path / "truth.zip")


def test_a_compressed_member_is_refused_before_it_is_read(tmp_path):
    drill(picture_set(), tmp_path / "truth.zip", placement="replace")
    rewritten(
        tmp_path / "truth.zip",
        lambda members: members.update({"arrays.bin": b"\0" * 10**7}),
        compression=zipfile.ZIP_DEFLATED,
    )
    with pytest.raises(TruthError, match="compressed or encrypted"):
        load_truth(tmp_path / "truth.zip")


@pytest.mark.parametrize("content", [b"", b"not a zip at all", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_truth_file_is_an_error(tmp_path, content):
    (tmp_path / "truth.zip").write_bytes(content)
    with pytest.raises(TruthError, match=r"truth\.zip"):
        load_truth(tmp_path / "truth.zip")


def test_a_missing_file_or_a_folder_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="there is no truth file"):
        load_truth(tmp_path / "absent.zip")
    with pytest.raises(TruthError, match="is not a file"):
        load_truth(tmp_path)


def test_original_files_come_from_the_truth_file(tmp_path):
    original = open_data(picture_folder(tmp_path / "original"))
    poisoned = drill(original, tmp_path / "truth.zip", placement="replace")
    assert all(poisoned.data.encoded.encoded(one.id) is None for one in poisoned.truth.samples)
    restored = undo(poisoned.data, tmp_path / "truth.zip")
    for sample_id in original.ids:
        assert restored.encoded.encoded(sample_id) == original.encoded.encoded(sample_id)


def test_the_mark_travels_and_readers_warn(tmp_path):
    poisoned = drill(picture_set(), tmp_path / "truth.zip").data
    for name in ("p", "p.npz", "p.parquet"):
        write_data(poisoned, tmp_path / name)
        assert reopened(tmp_path / name).mark == poisoned.mark
    restored = undo(poisoned, tmp_path / "truth.zip")
    write_data(restored, tmp_path / "clean.npz")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_data(tmp_path / "clean.npz").mark is None


def test_grey_pictures_come_back(tmp_path):
    data = from_arrays(picture_array(30)[..., :1], np.arange(30) % 3, class_names=CLASSES, name="grey")
    poisoned = drill(data, tmp_path / "truth.zip", placement="replace")
    write_data(poisoned.data, tmp_path / "grey")
    assert_same_data(undo(reopened(tmp_path / "grey"), tmp_path / "truth.zip"), data)
