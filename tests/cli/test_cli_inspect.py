"""`bezoar inspect` by command: a planted patch found, and what is said of models and data that don't fit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bezoar.data import write_data
from inversion_toys import NAMES, TARGET, Linear, clean_data, planted_patch

MODULE = """
import torch
from inversion_toys import Linear, planted_patch

def planted():
    return planted_patch()

def clean():
    return Linear()

def blank(classes):
    return Linear()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with clean data and a module of the user's own."""
    (tmp_path / "own_networks.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    write_data(clean_data(), tmp_path / "quarters.npz")
    return tmp_path


def test_a_planted_patch_is_told_with_its_class_and_the_exit_code_says_so(bezoar, place):
    done = bezoar("inspect", "own_networks:planted", "--clean", "quarters.npz", "--out", "seen")
    assert done.code == 1
    assert "Backdoor confirmed." in done.out
    assert NAMES[TARGET] in done.out
    assert "bezoar repair own_networks:planted --clean quarters.npz" in done.out
    record = json.loads((place / "seen/record.json").read_text())
    assert record["verdict"] == "confirmed"
    assert record["kind"] == "inspection"
    page = (place / "seen/report.html").read_text()
    assert "The trigger, as far as it was recovered" in page
    made = bezoar("report", "seen", "--out", "page")
    assert made.code == 0
    assert "Backdoor confirmed." in made.out
    assert (place / "page/report.html").read_text() == page
    again = bezoar("inspect", "own_networks:planted", "--clean", "quarters.npz", "--out", "seen", "--json")
    assert again.json["statistics"] == record["statistics"]
    assert again.json["findings"] == record["findings"]


def test_no_evidence_is_all_that_is_said_of_a_network_without(bezoar, place):
    done = bezoar("inspect", "own_networks:clean", "--clean", "quarters.npz")
    assert done.code == 0
    assert "No evidence found." in done.out
    assert "That does not show that there is none" in done.out
    assert (place / "inspection/report.html").exists()


def test_weights_of_a_stranger_are_opened_with_a_factory(bezoar, place):
    save_file(planted_patch().state_dict(), place / "weights.safetensors")
    done = bezoar(
        "inspect", "weights.safetensors", "--factory", "own_networks:blank", "--clean", "quarters.npz", "--out", "seen",
        "--size", 12, "--detector", "neural-cleanse:steps=150,lessons=60",
    )  # fmt: skip
    assert done.code == 1
    assert "repair weights.safetensors --factory own_networks:blank --clean quarters.npz --size 12 --find" in done.out
    refused = bezoar("inspect", "weights.safetensors", "--clean", "quarters.npz", "--out", "other")
    assert refused.code in (2, 4)
    assert "factory" in refused.err
    assert not (place / "other").exists()


def test_damaged_weights_and_pickles_are_refused_in_words(bezoar, place):
    model = Linear()
    model.weight.data[0, 0, 0, 0] = float("nan")
    save_file(model.state_dict(), place / "weights.safetensors")
    done = bezoar("inspect", "weights.safetensors", "--factory", "own_networks:blank", "--clean", "quarters.npz")
    assert done.code == 2
    assert "weight" in done.err
    torch.save(Linear(), place / "whole.pt")
    done = bezoar("inspect", "whole.pt", "--factory", "own_networks:blank", "--clean", "quarters.npz")
    assert done.code == 2
    assert "whole.pt" in done.err
    assert not (place / "inspection").exists()


def test_clean_samples_of_other_classes_are_refused(bezoar, place):
    data = clean_data()
    three = replace(data.select(data.labels != 3), class_names=NAMES[:3])
    write_data(three, place / "three.npz")
    done = bezoar("inspect", "own_networks:planted", "--clean", "three.npz")
    assert done.code == 2
    assert "4" in done.err
    assert not (place / "inspection").exists()


def test_how_many_clean_samples_are_right_is_told_and_other_classes_give_no_verdict(bezoar, place):
    one = ("--detector", "neural-cleanse:steps=30,lessons=60")
    done = bezoar("inspect", "own_networks:clean", "--clean", "quarters.npz", *one, "--out", "seen")
    assert done.code == 0
    assert "clean samples: 100% answered right by the model (240 of 240)" in done.out
    data = clean_data()
    write_data(replace(data, labels=(data.labels + 1) % 4), place / "turned.npz")
    done = bezoar("inspect", "own_networks:clean", "--clean", "turned.npz", *one, "--out", "seen")
    assert done.code == 3
    assert "Inconclusive." in done.out
    assert "hardly more of the clean samples right than guessing would (0.0% beside 25.0%" in done.out
    assert "clean samples: 0% answered right by the model (0 of 240)" in done.out
    assert json.loads((place / "seen/record.json").read_text())["accuracy"]["trials"] == 240


def test_too_few_clean_samples_are_refused_with_how_many_are_needed(bezoar, place):
    write_data(clean_data(5), place / "five.npz")
    done = bezoar("inspect", "own_networks:clean", "--clean", "five.npz")
    assert done.code == 2
    assert "too few to inspect a model with" in done.err
    assert "at least 54" in done.err
    assert "5, no more than 2 of a class" in done.err
    assert not (place / "inspection").exists()


def test_a_detector_that_did_not_run_is_shown_as_such(bezoar, place):
    write_data(clean_data(20), place / "twenty.npz")
    one = "neural-cleanse:steps=30,lessons=60"
    done = bezoar("inspect", "own_networks:clean", "--clean", "twenty.npz", "--detector", one)
    assert done.code == 3
    assert f"{one} did not run: trigger inversion needs 40 clean samples" in done.err
    assert "1 of 1 detector did not run" in done.out


def test_a_model_that_is_not_there_and_one_that_tells_nothing(bezoar, place):
    assert bezoar("inspect", "nowhere").code == 4
    done = bezoar("inspect", "own_networks:planted")
    assert done.code in (2, 4)
    assert "--clean" in done.err


def test_a_run_of_bezoar_needs_no_clean_data_to_be_looked_at_but_gets_no_verdict(bezoar, toy):
    assert bezoar("train", "toy.npz", "--model", "fast:stem=8,widths=12/16", "--epochs", 1, "--out", "run").code == 0
    done = bezoar("inspect", "run")
    assert done.code == 3
    assert "Inconclusive." in done.out
    assert bezoar("inspect", "run", "--clean", "toy-test.npz", "--out", "seen").code in (0, 1)


def test_detectors_are_named_with_their_fields_and_unknown_ones_refused(bezoar, place):
    one = "neural-cleanse:steps=30,lessons=60"
    done = bezoar("inspect", "own_networks:planted", "--clean", "quarters.npz", "--detector", one, "--json")
    assert [run["detector"] for run in done.json["detectors"]] == [one]
    refused = bezoar("inspect", "own_networks:planted", "--clean", "quarters.npz", "--detector", "neural-clean")
    assert refused.code == 4
    assert "neural-cleanse" in refused.err
