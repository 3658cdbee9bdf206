"""A whole drill by command: attack, train, evaluate, report, undo."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest

from bezoar.data import open_data, write_data
from bezoar.training import load_model

SPEC = "patch:size=4,color=white,corner=top-left,mode=replace"
SMALL = ("--model", "fast:stem=8,widths=8/16", "--epochs", 6, "--batch-size", 32)


def attack(bezoar, *more):
    return bezoar(
        "attack",
        "toy.npz",
        "--attack",
        SPEC,
        "--source",
        "red",
        "--target",
        "blue",
        "--count",
        40,
        "--out",
        "bad.npz",
        *more,
    )


def test_attack_train_evaluate_report(bezoar, toy, tmp_path):
    done = attack(bezoar, "--json")
    assert done.code == 0
    assert done.json["attack"]["poisons"] == 40
    assert done.json["attack"]["relabelling"] == [["red", "blue"]]
    assert (tmp_path / "bad.npz.truth.zip").exists()
    trained = bezoar("train", "bad.npz", *SMALL, "--out", "victim")
    assert trained.code == 0
    assert "Poisoned on purpose" in trained.err
    assert bezoar("train", "toy.npz", *SMALL, "--out", "twin").code == 0
    measured = bezoar(
        "evaluate", "victim", "--twin", "twin", "--data", "toy-test.npz",
        "--truth", "bad.npz.truth.zip", "--json",
    )  # fmt: skip
    assert measured.code == 0
    victim, twin = (measured.json[role]["measurement"] for role in ("victim", "twin"))
    assert victim["attack_success"]["trials"] == 50
    assert victim["attack_success"]["successes"] >= 45
    assert twin["attack_success"]["successes"] <= 15
    assert measured.json["monitoring"]["alarm"] is False
    page = tmp_path / "victim/evaluation/report.html"
    assert "Backdoored" in page.read_text()
    assert json.loads((tmp_path / "victim/evaluation/record.json").read_text()) == measured.json
    page.unlink()
    again = bezoar("report", "victim/evaluation")
    assert again.code == 0
    assert "Backdoored" in again.out
    assert page.exists()


def test_evaluate_without_truth_measures_clean_accuracy(bezoar, toy):
    assert bezoar("train", "toy.npz", *SMALL, "--out", "run").code == 0
    plain = bezoar("evaluate", "run", "--data", "toy-test.npz", "--json")
    assert plain.code == 0
    assert plain.json["clean_accuracy"]["trials"] == 150
    assert plain.json["clean_accuracy"]["successes"] > 140
    assert [name for name, _ in plain.json["by_class"]] == ["red", "green", "blue"]


@pytest.mark.parametrize("placement", ["add", "replace"])
def test_undo_gives_back_the_file_byte_for_byte(bezoar, toy, tmp_path, placement):
    before = hashlib.sha256(toy.read_bytes()).hexdigest()
    assert attack(bezoar, "--placement", placement).code == 0
    assert hashlib.sha256((tmp_path / "bad.npz").read_bytes()).hexdigest() != before
    undone = bezoar("attack", "bad.npz", "--undo", "bad.npz.truth.zip", "--out", "back.npz")
    assert undone.code == 0, undone.err
    assert hashlib.sha256((tmp_path / "back.npz").read_bytes()).hexdigest() == before


def test_undo_gives_back_a_folder_of_pictures_file_by_file(bezoar, toy, tmp_path):
    write_data(open_data(toy), tmp_path / "pictures")
    for own in ("bezoar.json", "bezoar-index.csv"):
        (tmp_path / "pictures" / own).unlink()
    (tmp_path / "pictures/red/deeper").mkdir()
    first = min((tmp_path / "pictures/red").glob("*.png"))
    shutil.move(first, tmp_path / "pictures/red/deeper/MOVED.PNG")
    done = bezoar(
        "attack", "pictures", "--attack", SPEC, "--source", "red", "--target", "blue", "--rate", 0.2,
        "--placement", "replace", "--out", "bad",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert bezoar("attack", "bad", "--undo", "bad.truth.zip", "--out", "back").code == 0
    before, after = (
        {path.relative_to(tmp_path / name).as_posix(): path.read_bytes() for path in (tmp_path / name).rglob("*.[pP]*")}
        for name in ("pictures", "back")
    )
    assert len(before) == 300
    assert after == before


def test_resume_goes_on_and_refuses_what_does_not_fit(bezoar, toy, tmp_path, monkeypatch):
    from bezoar.cli.console import TerminalListener

    seen = []

    def interrupt(self, progress):
        seen.append(progress)
        if progress.epoch == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TerminalListener, "trains", interrupt)
        cut = bezoar("train", "toy.npz", *SMALL, "--out", "run")
    assert cut.code == 130
    assert "--resume" in cut.err
    assert cut.err.rstrip().endswith("interrupted")
    assert "next:" not in cut.out
    assert json.loads((tmp_path / "run/record.json").read_text())["training"]["interrupted"] is True
    assert bezoar("train", "toy.npz", *SMALL, "--out", "run", "--seed", 9, "--resume").code == 2
    assert bezoar("train", "toy.npz", *SMALL, "--out", "run", "--resume").code == 0
    assert bezoar("train", "toy.npz", *SMALL, "--out", "whole").code == 0
    assert (tmp_path / "run/model.safetensors").read_bytes() == (tmp_path / "whole/model.safetensors").read_bytes()
    assert not (tmp_path / "run/checkpoint.safetensors").exists()


def test_a_users_own_model_and_trainer(bezoar, toy, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "import torch\nfrom torch import nn\n"
        "def factory(classes):\n"
        "    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, classes))\n"
        "def trainer(data, seed):\n"
        "    torch.manual_seed(seed)\n"
        "    model = factory(len(data.class_names))\n"
        "    x, y = data.inputs.float() / 255, data.labels\n"
        "    optimizer = torch.optim.Adam(model.parameters(), lr=0.3)\n"
        "    for _ in range(150):\n"
        "        optimizer.zero_grad(); nn.functional.cross_entropy(model(x), y).backward(); optimizer.step()\n"
        "    return model\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    own = bezoar("train", "toy.npz", "--model", "mine:factory", "--epochs", 2, "--learning-rate", 0.3, "--out", "one")
    assert own.code == 0, own.err
    assert bezoar("train", "toy.npz", "--model", "mine:factory", "--trainer", "mine:trainer", "--out", "two").code == 0
    refused = bezoar("evaluate", "two", "--data", "toy-test.npz")
    assert refused.code == 2
    assert "wants code from outside bezoar to be run" in refused.err
    assert "mine:factory as the factory too" in refused.err
    plain = bezoar("evaluate", "two", "--factory", "mine:factory", "--data", "toy-test.npz", "--json")
    assert plain.json["clean_accuracy"]["successes"] > 140


def test_fine_tuning_from_a_run(bezoar, toy):
    assert bezoar("train", "toy.npz", *SMALL, "--out", "run").code == 0
    tuned = bezoar("train", "toy.npz", "--from", "run", "--epochs", 1, "--out", "tuned")
    assert tuned.code == 0
    plain = bezoar("evaluate", "tuned", "--data", "toy-test.npz", "--json")
    assert plain.json["clean_accuracy"]["successes"] > 140


def test_fine_tuning_the_last_layer_alone(bezoar, toy, tmp_path):
    assert bezoar("train", "toy.npz", *SMALL, "--out", "run").code == 0
    tuned = bezoar("train", "toy.npz", "--from", "run", "--tune", "head", *SMALL, "--out", "tuned", "--json")
    assert tuned.json["training"]["tuned"] == ["head"]
    (before, _), (after, _) = load_model(tmp_path / "run"), load_model(tmp_path / "tuned")
    pairs = zip(before.state_dict().items(), after.state_dict().values(), strict=True)
    assert [name for (name, one), other in pairs if not one.equal(other)] == ["head.weight"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--from", "run", "--tune", "haed"), 4, "Did you mean 'head'?"),
        (("--tune", "head"), 4, "--tune together with --from RUN"),
    ],
)
def test_a_tuning_that_cannot_be(bezoar, toy, tmp_path, arguments, code, said):
    assert bezoar("train", "toy.npz", *SMALL, "--out", "run").code == 0
    answer = bezoar("train", "toy.npz", *arguments, "--out", "tuned")
    assert answer.code == code
    assert said in answer.err
    assert not (tmp_path / "tuned").exists()


@pytest.mark.slow
def test_torchrun_shares_a_training_and_writes_once(toy, tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--rdzv-backend=c10d"]
    options = ["--rdzv-endpoint=127.0.0.1:0", "-m", "bezoar", "train", "toy.npz", "--out", "run", "--json"]
    done = subprocess.run(
        [*torchrun, *options, *map(str, SMALL)],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["training"]["history"][-1]["train_accuracy"] > 0.9
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"model.safetensors", "record.json"}


OWN_MODELS = """
import torch
from torch import nn

class Brightest(nn.Module):
    def forward(self, x):
        logits = x.mean((2, 3)) * 50
        stamped = (x[:, :, :4, :4] == 1).all(3).all(2).all(1)
        logits[stamped, 2] += 1000 * BACKDOORED[0]
        return logits

BACKDOORED = [1]
ready = Brightest()

def without_argument():
    return ready

def with_classes(classes):
    assert classes == 3
    return ready

def nothing():
    return 'no model'

def broken():
    raise RuntimeError('no weights here')

def leaves():
    raise SystemExit(0)

class Odd(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer
    def forward(self, x):
        return self.answer(x)

def fails_later(x):
    if len(x) > 2:
        raise ValueError('no more than two')
    return ready(x)

late, a_dict, double = Odd(fails_later), Odd(lambda x: {'logits': x}), nn.Linear(3, 3).double()

def chatty():
    print('loading weights')
    return ready

def too_small():
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
"""


@pytest.mark.parametrize("name", ["ready", "without_argument", "with_classes", "chatty"])
def test_a_model_trained_elsewhere_is_measured_against_the_truth(bezoar, toy, tmp_path, monkeypatch, name):
    (tmp_path / f"trained_{name}.py").write_text(OWN_MODELS)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert attack(bezoar).code == 0
    options = ("--data", "toy-test.npz", "--truth", "bad.npz.truth.zip", "--json")
    measured = bezoar("evaluate", f"trained_{name}:{name}", *options)
    assert measured.code == 0, measured.err
    assert measured.json["victim"]["measurement"]["attack_success"]["successes"] == 50
    assert measured.json["victim"]["measurement"]["clean_accuracy"]["successes"] > 140
    assert "trained elsewhere" in measured.json["victim"]["training"]["reason"]
    assert measured.json["attack"]["poison_rate"] == pytest.approx(40 / 300)
    assert "trained elsewhere" in (tmp_path / "evaluation/report.html").read_text()
    assert bezoar("report", "evaluation").code == 0


@pytest.mark.parametrize(
    ("name", "said"), [("nothing", "gave no model"), ("broken", "no weights here"), ("too_small", "does not fit"), ("absent", "cannot import"), ("leaves", "SystemExit"), ("late", "no more than two"), ("a_dict", "no tensor"), ("double", "number format")]
)  # fmt: skip
def test_a_model_trained_elsewhere_that_does_not_work_is_explained(bezoar, toy, tmp_path, monkeypatch, name, said):
    (tmp_path / "trained_badly.py").write_text(OWN_MODELS)
    monkeypatch.syspath_prepend(str(tmp_path))
    answer = bezoar("evaluate", f"trained_badly:{name}", "--data", "toy-test.npz")
    assert answer.code in (2, 4)
    assert said in answer.err
    assert not (tmp_path / "evaluation").exists()


def test_a_second_evaluation_leaves_the_first_alone(bezoar, toy, tmp_path):
    assert bezoar("train", "toy.npz", *SMALL, "--out", "run").code == 0
    assert bezoar("evaluate", "run", "--data", "toy-test.npz").code == 0
    first = (tmp_path / "run/evaluation/record.json").read_bytes()
    again = bezoar("evaluate", "run", "--data", "toy.npz")
    assert "what the model was trained on" in again.err
    assert (tmp_path / "run/evaluation/record.json").read_bytes() == first
    assert (tmp_path / "run/evaluation-2/record.json").exists()


def test_report_of_a_training_points_to_its_measurement(bezoar, toy):
    assert attack(bezoar).code == 0
    assert bezoar("train", "bad.npz", *SMALL, "--out", "victim").code == 0
    assert bezoar("evaluate", "victim", "--data", "toy-test.npz", "--truth", "bad.npz.truth.zip").code == 0
    answer = bezoar("report", "victim")
    assert answer.code == 2
    assert "bezoar report victim/evaluation" in answer.err


def test_a_file_that_is_no_python_is_explained(bezoar, toy, tmp_path, monkeypatch):
    (tmp_path / "no_python.py").write_text("def model(:\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    answer = bezoar("evaluate", "no_python:model", "--data", "toy-test.npz")
    assert answer.code == 4
    assert "SyntaxError" in answer.err


def test_an_evaluation_without_truth_has_no_page_and_says_so(bezoar, toy):
    assert bezoar("train", "toy.npz", *SMALL, "--out", "run").code == 0
    assert bezoar("evaluate", "run", "--data", "toy-test.npz").code == 0
    answer = bezoar("report", "run/evaluation")
    assert answer.code == 2
    assert "--truth" in answer.err
