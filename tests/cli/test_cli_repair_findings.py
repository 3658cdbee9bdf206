"""`bezoar inspect` hands what it found on to `bezoar repair --findings`; and what else may lie in such a folder."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from planted_scan import planted_record
from safetensors.torch import load_file, save_file

from bezoar.cli.inspect_folder import TRIGGERS_FORMAT
from bezoar.data import write_data
from bezoar.records import to_json
from bezoar.repair.checks import Bar
from bezoar.training.saved import load_tensors, save_tensors
from inversion_toys import NAMES, TARGET, clean_data, planted_patch

MODULE = """
from inversion_toys import Linear

def blank(classes):
    return Linear()
"""
MODEL = ("weights.safetensors", "--factory", "linear_networks:blank", "--clean", "quarters.npz")
QUICK = ("--detector", "neural-cleanse:steps=150,lessons=60")


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """Where the first inspection stays for the other tests."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def seen(bezoar, kept, tmp_path, monkeypatch) -> Path:
    """A folder with a planted model, clean data, and the inspection that found the patch."""
    (tmp_path / "linear_networks.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("bezoar.cli.repair.calibrated_bars", lambda: (Bar("neural-cleanse:steps=40,lessons=60", 3.5),))
    write_data(clean_data(), tmp_path / "quarters.npz")
    save_file(planted_patch().state_dict(), tmp_path / "weights.safetensors")
    if not (kept / "seen").exists():
        assert bezoar("inspect", *MODEL, *QUICK, "--out", "seen").code == 1
        shutil.copytree("seen", kept / "seen")
    shutil.copytree(kept / "seen", tmp_path / "seen", dirs_exist_ok=True)
    return tmp_path


def refused(bezoar, *more: object, code: int) -> str:
    done = bezoar("repair", *MODEL, *more, "--out", "m2")
    assert done.code == code, done.err
    assert not Path("m2").exists()
    return done.err


def test_the_trigger_that_was_found_is_taken_and_none_is_sought(bezoar, seen, monkeypatch):
    def never(*_, **__):
        raise AssertionError("a trigger was searched for although one was handed over")

    monkeypatch.setattr("bezoar.repair.finding.suspected_trigger", never)
    done = bezoar("repair", *MODEL, "--findings", "seen", "--out", "m2", "--json")
    record = done.json
    trigger = record["trigger"]
    assert (trigger["origin"], trigger["target"]) == ("recovered", NAMES[TARGET])
    assert "rows 1 to 2, columns 9 to 10" in trigger["description"]
    assert (
        "found by bezoar inspect with neural-cleanse:steps=150,lessons=60 (confirmed) and turned"
        in trigger["description"]
    )
    assert record["before"]["flips"]["flips"]["successes"] > 0.6 * record["before"]["flips"]["flips"]["trials"]
    assert record["after"]["flips"]["flips"]["successes"] <= 0.1 * record["after"]["flips"]["flips"]["trials"]
    assert done.code == 0, record["sentence"]
    assert len(trigger["examples"]) == 4


def test_what_the_inspection_showed_is_the_search_before_and_no_other_is_made(bezoar, seen, monkeypatch):
    bars = (Bar("neural-cleanse:steps=150,lessons=60", 3.5),)
    monkeypatch.setattr("bezoar.cli.repair_findings.calibrated_bars", lambda: bars)
    record = bezoar(
        "repair", *MODEL, "--findings", "seen", "--method", "adversarial-training", "--out", "m2", "--json"
    ).json
    (search,) = record["before"]["searches"]
    inspected = json.loads((seen / "seen/record.json").read_text())
    assert (search["detector"], search["stands_out"]) == (bars[0].detector, [NAMES[TARGET]])
    assert search["samples"] == inspected["clean"]["samples"]
    assert [one["statistic"] for one in search["classes"]] == [one["statistic"] for one in inspected["statistics"]]


def test_an_inspection_by_fewer_detectors_is_no_search_before(bezoar, seen):
    record = bezoar(
        "repair", *MODEL, "--findings", "seen", "--method", "adversarial-training", "--out", "m2", "--json"
    ).json
    assert record["before"]["searches"]["reason"].startswith("no search was made before")


def test_the_command_that_an_inspection_advises_names_its_own_folder(seen):
    (finding,) = json.loads((seen / "seen/record.json").read_text())["findings"]
    assert finding["remedies"] == [
        "bezoar repair weights.safetensors --factory linear_networks:blank --clean quarters.npz --findings seen "
        "--out repaired"
    ]


def test_without_the_file_of_triggers_the_class_is_still_known(bezoar, seen, monkeypatch):
    monkeypatch.setattr("bezoar.cli.repair.calibrated_bars", lambda: (Bar("neural-cleanse:steps=150,lessons=60", 3.5),))
    (seen / "seen/triggers.safetensors").unlink()
    record = bezoar("repair", *MODEL, "--findings", "seen", "--out", "m2", "--json").json
    assert record["trigger"]["target"] == NAMES[TARGET]
    assert "found by neural-cleanse:steps=150,lessons=60" in record["trigger"]["description"]


def test_an_inspection_of_another_model_is_refused(bezoar, seen):
    other = planted_patch()
    other.weight.data[0, 0, 0, 0] += 0.5
    save_file(other.state_dict(), seen / "weights.safetensors")
    said = refused(bezoar, "--findings", "seen", code=2)
    assert "seen is an inspection of another model than weights.safetensors" in said
    assert "bezoar inspect" in said


def test_an_inspection_that_found_nothing_or_nothing_towards_the_target(bezoar, seen):
    said = refused(bezoar, "--findings", "seen", "--target", NAMES[0], code=4)
    assert f"found nothing towards '{NAMES[0]}'" in said
    assert repr(NAMES[TARGET]) in said
    record = json.loads((seen / "seen/record.json").read_text())
    (seen / "seen/record.json").write_text(json.dumps({**record, "findings": [], "verdict": "no evidence"}))
    said = refused(bezoar, "--findings", "seen", code=4)
    assert "the inspection found nothing" in said
    assert "no evidence" in said


def test_what_is_no_inspection_is_told_as_what_it_is(bezoar, seen):
    (seen / "scan").mkdir()
    (seen / "scan/record.json").write_text(to_json(planted_record(clean_data(), [])))
    assert "Give it as --suspects" in refused(bezoar, "--findings", "scan", code=2)
    assert "Give it as --findings" in refused(bezoar, "--data", "quarters.npz", "--suspects", "seen", code=2)
    (seen / "notes.txt").write_text("all my work")
    assert "no record of an inspection" in refused(bezoar, "--findings", "notes.txt", code=2)
    assert "nowhere does not exist" in refused(bezoar, "--findings", "nowhere", code=4)
    (seen / "seen/record.json").write_text('{"kind": "inspection", "title": ')
    assert "record.json" in refused(bezoar, "--findings", "seen", code=2)


def test_triggers_that_are_damaged_or_of_another_record_are_refused(bezoar, seen):
    path = seen / "seen/triggers.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "triggers.safetensors cannot be read" in refused(bezoar, "--findings", "seen", code=2)
    save_file(load_file(seen / "weights.safetensors"), path)
    assert "triggers.safetensors cannot be read" in refused(bezoar, "--findings", "seen", code=2)
    path.write_bytes(whole)
    record = json.loads((seen / "seen/record.json").read_text())
    (seen / "seen/record.json").write_text(json.dumps({**record, "weights": "0" * 64}))
    assert "another model" in refused(bezoar, "--findings", "seen", code=2)


def test_all_findings_are_repaired_unless_one_is_named(bezoar, seen):
    other = next(name for name in NAMES if name != NAMES[TARGET])
    record = json.loads((seen / "seen/record.json").read_text())
    (finding,) = record["findings"]
    record["findings"].append({**finding, "target": other})
    (seen / "seen/record.json").write_text(json.dumps(record))
    tensors, metadata = load_tensors(seen / "seen/triggers.safetensors", TRIGGERS_FORMAT)
    forms = json.loads(metadata["forms"])
    tensors |= {name.replace("0.", "1.", 1): one.clone() for name, one in tensors.items()}
    metadata["forms"] = json.dumps({**forms, "1": forms["0"]})
    save_tensors(tensors, metadata, seen / "seen/triggers.safetensors")
    both = bezoar("repair", *MODEL, "--findings", "seen", "--out", "m2", "--json").json
    assert both["trigger"]["target"] == NAMES[TARGET]
    assert [one["target"] for one in both["further"]] == [other]
    assert [one["target"] for one in both["after"]["further"]] == [other]
    one = bezoar("repair", *MODEL, "--findings", "seen", "--target", other, "--out", "m3", "--json").json
    assert (one["trigger"]["target"], one["further"]) == (other, [])
    assert any("leave --target out to repair all of them" in note for note in one["notes"])


def test_options_that_do_not_go_together(bezoar, seen):
    both = ("--findings", "seen", "--trigger", "patch:size=2", "--target", NAMES[TARGET])
    assert "both --findings and --trigger" in refused(bezoar, *both, code=4)
    alone = bezoar("repair", *MODEL[:3], "--findings", "seen", "--out", "m2")
    assert alone.code == 4
    assert "--clean DATA" in alone.err


def test_clean_samples_of_other_classes_are_told(bezoar, seen):
    other = replace(clean_data(), class_names=("a", "b", "c", "d"))
    (seen / "quarters.npz").unlink()
    write_data(other, seen / "quarters.npz")
    assert "other classes than the inspection went by" in refused(bezoar, "--findings", "seen", code=2)


def test_an_inspection_made_again_replaces_its_triggers(bezoar, seen):
    before = load_file(seen / "seen/triggers.safetensors")
    assert bezoar("inspect", *MODEL, *QUICK, "--out", "seen").code == 1
    after = load_file(seen / "seen/triggers.safetensors")
    assert all(torch.equal(before[name], one) for name, one in after.items())
