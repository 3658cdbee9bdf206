"""Repairing by command: poison, train, repair, measure; and what is said of bad input."""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from pathlib import Path

import pytest
import torch
from planted_scan import finding, planted_record
from safetensors.torch import load_file, save_file

from bezoar.data import open_data
from bezoar.errors import TamperedModelWarning
from bezoar.records import to_json
from bezoar.repair.checks import Bar
from bezoar.training import load_model, save_model

SMALL = ("--model", "fast:stem=8,widths=12/16", "--epochs", 6, "--batch-size", 32)
PATCH = "patch:size=4,color=white"
KNOWN = ("--trigger", PATCH, "--target", "blue")
FACTORY = """
from bezoar.training import build_model
import torch

def network():
    return build_model("fast:stem=8,widths=12/16", classes=3, sample=torch.zeros(2, 3, 16, 16, dtype=torch.uint8), seed=0)
"""


MADE = ("toy.npz", "toy-test.npz", "poisoned.npz", "poisoned.npz.truth.zip", "victim")


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """Where the first test that needs a victim leaves it for the others."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def victim(bezoar, toy, kept, tmp_path) -> str:
    if not (kept / "victim").exists():
        poison = ("--attack", PATCH, "--target", "blue", "--rate", 0.15)
        assert bezoar("attack", "toy.npz", *poison, "--out", "poisoned.npz").code == 0
        assert bezoar("train", "poisoned.npz", *SMALL, "--out", "victim").code == 0
        for name in MADE:
            copied(tmp_path / name, kept / name)
    for name in MADE:
        copied(kept / name, tmp_path / name)
    return "victim"


@pytest.fixture(autouse=True)
def _short_searches(monkeypatch):
    monkeypatch.setattr("bezoar.cli.repair.calibrated_bars", lambda: (Bar("neural-cleanse:steps=20,lessons=60", 3.5),))


def copied(source: Path, place: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, place, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, place)


def planted(folder: Path, data: str, target: str = "blue") -> Path:
    """A scan of these data that suspects what the sealed truth says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opened = open_data(data, split="train")
    rows = [row for row, image in enumerate(opened.inputs) if int(image.max()) == 255]  # only the patch is so bright
    folder.mkdir()
    record = planted_record(opened, [finding(opened, rows, target=target)] if rows else [])
    (folder / "record.json").write_text(to_json(record))
    return folder


def test_poison_train_repair_and_measure(bezoar, victim, tmp_path):
    before = (tmp_path / "victim/model.safetensors").read_bytes()
    done = bezoar("repair", victim, "--clean", "toy-test.npz", *KNOWN, "--out", "m2")
    assert done.code == 0, done.err
    assert "Nothing found any more. The given trigger no longer works" in done.out
    assert "kept: unlearn" in done.out
    assert sorted(path.name for path in (tmp_path / "m2").iterdir()) == [
        "model.safetensors",
        "record.json",
        "report.html",
    ]
    assert (tmp_path / "victim/model.safetensors").read_bytes() == before
    measured = bezoar(
        "evaluate", "m2", "--twin", victim, "--data", "toy-test.npz", "--truth", "poisoned.npz.truth.zip", "--json"
    )
    assert measured.code == 0, measured.err
    assert "is what the model was trained on or repaired by" in measured.err
    repaired, was = (measured.json[role]["measurement"]["attack_success"] for role in ("victim", "twin"))
    assert repaired["successes"] <= 0.1 * repaired["trials"]
    assert was["successes"] >= 0.8 * was["trials"]
    page = (tmp_path / "m2/evaluation/report.html").read_text()
    assert "On the repaired model the trigger hardly works" in page
    assert "model measured here is a repaired one" in page
    assert "A weak attack" not in page
    (tmp_path / "m2/report.html").unlink()
    again = bezoar("report", "m2")
    assert again.code == 0
    assert "Nothing found any more" in again.out
    assert "Before and after" in (tmp_path / "m2/report.html").read_text()
    record = json.loads((tmp_path / "m2/record.json").read_text())
    assert record == bezoar("report", "m2", "--json").json
    assert record["commands"][0].startswith("bezoar repair victim --clean toy-test.npz")
    # A repaired model can be repaired again.
    assert bezoar("repair", "m2", "--clean", "toy-test.npz", *KNOWN, "--method", "clp", "--out", "m3").code == 3


def test_poisons_that_nobody_suspected_are_listed_and_serve_as_suspects(bezoar, victim, tmp_path):
    known = ("repair", victim, "--clean", "toy-test.npz", "--data", "poisoned.npz")
    done = bezoar(*known, *KNOWN, "--out", "m2")
    assert done.code == 0, done.err
    assert "They very likely bear the trigger" in done.out
    heading, *lines = (tmp_path / "m2/turned.csv").read_text().splitlines()
    assert heading == "row,id,label"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = open_data("poisoned.npz")
    bright = {str(row) for row, image in enumerate(data.inputs) if int(image.max()) == 255}
    told = {line.split(",")[0] for line in lines}
    assert len(told & bright) >= 0.9 * len(bright)
    assert len(told & bright) >= 0.9 * len(told)
    assert "Training samples that bear it" in (tmp_path / "m2/report.html").read_text()
    again = bezoar(*known, "--suspects", "m2", "--method", "filter-retrain", "--out", "m3", "--json")
    assert again.json["given"]["suspects"] == len(lines)
    cleaned = bezoar("clean", "poisoned.npz", "--findings", "m2", "--out", "cleaned.npz", "--json").json
    assert cleaned["dataset"]["samples"] - cleaned["cleaned"]["samples"] == len(lines)
    assert {one["id"] for one in cleaned["left_out"]} == {line.split(",")[1] for line in lines}
    assert all(0.5 < one["score"] <= 1 for one in cleaned["left_out"])
    assert "the repair was of other data" in bezoar("clean", "toy-test.npz", "--findings", "m2", "--out", "no.npz").err
    asked = bezoar("clean", "poisoned.npz", "--findings", "m2", "--finding", "blue", "--out", "no.npz")
    assert asked.code == 4
    # A repair that turned none is no list of suspects, and neither is one of other data.
    assert "the repair turned no training samples" in bezoar(*known, "--suspects", "m3").err
    other = bezoar("repair", victim, "--clean", "toy-test.npz", "--data", "toy-test.npz", "--suspects", "m2")
    assert other.code == 2
    assert "suspects are not among the training data" in other.err


def test_with_suspects_of_a_scan_and_json_alone_on_stdout(bezoar, victim, tmp_path):
    scan = planted(tmp_path / "scan", "poisoned.npz")
    done = bezoar(
        "repair", victim, "--clean", "toy-test.npz", "--data", "poisoned.npz", "--suspects", scan,
        "--method", "unlearn", "--json",
    )  # fmt: skip
    record = done.json
    assert done.code == {"works no more": 0, "still works": 1, "could not be told": 3}[record["verdict"]]
    assert record["given"]["suspects"] >= 40
    assert record["trigger"]["origin"] == "recovered"
    assert record["trigger"]["target"] == "blue"
    assert (tmp_path / "repaired/report.html").exists()
    after = record["after"]["flips"]["flips"]
    assert after["successes"] <= 0.2 * after["trials"]


def test_a_run_is_trained_again_as_it_was(bezoar, victim, tmp_path):
    scan = planted(tmp_path / "scan", "poisoned.npz")
    more = ("--data", "poisoned.npz", "--suspects", scan, "--method", "filter-retrain", "--json")
    record = bezoar("repair", victim, "--clean", "toy-test.npz", *more).json
    assert "trained 6 epochs" in " ".join(record["attempts"][0]["outcome"]["notes"])


def test_without_any_data_a_model_is_pruned_and_nothing_is_claimed(bezoar, victim):
    done = bezoar("repair", victim, "--method", "clp", "--out", "m2")
    assert done.code == 3
    assert "Could not be told" in done.out
    with pytest.warns(TamperedModelWarning):
        load_model("m2")


def test_a_method_that_leaves_the_backdoor_in_place_is_told_by_the_exit_code(bezoar, victim):
    method = "fine-tune:epochs=1,least_steps=0,learning_rate=0.0001"
    done = bezoar("repair", victim, "--clean", "toy-test.npz", *KNOWN, "--method", method, "--out", "m2")
    assert done.code == 1
    assert "still works" in done.out


def test_weights_of_others_need_their_network_and_come_back_as_weights(bezoar, victim, tmp_path, monkeypatch):
    (tmp_path / "own_network.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.warns(TamperedModelWarning):
        model, _ = load_model("victim")
    save_file({name: one.contiguous() for name, one in model.state_dict().items()}, "weights.safetensors")
    call = ("repair", "weights.safetensors", "--clean", "toy-test.npz", *KNOWN, "--out", "m2")
    missing = bezoar(*call)
    assert missing.code == 2
    assert "factory" in missing.err
    assert not (tmp_path / "m2").exists()
    done = bezoar(*call, "--factory", "own_network:network")
    assert done.code == 0, done.err
    assert set(load_file("m2/model.safetensors")) == set(model.state_dict())
    again = ("m2/model.safetensors", "--factory", "own_network:network", "--method", "clp", "--out", "m3")
    assert bezoar("repair", *again).code == 3
    sys.modules.pop("own_network", None)


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (("--method", "ft-samm"), 4, "Did you mean 'ft-sam'"),
        (("--method", "ft-sam:epoch=3"), 4, "epochs"),
        (("--trigger", PATCH), 4, "--target CLASS"),
        (("--clean", "toy-test.npz", "--trigger", "patsch", "--target", "blue"), 4, "patch"),
        (("--target", "blue"), 4, "--clean DATA"),
        (("--suspects", "nowhere"), 4, "--data"),
        (("--data", "poisoned.npz", "--suspects", "nowhere"), 4, "nowhere"),
        (("--method", "ft-sam"), 2, "no trusted samples were given"),
        (("--clean", "toy-test.npz", "--method", "filter-retrain"), 2, "the data that the model was trained on"),
        (("--clean", "toy-test.npz", "--trigger", PATCH, "--target", "pink"), 4, "pink"),
        (("--clean", "toy-test.npz", "--trigger", "patch:size=40", "--target", "blue"), 2, "does not fit"),
        (("--clean", "signs"), 2, "classes"),
        (("--clean", "nowhere.npz"), 4, "nowhere.npz"),
        (("--device", "cuda:7"), 4, "device"),
    ],
)
def test_slips_are_said_and_nothing_is_written(bezoar, victim, tmp_path, more, code, says):
    done = bezoar("repair", victim, *more, "--out", "m2")
    assert done.code == code, done.err
    assert says in done.err
    assert not (tmp_path / "m2").exists()


def test_models_that_cannot_be_repaired_are_refused(bezoar, toy, tmp_path):
    onnx = bezoar("repair", "some.onnx", "--clean", "toy-test.npz")
    assert onnx.code == 2
    assert "--factory" in onnx.err
    nowhere = bezoar("repair", "nowhere", "--clean", "toy-test.npz")
    assert nowhere.code == 4
    assert "nowhere" in nowhere.err
    assert bezoar("train", "toy.npz", *SMALL, "--out", "run").code == 0
    model, card = load_model("run")
    with torch.no_grad():
        model.head.weight[0, 0] = float("nan")
    save_model(model, card, tmp_path / "run/model.safetensors")
    damaged = bezoar("repair", "run", "--clean", "toy-test.npz")
    assert damaged.code == 2
    assert "head.weight" in damaged.err
    assert not (tmp_path / "repaired").exists()


def test_a_scan_of_other_data_or_without_suspects_is_told(bezoar, victim, tmp_path):
    call = ("repair", victim, "--clean", "toy-test.npz", "--data")
    other = bezoar(*call, "toy.npz", "--suspects", planted(tmp_path / "scan", "poisoned.npz"))
    assert other.code == 2
    assert "other data" in other.err
    nobody = bezoar(*call, "toy.npz", "--suspects", planted(tmp_path / "quiet", "toy.npz"))
    assert nobody.code == 4
    assert "suspects nobody" in nobody.err


def test_a_folder_that_is_in_use_is_left_alone(bezoar, victim, tmp_path):
    (tmp_path / "m2").mkdir()
    (tmp_path / "m2/mine.txt").write_text("mine")
    done = bezoar("repair", victim, "--method", "clp", "--out", "m2")
    assert done.code == 2
    assert [path.name for path in (tmp_path / "m2").iterdir()] == ["mine.txt"]


def test_a_clean_set_with_the_trigger_in_it_is_told(bezoar, victim):
    poison = ("--attack", PATCH, "--target", "blue", "--rate", 0.1)
    assert bezoar("attack", "toy-test.npz", *poison, "--out", "mixed.npz").code == 0
    done = bezoar("repair", victim, "--clean", "mixed.npz", *KNOWN, "--out", "m2")
    assert "trusted samples under the label 'blue' bear the trigger already" in done.out
    assert json.loads(Path("m2/record.json").read_text())["given"]["left_out"] >= 15


def test_what_fails_while_writing_leaves_nothing(bezoar, victim, tmp_path, monkeypatch):
    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bezoar.cli.repair_folder.write_report", fails)
    done = bezoar("repair", victim, "--method", "clp", "--out", "m2")
    assert done.code == 2
    assert "No space left" in done.err
    assert not (tmp_path / "m2").exists()


def test_help_names_every_method(bezoar):
    told = bezoar("repair", "--help")
    assert told.code == 0
    assert "auto" in told.out
    assert "ft-sam" in told.out
