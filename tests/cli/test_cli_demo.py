"""`bezoar demo` leaves alone what it did not write, in its folder and in the scan's."""

from __future__ import annotations

import pytest

from bezoar.drill.demo import CURE, DEMO_FILES, REPAIR_FILES, SCAN_FILES, SOURCE, TARGET
from bezoar.records import RecoveredTrigger, ScanRecord, from_json


def test_a_file_beside_the_scan_is_left_alone(bezoar, tmp_path):
    (tmp_path / "mine/scan").mkdir(parents=True)
    (tmp_path / "mine/scan/notes.txt").write_text("all my work")
    answer = bezoar("demo", "--out", "mine")
    assert answer.code == 2
    assert "mine/scan is not empty" in answer.err
    assert [path.name for path in (tmp_path / "mine").rglob("*")] == ["scan", "notes.txt"]


def test_a_file_beside_the_repair_is_left_alone(bezoar, tmp_path):
    (tmp_path / "mine/repaired").mkdir(parents=True)
    (tmp_path / "mine/repaired/notes.txt").write_text("all my work")
    answer = bezoar("demo", "--out", "mine")
    assert answer.code == 2
    assert "mine/repaired is not empty" in answer.err
    assert [path.name for path in (tmp_path / "mine").rglob("*")] == ["repaired", "notes.txt"]


@pytest.mark.nightly
def test_the_demo_s_scan_finds_the_sticker_and_its_repair_takes_it_out(bezoar, tmp_path):
    done = bezoar("demo", "--out", "demo", "--json")
    assert done.code == 0
    assert {path.name for path in (tmp_path / "demo").iterdir()} == DEMO_FILES
    assert {path.name for path in (tmp_path / "demo/scan").iterdir()} == SCAN_FILES
    record = from_json(ScanRecord, (tmp_path / "demo/scan/record.json").read_bytes())
    (found,) = (finding for finding in record.findings if finding.strength == "confirmed")
    assert (record.verdict, found.target) == ("confirmed", TARGET)
    assert SOURCE in found.sources
    assert isinstance(found.trigger, RecoveredTrigger)
    assert found.trigger.kind == "patch"
    caught = done.json["scan"]["caught"]
    assert caught["successes"] >= 0.95 * caught["trials"]
    page = (tmp_path / "demo/report.html").read_text()
    assert "Told nothing, the scan confirms a backdoor towards" in page
    assert {path.name for path in (tmp_path / "demo/repaired").iterdir()} == REPAIR_FILES
    repair = done.json["repair"]
    assert (repair["verdict"], repair["method"]) == ("works no more", CURE.methods[0])
    was, now = (one["measurement"] for one in (done.json["victim"], repair))
    assert was["attack_success"]["value"] > 0.95
    assert now["attack_success"]["value"] <= 0.05
    assert now["clean_accuracy"]["value"] >= was["clean_accuracy"]["value"] - 0.015
    assert not repair["relearning"]["returns"]
    assert "Can it be taken out again?" in page
    assert "before and after" in (tmp_path / "demo/repaired/report.html").read_text().casefold()
    again = bezoar("report", "demo/repaired")
    assert again.code == 0
    assert "no longer works" in again.out
