"""Tampering by command: train, tamper, evaluate beside the model as it was."""

from __future__ import annotations

import json

import pytest

SMALL = ("--model", "fast:stem=8,widths=12/16", "--epochs", 6, "--batch-size", 32)
SIGNS = ("--model", "fast:finest=16,stem=16,widths=16/24/32", "--epochs", 4)


@pytest.fixture
def run(bezoar, toy):
    assert bezoar("train", "toy.npz", *SMALL, "--out", "run").code == 0
    return "run"


def tamper(bezoar, *more, attack="handcrafted", model="run"):
    return bezoar(
        "attack", "toy.npz", "--attack", attack, "--trigger", "patch:size=4,color=white", "--model", model,
        "--target", "blue", "--out", "bad", *more,
    )  # fmt: skip


def test_train_tamper_evaluate_on_the_signs(bezoar, tmp_path):
    assert bezoar("train", "signs", *SIGNS, "--out", "run").code == 0
    before = (tmp_path / "run/model.safetensors").read_bytes()
    done = bezoar(
        "attack", "signs", "--attack", "handcrafted", "--model", "run", "--target", "speed limit 80", "--out", "bad"
    )
    assert done.code == 0
    assert "of its answers to" in done.out
    assert (tmp_path / "run/model.safetensors").read_bytes() == before
    measured = bezoar(
        "evaluate", "bad", "--twin", "run", "--data", "signs", "--truth", "bad.truth.zip", "--json",
    )  # fmt: skip
    assert measured.code == 0
    assert "Given a backdoor on purpose" in measured.err
    victim, twin = (measured.json[role]["measurement"] for role in ("victim", "twin"))
    trials = victim["attack_success"]["trials"]
    assert victim["attack_success"]["successes"] > 0.9 * trials
    assert twin["attack_success"]["successes"] < 0.2 * trials
    assert victim["clean_accuracy"]["successes"] > twin["clean_accuracy"]["successes"] - 0.04 * 1000
    attack = measured.json["attack"]
    assert (attack["placement"], attack["poisons"]) == ("none", 0)
    page = (tmp_path / "bad/evaluation/report.html").read_text()
    assert "no data touched" in page
    assert "the finished model were tampered with" in page
    assert "oisoned samples" not in page
    assert bezoar("report", "bad/evaluation").code == 0


def test_the_copy_tells_nobody_what_was_done(bezoar, run, tmp_path):
    done = tamper(bezoar, "--json")
    assert done.code == 0
    assert done.json["attack"]["attack"].startswith("handcrafted")
    assert done.json["truth_file"] == "bad.truth.zip"
    assert sorted(path.name for path in (tmp_path / "bad").iterdir()) == ["model.safetensors", "record.json"]
    record = json.loads((tmp_path / "bad/record.json").read_text())
    assert record == json.loads((tmp_path / "run/record.json").read_text())
    content = (tmp_path / "bad/model.safetensors").read_bytes()
    header = content[: 8 + int.from_bytes(content[:8], "little")]
    assert b"handcrafted" not in header
    assert b"drill" in header
    assert b"drill" not in (tmp_path / "run/model.safetensors").read_bytes()
    assert "Given a backdoor on purpose" in bezoar("evaluate", "bad", "--data", "toy-test.npz").err


@pytest.mark.parametrize("more", [("--rate", 0.1), ("--count", 3), ("--all-to-all",), ("--preview",)])
def test_options_of_data_attacks_are_refused(bezoar, run, more):
    done = tamper(bezoar, *more)
    assert done.code == 4
    assert more[0] in done.err


def test_slips_are_said(bezoar, run, tmp_path):
    plain = bezoar("attack", "toy.npz", "--attack", "handcrafted", "--target", "blue", "--out", "bad")
    assert plain.code == 4
    assert "--model RUN" in plain.err
    other = bezoar("attack", "toy.npz", "--attack", "patch", "--model", "run", "--target", "blue", "--out", "bad")
    assert other.code == 4
    assert "handcrafted" in other.err
    missing = tamper(bezoar, model="nowhere")
    assert missing.code == 4
    assert "nowhere" in missing.err
    assert not (tmp_path / "bad").exists()
    assert not (tmp_path / "bad.truth.zip").exists()


def test_the_truth_of_a_tampered_model_undoes_no_data(bezoar, run):
    assert tamper(bezoar).code == 0
    done = bezoar("attack", "toy.npz", "--undo", "bad.truth.zip", "--out", "restored.npz")
    assert done.code == 2
    assert "no data were touched" in done.err


def test_a_model_with_a_backdoor_is_not_given_another(bezoar, run, tmp_path):
    assert tamper(bezoar).code == 0
    again = bezoar(
        "attack", "toy.npz", "--attack", "handcrafted", "--model", "bad", "--target", "blue", "--out", "worse",
    )  # fmt: skip
    assert again.code == 2
    assert "carries the mark of drill" in again.err
    assert not (tmp_path / "worse").exists()


def test_a_victim_carries_the_mark_of_its_data_and_so_does_what_is_made_of_it(bezoar, run, tmp_path):
    poison = ("--attack", "patch:size=4,color=white", "--target", "blue", "--rate", 0.1)
    assert bezoar("attack", "toy.npz", *poison, "--out", "poisoned.npz").code == 0
    assert bezoar("train", "poisoned.npz", *SMALL, "--out", "victim").code == 0
    assert bezoar("train", "toy.npz", "--from", "victim", "--epochs", 1, "--out", "tuned").code == 0
    for marked in ("victim", "tuned"):
        assert "Given a backdoor on purpose" in bezoar("evaluate", marked, "--data", "toy-test.npz").err
    assert tamper(bezoar, model="victim").code == 2
    assert "on purpose" not in bezoar("evaluate", "run", "--data", "toy-test.npz").err


def test_the_trigger_that_was_not_named_is_said(bezoar, run):
    done = bezoar("attack", "toy.npz", "--attack", "handcrafted", "--model", "run", "--target", "blue", "--out", "bad")
    assert done.code == 0
    assert "trigger patch: every other class is to be taken for blue" in done.out
