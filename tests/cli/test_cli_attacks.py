"""`bezoar attacks`, and what `bezoar attack` shows and takes beside a plain trigger."""

from __future__ import annotations

import re

import pytest
from PIL import Image

from bezoar.attacks import load_truth
from bezoar.attacks.catalogue import catalogue
from bezoar.triggers import TRIGGERS

OWN = '''
from dataclasses import dataclass

@dataclass(frozen=True)
class Stripe:
    """Whitens the first rows."""
    rows: int = 3
    def __call__(self, batch):
        out = batch.clone()
        out[:, :, : self.rows] = 255
        return out
'''
WANTED = ("--target", "blue", "--count", 30)
SMALL = ("--model", "fast:stem=8,widths=8/16", "--epochs", 6, "--batch-size", 32)


def test_the_list_names_every_attack_with_paper_and_fields(bezoar):
    found = bezoar("attacks")
    assert found.code == 0
    text = " ".join(found.out.split())
    for one in catalogue().entries:
        assert f" {one.name} " in text
        assert one.paper in text
        assert all(f"{field.name}=" in text for field in one.fields)
    assert "controls samples and labels" in text


def test_one_attack_in_full_and_as_json(bezoar):
    found = bezoar("attacks", "clean-label")
    assert "any trigger, given as --trigger SPEC" in found.out
    assert "controls samples" in found.out
    listed = bezoar("attacks", "--json").json
    assert {one["name"] for one in listed["entries"]} == {one.name for one in catalogue().entries}
    wrong = bezoar("attacks", "blent")
    assert (wrong.code, wrong.out) == (4, "")
    assert "Did you mean 'blend'?" in wrong.err


@pytest.mark.parametrize("name", [one.name for one in catalogue().entries])
def test_what_is_said_of_an_attack_is_for_its_user(bezoar, name):
    said = bezoar("attacks", name).out
    assert not re.search(r"Raises \w*Error", said)
    for inside in ("(see `", "DirtyLabel", "FeatureMatching` and", "DataAttack", "Optional[", "tuple["):
        assert inside not in said
    assert catalogue().shared
    assert said.count("paper: ") == 1


def test_the_types_of_fields_are_said_in_words(bezoar):
    said = bezoar("attacks", "insert").out
    assert "size               2 whole numbers, / between, or none, default none" in said
    assert "mode               L|RGB|none, default none" in said
    assert "blend              a number, default 0.8" in said
    assert "targets            texts, / between, default none given" in bezoar("attacks", "several-triggers").out
    wrong = bezoar("attack", "toy.npz", "--attack", "patch:size=big", *WANTED, "--preview")
    assert "expected: a whole number" in wrong.err


def test_a_preview_alone_writes_nothing_else(bezoar, toy, tmp_path):
    found = bezoar("attack", "toy.npz", "--attack", "patch:size=4", *WANTED, "--preview")
    assert found.code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["preview.png", "toy-test.npz", "toy.npz"]
    with Image.open(tmp_path / "preview.png") as sheet:
        assert sheet.size[0] > 300
    again = bezoar("attack", "toy.npz", "--attack", "patch:size=4", *WANTED, "--preview")
    assert again.code == 0
    assert (tmp_path / "preview-2.png").read_bytes() == (tmp_path / "preview.png").read_bytes()
    told = bezoar("attack", "toy.npz", "--attack", "patch:size=4", *WANTED, "--preview", "--json")
    assert told.json == {"preview_file": "preview-3.png"}


def test_a_preview_beside_the_data(bezoar, toy, tmp_path):
    found = bezoar("attack", "toy.npz", "--attack", "patch:size=4", *WANTED, "--preview", "--out", "bad.npz", "--json")
    assert found.json["attack"]["poisons"] == 30
    assert {"bad.npz", "bad.npz.truth.zip", "bad.npz.preview.png"} < {path.name for path in tmp_path.iterdir()}


def test_without_out_or_preview_there_is_nothing_to_do(bezoar, toy):
    found = bezoar("attack", "toy.npz", "--attack", "patch:size=4", *WANTED)
    assert found.code == 4
    assert "--out" in found.err


def test_an_undo_wants_a_place_too(bezoar, toy):
    found = bezoar("attack", "toy.npz", "--undo", "toy.npz.truth.zip", "--preview")
    assert (found.code, found.out) == (4, "")
    assert "--out" in found.err


def test_an_attack_with_a_trigger_of_its_own_option(bezoar, toy):
    found = bezoar(
        "attack", "toy.npz", "--attack", "clean-label", "--trigger", "patch:size=4,color=white", *WANTED,
        "--out", "bad.npz", "--json",
    )  # fmt: skip
    assert found.json["attack"]["trigger"] == "patch:size=4,color=white"
    assert found.json["attack"]["placement"] == "replace"
    twice = bezoar("attack", "toy.npz", "--attack", "patch", "--trigger", "patch", *WANTED, "--out", "b.npz")
    assert (twice.code, twice.out) == (4, "")
    assert "named twice" in twice.err


def test_more_clean_label_poisons_than_the_class_holds(bezoar, toy, tmp_path):
    found = bezoar(
        "attack", "toy.npz", "--attack", "clean-label", "--trigger", "patch", "--target", "blue", "--count", 101,
        "--out", "bad.npz",
    )  # fmt: skip
    assert found.code == 2
    assert "at most 100" in found.err
    assert not (tmp_path / "bad.npz").exists()


@pytest.mark.parametrize("verb", ["list", "drill"])
def test_a_users_own_trigger_in_the_working_folder_is_used_everywhere(bezoar, toy, tmp_path, verb):
    module = f"own_stripe_{verb}"
    (tmp_path / f"{module}.py").write_text(OWN)
    if verb == "list":
        assert "Whitens the first rows." in bezoar("attacks", f"{module}:Stripe").out
        return
    made = bezoar("attack", "toy.npz", "--attack", f"{module}:Stripe:rows=4", *WANTED, "--preview", "--out", "bad.npz")
    assert made.code == 0
    assert bezoar("train", "bad.npz", *SMALL, "--out", "victim").code == 0
    measured = bezoar("evaluate", "victim", "--data", "toy-test.npz", "--truth", "bad.npz.truth.zip", "--json")
    assert measured.json["attack"]["trigger"] == f"{module}:Stripe:rows=4"
    assert f"{module}:Stripe:rows=4" in (tmp_path / "victim/evaluation/report.html").read_text()


def test_a_registered_trigger_of_ones_own_can_be_evaluated_in_another_process(bezoar, toy, tmp_path):
    registered = OWN.replace("@dataclass", '@TRIGGERS.register("stripe of mine")\n@dataclass')
    (tmp_path / "registered_stripe.py").write_text("from bezoar.triggers import TRIGGERS\n" + registered)
    spec = "registered_stripe:Stripe"
    try:
        assert bezoar("attack", "toy.npz", "--attack", spec, *WANTED, "--out", "bad.npz").code == 0
    finally:
        TRIGGERS._classes.pop("stripe of mine")
    assert load_truth(tmp_path / "bad.npz.truth.zip").backdoors[0].trigger == spec


@pytest.mark.parametrize("taken", ["bad.npz", "bad.npz.truth.zip", "bad.npz.preview.png"])
def test_a_place_that_is_taken_is_noticed_before_the_work(bezoar, toy, tmp_path, taken):
    (tmp_path / taken).write_bytes(b"mine")
    (tmp_path / "slow_attack.py").write_text("def slow(batch):\n    raise SystemExit('the work began')\n")
    answer = bezoar("attack", "toy.npz", "--attack", "slow_attack:slow", *WANTED, "--preview", "--out", "bad.npz")
    assert answer.code == 2
    assert "exists" in answer.err
    assert "began" not in answer.err
    assert (tmp_path / taken).read_bytes() == b"mine"


def test_poisons_are_told_as_a_share_of_their_class_where_labels_stay_right(bezoar, toy):
    clean = bezoar(
        "attack", "toy.npz", "--attack", "sig", "--target", "blue", "--source", "red", "--rate", 0.2, "--out", "a.npz"
    )
    assert "20 of 300 samples in a.npz are poisoned (6.67% of the original, 20.00% of class blue)" in clean.out
    assert "trigger sinusoid: red is to be taken for blue" in clean.out
    dirty = bezoar("attack", "toy.npz", "--attack", "all-to-all", "--rate", 0.1, "--out", "b.npz")
    assert "(10.00% of the original)" in dirty.out
    assert "red is to be taken for green, green is to be taken for blue, blue is to be taken for red" in dirty.out


def test_names_that_cannot_be_used_are_not_offered(bezoar, toy):
    unknown = bezoar("attack", "toy.npz", "--attack", "subnet-replacment", "--target", "blue", "--out", "a.npz")
    assert unknown.code == 4
    assert "Did you mean 'subnet-replacement'?" in unknown.err
    assert "handcrafted" in unknown.err
    needs = bezoar("attack", "toy.npz", "--attack", "dirty-label", "--target", "blue", "--out", "a.npz")
    assert needs.code == 4
    assert "watermark" in needs.err
    assert "weight-patching" not in needs.err
    assert "sample-specific" not in needs.err


def test_a_misspelt_field_gets_a_suggestion(bezoar, toy):
    done = bezoar("attack", "toy.npz", "--attack", "patch:colour=cyan", "--target", "blue", "--out", "a.npz")
    assert done.code == 4
    assert "Did you mean 'color'?" in done.err


def test_a_grid_finer_than_the_pixels_is_refused(bezoar, toy):
    done = bezoar("attack", "toy.npz", "--attack", "wanet:grid=17", "--target", "blue", "--rate", 0.1, "--out", "a.npz")
    assert done.code == 2
    assert "grid at most 16" in done.err
