"""`bezoar inspect MODEL --reference-from DIR` by command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import save_file

from bezoar.data import write_data
from inversion_toys import NAMES, TARGET, clean_data, planted_patch
from reference_toys import samples, varied, write_run, write_weights

MODULE = """
import torch
from inversion_toys import Linear, planted_patch

def planted():
    return planted_patch()

def blank(classes):
    return Linear()
"""
QUICK = ("--detector", "neural-cleanse:steps=150,lessons=60", "--detector", "mm-bd:steps=20")
WEIGHTS = ("weights.safetensors", "--factory", "reference_networks:blank", "--clean", "quarters.npz")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with clean data, a factory, a planted model and four that are trusted."""
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "reference_networks.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    write_data(clean_data(), tmp_path / "quarters.npz")
    save_file(planted_patch().state_dict(), tmp_path / "weights.safetensors")
    write_weights(tmp_path / "trusted", 4)
    return tmp_path


def test_a_planted_patch_is_confirmed_beside_references(bezoar, place):
    done = bezoar("inspect", *WEIGHTS, "--reference-from", "trusted", *QUICK, "--out", "seen")
    assert done.code == 1, done.err
    assert "Backdoor confirmed." in done.out
    assert "cuts: 4 references in trusted" in done.out
    assert "what this class has in 4 references" in done.out
    record = json.loads((place / "seen/record.json").read_text())
    assert record["cuts_from"] == "4 references in trusted"
    assert [one["target"] for one in record["findings"]] == [NAMES[TARGET]]
    assert all(one["beside"]["models"] == 4 for one in record["statistics"])
    assert all(run["references"] == 4 for run in record["detectors"])
    assert "references" in [stage["stage"] for stage in record["stages"]]
    page = (place / "seen/report.html").read_text()
    assert "4 references in trusted" in page
    assert "usual" in page
    made = bezoar("report", "seen", "--out", "page")
    assert made.code == 0
    assert (place / "page/report.html").read_text() == page
    again = bezoar("inspect", *WEIGHTS, "--reference-from", "trusted", *QUICK, "--out", "seen", "--json")
    assert again.json["statistics"] == record["statistics"]
    assert all(one["kept"] for one in again.json["references"]["used"])
    assert not any(one["kept"] for one in record["references"]["used"])


def test_a_model_like_the_references_gives_no_evidence(bezoar, place):
    save_file(varied(9).state_dict(), place / "weights.safetensors")
    done = bezoar("inspect", *WEIGHTS, "--reference-from", "trusted", *QUICK)
    assert done.code == 0
    assert "No class stands out of what the references show" in done.out
    assert "cuts: 4 references" in done.out


def test_without_references_the_built_in_cuts_are_named(bezoar, place):
    done = bezoar("inspect", *WEIGHTS, *QUICK, "--json")
    assert done.json["cuts_from"] == "the calibration that comes with bezoar"
    assert done.json["references"] is None


def test_wrong_folders_are_refused_before_anything_is_made(bezoar, place):
    (place / "empty").mkdir()
    write_weights(place / "few", 2)
    for folder, said, code in (
        ("nowhere", "does not exist", 4),
        ("quarters.npz", "a file", 2),
        ("empty", "too few references", 2),
        ("few", "at least 3", 2),
    ):
        done = bezoar("inspect", *WEIGHTS, "--reference-from", folder, *QUICK)
        assert done.code == code
        assert said in done.err, folder
        assert "what to do" in done.err
    assert not (place / "inspection").exists()


def test_one_broken_file_is_named_and_the_others_serve(bezoar, place):
    (place / "trusted/broken.safetensors").write_bytes(b"nonsense")
    (place / "trusted/whole.pt").write_bytes(b"nonsense")
    done = bezoar("inspect", *WEIGHTS, "--reference-from", "trusted", *QUICK, "--out", "seen")
    assert done.code == 1
    assert "the reference broken.safetensors was left out" in done.out.lower()
    assert "4 references in trusted (2 more left out)" in done.out
    assert "whole.pt" in (place / "seen/report.html").read_text()


def test_a_run_is_compared_with_runs_without_any_clean_data(bezoar, place):
    for seed in range(4):
        write_run(place / f"runs/run-{seed}", seed)
    write_run(place / "victim", 9, favoured=2)
    done = bezoar("inspect", "victim", "--reference-from", "runs", "--detector", "last-layer")
    assert done.code == 1
    assert "Suspicious." in done.out
    assert "blue" in done.out
    assert "last-layer gives it" in done.out
    assert "cuts: 4 references in runs" in done.out
    inside = bezoar("inspect", "runs/run-0", "--reference-from", "runs", "--detector", "last-layer")
    assert inside.code == 0
    assert "it is the model that is inspected" in inside.out


def test_references_of_other_classes_are_compared_with_as_a_whole(bezoar, place):
    for seed in range(4):
        write_run(place / f"runs/run-{seed}", seed, ("cat", "dog", "cow", "hen"))
    write_run(place / "victim", 9)
    write_data(samples(), place / "noise.npz")
    names = ("neural-cleanse:steps=2,lessons=60", "mm-bd:steps=3", "channel-bounds", "last-layer")
    chosen = [word for name in names for word in ("--detector", name)]
    done = bezoar("inspect", "victim", "--clean", "noise.npz", "--reference-from", "runs", *chosen, "--json")
    record = done.json
    assert {one["detector"] for one in record["statistics"] if one["beside"]} == set(names[1:])
    assert all(one["beside"]["models"] == 0 for one in record["statistics"] if one["beside"])
    assert any(
        note.startswith("neural-cleanse:steps=2,lessons=60 is told and judges nothing") for note in record["notes"]
    )
