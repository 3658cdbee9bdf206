"""None of these files may run anything; each is refused by name, with what to do."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import tarfile
import warnings
import zipfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
import numpy as np
import pytest
import torch
from opening_toys import (
    CLASSES,
    FACTORY,
    Call,
    as_plain_or_archive,
    calls,
    odd_pickles,
    parts,
    saved,
    text,
    trained,
    write_archive,
)

from bezoar.errors import ModelError
from bezoar.training.opening import open_model
from bezoar.training.opening.checkpoints import archive as archives
from bezoar.training.opening.checkpoints import conversion, instructions
from bezoar.training.opening.checkpoints.checkpoint import examined

with TemporaryDirectory() as folder:
    CALLS = tuple(calls(Path(folder) / "unused"))
ODD = tuple(odd_pickles(Path("unused")))


ALIVE = """
import pickle, sys, time
from pathlib import Path
for called, pickled in pickle.load(sys.stdin.buffer).items():
    try:
        pickle.loads(pickled)
    except BaseException:
        pass
    marker, end = Path(sys.argv[1]), time.monotonic() + 10
    while called in ("Popen", "os.popen") and not marker.exists() and time.monotonic() < end:
        time.sleep(0.01)
    if marker.exists():
        print(called)
        marker.unlink()
"""


@pytest.fixture
def marker(tmp_path):
    (tmp_path / "mark").mkdir()
    return tmp_path / "mark" / "ran"


@pytest.fixture(autouse=True)
def _nothing_is_started(monkeypatch, request):
    """What is refused is refused before any process is started."""
    if "starts_a_process" not in request.fixturenames:
        monkeypatch.setattr(conversion.subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))


@pytest.fixture
def starts_a_process():
    return None


def refused(path: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        open_model(str(path), factory=None if path.suffix == ".onnx" else FACTORY, class_names=CLASSES)
    assert path.name in caught.value.what
    assert caught.value.remedy
    return caught.value


@pytest.mark.usefixtures("starts_a_process")
def test_the_corpus_is_alive(marker):
    """Unpickled by Python, nearly all of them do leave the mark: the tests below test something."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ALIVE, str(marker)],
        input=pickle.dumps(calls(marker)),
        capture_output=True,
        check=True,
    )
    dead = set(CALLS) - set(done.stdout.decode().splitlines())
    assert dead == {"state", "NEWOBJ"}  # these make what runs something when it is used


@pytest.mark.parametrize("ending", [".pt", ".pkl"])
@pytest.mark.parametrize("archive", [True, False], ids=["in an archive", "plain"])
@pytest.mark.parametrize("called", CALLS)
def test_a_pickle_that_calls_something(called, archive, ending, marker, tmp_path):
    path = as_plain_or_archive(tmp_path, calls(marker)[called], archive=archive, ending=ending)
    error = refused(path)
    assert not marker.exists()
    if not archive:
        assert "plain pickle" in error.what


@pytest.mark.parametrize("ending", [".safetensors", ".onnx", ".bin", ".ckpt", ".pth"])
@pytest.mark.parametrize("archive", [True, False], ids=["in an archive", "plain"])
@pytest.mark.parametrize("called", ["os.system", "protocol 0", "protocol 4"])
def test_a_pickle_under_another_name(called, archive, ending, marker, tmp_path):
    refused(as_plain_or_archive(tmp_path, calls(marker)[called], archive=archive, ending=ending))
    assert not marker.exists()


@pytest.mark.parametrize(
    ("called", "told"),
    [
        ("os.system", "posix.system"),
        ("exec", "exec"),
        ("computed name", "computed name"),
        ("INST", "os.system"),
        ("protocol 4", "posix.system"),
        ("torch.load", "torch.serialization.load"),
    ],
)
def test_the_global_is_named(called, told, marker, tmp_path):
    assert told in refused(as_plain_or_archive(tmp_path, calls(marker)[called], archive=True, ending=".pt")).found


@pytest.mark.parametrize("called", ODD)
def test_a_pickle_that_is_odd(called, marker, tmp_path):
    pickled, storages = odd_pickles(marker)[called]
    refused(write_archive(tmp_path / "odd.pt", pickled, storages))
    assert not marker.exists()


@pytest.mark.parametrize(
    ("called", "told"),
    [
        ("two pickles", "posix.system|behind the end"),
        ("dotted name", r"torch\._utils\.os\.system"),
        ("storage beyond its bytes", "1,000,000 numbers in the storage 0 of 16 bytes"),
        ("tensor beyond its storage", "reaches to number 399 of a storage of 4"),
        ("expanded to gigabytes", "40,000,000,000"),
        ("no tensors", "no tensors among its entries: a"),
        ("protocol 3", "protocol 3"),
    ],
)
def test_what_is_odd_is_told(called, told, marker, tmp_path):
    pickled, storages = odd_pickles(marker)[called]
    with pytest.raises(ModelError, match=told):
        examined(pickled, {key: len(content) for key, content in storages.items()}, tmp_path / "odd.pt")


def file_legacy(path, evil):
    path.write_bytes(saved(trained().state_dict(), _use_new_zipfile_serialization=False))


def file_legacy_module(path, evil):
    path.write_bytes(saved(trained(), _use_new_zipfile_serialization=False))


def file_tar(path, evil):
    with tarfile.open(path, "w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            member = tarfile.TarInfo(name)
            member.size = len(evil)
            archive.addfile(member, io.BytesIO(evil))


def file_joblib(path, evil):
    joblib.dump(Call(os.system, "true"), path)


def file_joblib_zlib(path, evil):
    path.write_bytes(zlib.compress(evil))


def file_joblib_gzip(path, evil):
    joblib.dump(Call(os.system, "true"), path, compress=("gzip", 3))


def file_numpy(path, evil):
    with path.open("wb") as file:
        np.save(file, np.array([Call(os.system, "true")], dtype=object), allow_pickle=True)


def file_npz(path, evil):
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(3))


def file_whole_module(path, evil):
    path.write_bytes(saved(trained()))


def file_torchscript(path, evil):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(trained(), torch.zeros(1, 3, 8, 8)), path)


def file_exported(path, evil):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/archive_format", "pt2")
        archive.writestr("m/models/model.json", "{}")
        archive.writestr("m/data/weights/weight_0", evil)


def file_polyglot(path, evil):
    write_archive(path, *parts(saved(trained().state_dict())))
    path.write_bytes(evil + path.read_bytes())


def file_polyglot_of_zips(path, evil):
    write_archive(path, evil)
    first = path.read_bytes()
    write_archive(path, *parts(saved(trained().state_dict())))
    path.write_bytes(first + path.read_bytes())


def file_behind(path, evil):
    write_archive(path, *parts(saved(trained().state_dict())))
    path.write_bytes(path.read_bytes() + evil)


def file_comment(path, evil):
    write_archive(path, *parts(saved(trained().state_dict())))
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = evil


def with_more(*more, folder="archive"):
    def file(path, evil):
        pickled, storages = parts(saved(trained().state_dict()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            write_archive(path, pickled, storages, [(name, evil) for name in more], folder)

    return file


def file_compressed(path, evil):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", evil)
        archive.writestr("archive/data/0", bytes(10**8))


def file_overlapping(path, evil):
    """The list of members tells one member's bytes again and again, under other names."""
    write_archive(path, evil, {"0": bytes(10**5)})
    with zipfile.ZipFile(path, "a") as archive:
        (member,) = (one for one in archive.infolist() if one.filename.endswith("data/0"))
        for count in range(1, 5):
            twin = zipfile.ZipInfo(f"archive/data/{count}")
            for field in ("header_offset", "file_size", "compress_size", "CRC", "compress_type", "flag_bits"):
                setattr(twin, field, getattr(member, field))
            archive.filelist.append(twin)
        archive._didModify = True


def file_local_name(path, evil):
    """One name in the list of members, another before the member itself: two readers see two files."""
    write_archive(path, *parts(saved(trained().state_dict())))
    path.write_bytes(path.read_bytes().replace(b"archive/data.pkl", b"archive/data.pkx", 1))


def file_null(path, evil):
    with_more("archive/dataX.pkl")(path, evil)
    path.write_bytes(path.read_bytes().replace(b"archive/dataX.pkl", b"archive/data\0.pkl"))


def file_half(path, evil):
    content = saved(trained().state_dict())
    path.write_bytes(content[: len(content) // 2])


def file_flipped(path, evil):
    """A number is changed, and the checksum is not."""
    content = bytearray(saved({"a": torch.arange(1000.0)}))
    content[content.index(torch.tensor([500.0]).numpy().tobytes())] ^= 0xFF
    path.write_bytes(content)


def file_empty(path, evil):
    path.write_bytes(b"")


def file_text(path, evil):
    path.write_text("hello, these are no weights\n")


def file_empty_zip(path, evil):
    zipfile.ZipFile(path, "w").close()


def file_too_large(path, evil):
    with path.open("wb") as file:
        file.truncate(2**32 + 1)


def file_many_members(path, evil):
    """A list of members longer than any checkpoint's, told by its end alone."""
    write_archive(path, evil)
    content = bytearray(path.read_bytes())
    content[-10:-6] = (2**31).to_bytes(4, "little")
    path.write_bytes(content)


FILES = {
    "legacy format": (file_legacy, "legacy format"),
    "legacy whole network": (file_legacy_module, "legacy format"),
    "tar": (file_tar, "tar archive"),
    "joblib": (file_joblib, "plain pickle"),
    "joblib with zlib": (file_joblib_zlib, "zlib"),
    "joblib with gzip": (file_joblib_gzip, "gzip"),
    "numpy pickle": (file_numpy, "numpy array"),
    "npz": (file_npz, "npz"),
    "whole network": (file_whole_module, "whole pickled network"),
    "TorchScript": (file_torchscript, "TorchScript"),
    "exported program": (file_exported, "exported program"),
    "pickle before the zip": (file_polyglot, "plain pickle"),
    "zip before the zip": (file_polyglot_of_zips, "no whole checkpoint|begins with something else"),
    "pickle behind the zip": (file_behind, "no whole checkpoint"),
    "comment": (file_comment, "no whole checkpoint"),
    "two of one name": (with_more("archive/data.pkl"), "two members of one name"),
    "two that differ in case": (with_more("archive/DATA.pkl"), "two members of one name"),
    "case of the folder": (with_more("Archive/data.pkl"), "two members of one name"),
    "second folder": (with_more("other/data.pkl"), "no torch checkpoint"),
    "name that climbs": (with_more("archive/../../x"), "leads elsewhere"),
    "absolute name": (with_more("/tmp/x"), "leads elsewhere"),
    "backslash": (with_more("archive\\x"), "odd name"),
    "null in a name": (file_null, "odd name"),
    "program beside weights": (with_more("archive/code/__torch__.py"), "TorchScript"),
    "constants beside weights": (with_more("archive/constants.pkl"), "TorchScript"),
    "compressed": (file_compressed, "compressed or encrypted"),
    "overlapping": (file_overlapping, "overlap"),
    "two names of one member": (file_local_name, "no whole checkpoint"),
    "half": (file_half, "no whole checkpoint"),
    "flipped bit": (file_flipped, "no whole checkpoint"),
    "empty": (file_empty, "is empty"),
    "text": (file_text, "no torch checkpoint"),
    "empty zip": (file_empty_zip, "no torch checkpoint|no whole checkpoint"),
    "too large": (file_too_large, "too large"),
    "too many members": (file_many_members, "no whole checkpoint"),
}


@pytest.mark.parametrize("called", FILES)
def test_a_file_that_is_no_plain_checkpoint(called, marker, tmp_path):
    write, told = FILES[called]
    path = tmp_path / "stranger.pt"
    write(path, calls(marker)["os.system"])
    assert any(words in refused(path).what for words in told.split("|")), refused(path).what
    assert not marker.exists()


def test_a_link_is_judged_by_what_it_leads_to(marker, tmp_path):
    write_archive(tmp_path / "evil.bin", calls(marker)["exec"])
    (tmp_path / "link.pt").symlink_to(tmp_path / "evil.bin")
    assert "exec" in refused(tmp_path / "link.pt").found
    (tmp_path / "device.pt").symlink_to("/dev/zero")
    assert "no regular file" in refused(tmp_path / "device.pt").what
    assert not marker.exists()


def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.pt")
    assert "no regular file" in refused(tmp_path / "pipe.pt").what


def test_too_many_instructions_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(instructions, "MOST_INSTRUCTIONS", 1000)
    with pytest.raises(ModelError, match="more than 1,000 instructions"):
        examined(b"\x80\x02" + b"N" * 1001, {}, tmp_path / "long.pt")


def test_dicts_within_dicts_are_looked_at_once(tmp_path):
    """Each level names the next many times: as a walk, ten thousand millions of steps."""
    pickled = b"\x80\x02}" + text("0") + b"}q\x00s"
    for level in range(1, 5):
        entries = b"".join(text(str(entry)) + b"h" + bytes([level - 1]) for entry in range(1000))
        pickled += text(str(level)) + b"}q" + bytes([level]) + b"(" + entries + b"us"
    with pytest.raises(ModelError, match="no tensors"):
        examined(pickled + b".", {}, tmp_path / "deep.pt")


def test_what_was_examined_is_what_is_written_anew(tmp_path):
    """The archive that torch reads holds the examined pickle and the storages, and nothing else."""
    path = tmp_path / "good.pt"
    path.write_bytes(saved(trained().state_dict()))
    with archives.opened_archive(path) as archive:
        archive.write_anew(tmp_path / "clean.pt")
    assert parts((tmp_path / "clean.pt").read_bytes()) == parts(path.read_bytes())
    with zipfile.ZipFile(tmp_path / "clean.pt") as clean:
        assert not [name for name in clean.namelist() if "/." in name]


def test_pickles_are_of_the_kind_they_are_said_to_be():
    assert pickle.loads(b"\x80\x02}.") == {}
    assert len(CALLS) + len(ODD) + len(FILES) >= 100
