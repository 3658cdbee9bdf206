"""The likeliest wrong inputs: a clear error, the right exit code, nothing lost."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PATCH = ("--attack", "patch:size=4")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("attack", "nowhere", *PATCH, "--target", "blue", "--count", 3, "--out", "o.npz"), 4, "no data set 'nowhere'"),
        (("attack", "toy.npz", "--out", "o.npz"), 4, "which attack?"),
        (("attack", "toy.npz", "--attack", "patsch:size=4", "--target", "blue", "--count", 3, "--out", "o.npz"), 4, "patsch"),
        (("attack", "toy.npz", "--attack", "patch:sice=4", "--target", "blue", "--count", 3, "--out", "o.npz"), 4, "no field 'sice'"),
        (("attack", "toy.npz", *PATCH, "--target", "purple", "--count", 3, "--out", "o.npz"), 4, "purple"),
        (("attack", "toy.npz", *PATCH, "--target", "bleu", "--count", 3, "--out", "o.npz"), 4, "Did you mean 'blue'?"),
        (("attack", "toy.npz", *PATCH, "--target", "blue", "--out", "o.npz"), 4, "rate"),
        (("attack", "toy.npz", *PATCH, "--target", "blue", "--rate", 0.0001, "--out", "o.npz"), 2, "rate"),
        (("attack", "toy.npz", "--attack", "patch:size=40", "--target", "blue", "--count", 3, "--out", "o.npz"), 2, "the trigger patch:size=40 does not fit"),
        (("train", "toy.npz", "--model", "slow", "--out", "o"), 4, "no model is called 'slow'"),
        (("train", "toy.npz", "--epochs", 0, "--out", "o"), 4, "epochs"),
        (("train", "toy.npz", "--device", "warp", "--out", "o"), 4, "warp"),
        (("train", "toy.npz", "--resume", "--out", "o"), 4, "nothing to resume"),
        (("train", "toy.npz", "--epochs", "many", "--out", "o"), 4, "--epochs"),
        (("evaluate", "norun", "--data", "toy.npz"), 4, "the model norun does not exist"),
        (("evaluate", "norun", "--data", "toy.npz", "--split", "tset"), 4, "no split 'tset'"),
        (("inspect", "norun", "--clean", "toy.npz"), 4, "the model norun does not exist"),
        (("repair", "norun", "--clean", "toy.npz", "--out", "o"), 4, "the model norun does not exist"),
        (("train", "toy.npz", "--from", "norun", "--out", "o"), 4, "norun does not exist"),
        (("report", "norun"), 4, "does not exist"),
        (("bench", "none.toml"), 4, "does not exist"),
        (("frobnicate",), 4, "frobnicate"),
    ],
)  # fmt: skip
def test_wrong_input_is_explained(bezoar, toy, tmp_path, arguments, code, said):
    answer = bezoar(*arguments)
    assert answer.code == code, answer.err
    assert said in answer.err.replace("\n", " ")
    assert answer.out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy-test.npz", "toy.npz"]


def test_a_folder_in_use_is_left_alone(bezoar, toy, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("all my work")
    for command in (
        ("train", "toy.npz", "--epochs", 1, "--out", "mine"),
        ("attack", "toy.npz", *PATCH, "--target", "blue", "--count", 3, "--out", "mine"),
        ("demo", "--out", "mine"),
    ):
        answer = bezoar(*command)
        assert answer.code == 2
        assert "mine" in answer.err
        assert "not empty" in answer.err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    assert not list(tmp_path.glob("*.truth.zip"))


def test_a_poisoned_set_is_not_poisoned_again(bezoar, toy):
    command = (*PATCH, "--target", "blue", "--count", 3)
    assert bezoar("attack", "toy.npz", *command, "--out", "one.npz").code == 0
    answer = bezoar("attack", "one.npz", *command, "--out", "two.npz")
    assert answer.code == 2
    assert "drill" in answer.err


def test_an_existing_truth_is_never_overwritten(bezoar, toy, tmp_path):
    (tmp_path / "o.npz.truth.zip").write_bytes(b"another truth")
    answer = bezoar("attack", "toy.npz", *PATCH, "--target", "blue", "--count", 3, "--out", "o.npz")
    assert answer.code == 2
    assert (tmp_path / "o.npz.truth.zip").read_bytes() == b"another truth"
    assert not (tmp_path / "o.npz").exists()


def test_help_names_every_verb_and_its_exit_codes(bezoar):
    answer = bezoar("--help")
    assert answer.code == 0
    for verb in ("demo", "attack", "train", "evaluate", "bench", "report"):
        assert verb in answer.out
    assert "4 wrong usage" in answer.out


def test_data_are_not_written_into(bezoar, toy, tmp_path):
    from bezoar.data import open_data, write_data

    write_data(open_data(toy), tmp_path / "pictures")
    before = sorted(tmp_path.rglob("*"))
    attacked = bezoar("attack", "pictures", *PATCH, "--target", "blue", "--count", 3, "--out", "pictures/bad")
    trained = bezoar("train", "pictures", "--epochs", 1, "--out", "pictures/run")
    assert (attacked.code, trained.code) == (4, 4)
    assert "lies inside pictures" in attacked.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("out", "said"), [("o.zip", "cannot write"), ("no/such/o.npz", "does not exist")])
def test_a_place_that_cannot_be_written_is_named(bezoar, toy, tmp_path, out, said):
    answer = bezoar("attack", "toy.npz", *PATCH, "--target", "blue", "--count", 3, "--out", out)
    assert answer.code == 4
    assert said in answer.err
    assert not (tmp_path / out).exists()


def test_errors_are_json_where_json_is_asked_for(bezoar, toy):
    answer = bezoar("attack", "toy.npz", "--attack", "patsch", "--target", "blue", "--out", "o.npz", "--json")
    assert answer.code == 4
    assert "patsch" in answer.json["error"]["what"]


@pytest.mark.parametrize("arguments", [("attacks",), ("attacks", "--json"), ("attacks", "nothing")])
def test_a_reader_that_leaves_early_is_no_error_and_no_finding(arguments):
    """`bezoar attacks | head`, and the same with 2>&1: the pipe is closed before the command writes."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "bezoar", *arguments]
    ended = subprocess.run(command, stdout=writer, stderr=writer, timeout=120)
    os.close(writer)
    assert ended.returncode == 141


def test_nothing_is_said_to_who_still_reads_the_errors():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "bezoar", "attacks"]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, "")


def test_the_version_is_told(bezoar):
    found = bezoar("--version")
    assert (found.code, found.out.split()[0], found.err) == (0, "bezoar", "")


def test_a_parquet_file_without_pyarrow_is_refused_before_anything_is_done(bezoar, toy, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = bezoar(
        "attack", "toy.npz", "--attack", "patch", "--target", "blue", "--count", 3, "--preview", "--out", "o.parquet"
    )
    assert answer.code == 2
    assert "pip install 'pyarrow" in answer.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy-test.npz", "toy.npz"]
