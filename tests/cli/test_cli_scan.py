"""`bezoar scan`: verdicts, exit codes, files, what reaches the scan, wrong input."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from planted_scan import drawn, drawn_file, drawn_folder, finding, planted_record, stand_in
from rich.text import Text

from bezoar.cli.codes import code_of
from bezoar.cli.scan_words import scan_lines
from bezoar.evidence.store import default_root
from bezoar.records import Remark, ScanRecord, from_json
from bezoar.scan import ScanSettings, TrainedModel

FILES = ["junit.xml", "record.json", "report.html", "scan.sarif", "suspects.csv"]


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def asked(monkeypatch):
    return stand_in(monkeypatch)


def suspicious(data):
    return planted_record(data, [finding(data, [3, 8, 13], target="dog")])


def confirmed(data):
    return planted_record(data, [finding(data, [3, 8, 13], target="dog", strength="confirmed")])


def inconclusive(data):
    return planted_record(data, verdict="inconclusive")


# The scan itself, on small data of every kind.


@pytest.mark.slow
def test_a_sticker_is_found_and_the_same_signs_without_it_are_let_pass(bezoar, tmp_path):
    sticker = ("--attack", "patch:size=5,color=cyan", "--target", "yield", "--rate", 0.03, "--out", "drill.npz")
    assert bezoar("attack", "signs", "--split", "test", *sticker).code == 0
    answer = bezoar("scan", "drill.npz", "--budget", "quick", "--out", "found")
    assert answer.code == 1, answer.out
    assert sorted(path.name for path in (tmp_path / "found").iterdir()) == FILES
    record = from_json(ScanRecord, (tmp_path / "found/record.json").read_bytes())
    assert [one.target for one in record.findings] == ["yield"]
    assert "1. yield (suspicious)" in answer.out
    with (tmp_path / "found/suspects.csv").open(newline="") as table:
        lines = list(csv.DictReader(table))
    with np.load(tmp_path / "drill.npz") as arrays:
        assert [line["id"] for line in lines] == [str(arrays["ids"][int(line["row"])]) for line in lines]
    assert {line["id"] for line in lines} == {one.id for one in record.findings[0].suspects}
    assert "ask the detectors" in answer.err
    assert bezoar("clean", "drill.npz", "--findings", "found", "--out", "cleaned.npz").code == 0
    answer = bezoar("scan", "signs", "--split", "test", "--budget", "quick")
    assert answer.code == 0, answer.out
    assert answer.out.lstrip().startswith("No evidence found.")


def test_the_same_scan_twice_finds_the_same(bezoar, tmp_path):
    drawn_file(tmp_path / "planted.npz", 200, poisons=20)
    codes = {bezoar("scan", "planted.npz", "--budget", "quick", *option).code for option in ((), ("--no-cache",))}
    records = [from_json(ScanRecord, (tmp_path / name / "record.json").read_bytes()) for name in ("scan", "scan-2")]
    assert codes == {code_of(records[0], "suspicious")}
    assert records[0].signals == records[1].signals
    first, second = ([replace(one, remedies=()) for one in record.findings] for record in records)
    assert first == second
    assert records[1].findings[0].remedies == (
        "bezoar scan planted.npz --budget standard",
        "bezoar clean planted.npz --findings scan-2 --out cleaned.npz",
    )
    assert records[0].dataset.samples == 200


def test_twenty_images_are_too_few_to_tell(bezoar, tmp_path):
    drawn_file(tmp_path / "few.npz", 20, poisons=0)
    answer = bezoar("scan", "few.npz", "--budget", "quick")
    assert answer.code == 3, answer.err
    assert answer.out.lstrip().startswith("Inconclusive.")
    assert "<skipped" in (tmp_path / "scan/junit.xml").read_text()


@pytest.mark.parametrize("options", [{"classes": ("ant",)}, {"channels": 1}, {"channels": 1, "side": 28}])
def test_data_of_one_class_and_grey_ones_are_scanned(bezoar, tmp_path, options):
    drawn_file(tmp_path / "odd.npz", 120, poisons=0, **options)
    answer = bezoar("scan", "odd.npz", "--budget", "quick")
    record = from_json(ScanRecord, (tmp_path / "scan/record.json").read_bytes())
    assert answer.code == code_of(record, "suspicious")
    assert record.dataset.samples == 120


def test_pictures_with_transparency_are_scanned(bezoar, tmp_path):
    drawn_folder(tmp_path / "pictures", mode="RGBA")
    assert bezoar("scan", "pictures", "--budget", "quick", "--source-level", 2).code == 3
    record = from_json(ScanRecord, (tmp_path / "scan/record.json").read_bytes())
    assert record.dataset.shape == (3, 12, 12)


@pytest.mark.slow
def test_a_model_of_ones_own_is_read_in_place_of_a_probe(bezoar, tmp_path):
    drawn_file(tmp_path / "planted.npz", 300, poisons=25)
    assert bezoar("train", "planted.npz", "--epochs", 2, "--out", "victim").code == 0
    answer = bezoar("scan", "planted.npz", "--model", "victim")
    record = from_json(ScanRecord, (tmp_path / "scan/record.json").read_bytes())
    assert answer.code == code_of(record, "suspicious")
    assert record.model == "victim"
    assert any(signal.detector.startswith("hidden-pattern:rows=") for signal in record.signals)
    assert "read the model's features" in answer.err
    bezoar("scan", "planted.npz", "--model", "victim", "--budget", "quick")
    quick = from_json(ScanRecord, (tmp_path / "scan-2/record.json").read_bytes())
    assert quick.findings[0].remedies[0] == "bezoar scan planted.npz --model victim --budget standard"


# What is said and written.


@pytest.mark.parametrize(
    ("record", "fail_on", "code", "said"),
    [
        (planted_record, "suspicious", 0, "No evidence found."),
        (suspicious, "suspicious", 1, "Suspicious."),
        (suspicious, "confirmed", 0, "Suspicious."),
        (confirmed, "suspicious", 1, "Backdoor confirmed."),
        (confirmed, "confirmed", 1, "Backdoor confirmed."),
        (inconclusive, "suspicious", 3, "Inconclusive."),
        (inconclusive, "confirmed", 3, "Inconclusive."),
    ],
)
def test_the_exit_code_follows_from_the_verdict(bezoar, toy, asked, record, fail_on, code, said):
    asked["record"] = record
    answer = bezoar("scan", toy, "--fail-on", fail_on)
    assert answer.code == code, answer.err
    assert answer.out.lstrip().startswith(said)
    assert "report: scan/report.html" in answer.out


def blue(data):
    return planted_record(
        data, [finding(data, [2, 5, 8], target="blue")], remarks=[Remark("imbalance", "one class is small", 1)]
    )


def test_the_summary_names_what_was_found(bezoar, toy, asked):
    asked["record"] = blue
    answer = bezoar("scan", toy)
    for said in (
        "1. blue (suspicious)",
        "class 'blue' [bold]stands[/] out.",  # what comes from data is no markup
        "suspects: 3, 3.0% of the class; the first is ",
        "trigger: not recovered: none was tried",
        "clean samples turned: not tried: none was made",
        "covers, under their right labels: 2 of “green”",
        "contributors: “north” 3 of its 4 samples",
        "to do: ask the contributor",
        "one class is small.",
        "1 of 2 detectors did not run",
        "time: 4.0 s",
        "75%  ask the detectors",
        f"next: bezoar clean {toy} --findings scan --out cleaned.npz",
    ):
        assert said in answer.out, said


def test_names_from_the_data_are_neither_markup_nor_commands_of_the_terminal():
    data = drawn(20, poisons=0, classes=("[red]x[/]", "\x1b[31mred", "\u202etxt"))
    findings = [finding(data, [row], target=name) for row, name in enumerate(data.class_names)]
    shown = [Text.from_markup(line).plain for line in scan_lines(planted_record(data, findings))]
    text = "\n".join(shown)
    assert "1. [red]x[/] (suspicious)" in text
    assert "2. \\x1b[31mred (suspicious)" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_json_is_all_there_is_on_stdout(bezoar, toy, asked):
    asked["record"] = blue
    answer = bezoar("scan", toy, "--json")
    assert answer.code == 1
    assert answer.json["kind"] == "scan"
    assert answer.json == json.loads(Path("scan/record.json").read_text())
    assert answer.err == "a model of the user's own says something\n"


def test_every_scan_gets_a_folder_and_its_own_is_used_again(bezoar, toy, asked, tmp_path):
    asked["record"] = blue
    for _ in range(2):
        assert bezoar("scan", toy).code == 1
    assert sorted(path.name for path in tmp_path.glob("scan*")) == ["scan", "scan-2"]
    asked["record"] = planted_record
    assert bezoar("scan", toy, "--out", "scan").code == 0
    assert '"no evidence"' in (tmp_path / "scan/record.json").read_text()
    (tmp_path / "scan/notes.txt").write_text("mine")
    assert bezoar("scan", toy, "--out", "scan").code == 2
    (tmp_path / "run").mkdir()
    (tmp_path / "run/record.json").write_text('{"kind": "training"}')
    assert bezoar("scan", toy, "--out", "run").code == 2
    assert (tmp_path / "run/record.json").read_text() == '{"kind": "training"}'


def test_a_scan_that_is_interrupted_says_so_and_leaves_nothing(bezoar, toy, asked, tmp_path):
    def interrupted(_):
        raise KeyboardInterrupt

    asked["record"] = interrupted
    answer = bezoar("scan", toy, "--out", "scan")
    assert (answer.code, answer.err.rstrip().endswith("interrupted")) == (130, True)
    assert not (tmp_path / "scan").exists()


def test_sarif_and_junit_go_where_they_are_asked_for(bezoar, asked, tmp_path):
    drawn_folder(tmp_path / "sets/pictures")
    asked["record"] = lambda data: planted_record(data, [finding(data, [0, 1], target="ant")])
    for _ in range(2):  # an earlier scan's are replaced
        assert bezoar("scan", "sets/pictures", "--sarif", "s.sarif", "--junit", "j.xml").code == 1
    assert Path("s.sarif").read_bytes() == Path("scan-2/scan.sarif").read_bytes()
    (result,) = json.loads(Path("s.sarif").read_text())["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert place.startswith("sets/pictures/ant/")
    assert Path(place).is_file()
    assert Path("j.xml").read_bytes() == Path("scan-2/junit.xml").read_bytes()
    assert ElementTree.parse("j.xml").getroot().get("failures") == "1"
    assert bezoar("scan", "sets/pictures", "--junit", "j.xml", "--fail-on", "confirmed").code == 0
    assert ElementTree.parse("j.xml").getroot().get("failures") == "0"


def test_paths_of_the_part_that_was_read_are_those_of_its_folder(bezoar, asked, tmp_path):
    drawn_folder(tmp_path / "sets/train")
    asked["record"] = lambda data: planted_record(data, [finding(data, [0], target="ant")])
    assert bezoar("scan", "sets", "--sarif", "s.sarif").code == 1
    (result,) = json.loads(Path("s.sarif").read_text())["runs"][0]["results"]
    assert Path(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]).is_file()


def test_data_in_one_file_are_that_file(bezoar, asked, toy, tmp_path):
    (tmp_path / "sets").mkdir()
    shutil.copy(tmp_path / toy, tmp_path / "sets/my signs.npz")
    asked["record"] = lambda data: planted_record(data, [finding(data, [0], target="ant")])
    assert bezoar("scan", "sets/my signs.npz", "--sarif", "s.sarif").code == 1
    (result,) = json.loads(Path("s.sarif").read_text())["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "sets/my%20signs.npz"


def test_what_no_scan_wrote_is_not_replaced(bezoar, toy, asked, tmp_path):
    (tmp_path / "s.sarif").write_text("{}")
    answer = bezoar("scan", toy, "--sarif", "s.sarif")
    assert answer.code == 2
    assert "not written by a scan" in answer.err
    assert (tmp_path / "s.sarif").read_text() == "{}"
    assert asked["times"] == 0


def test_options_reach_the_scan(bezoar, toy, asked, tmp_path, monkeypatch):
    assert (
        bezoar("scan", toy, "--budget", "thorough", "--seed", 7, "--device", "cpu", "--trusted", "toy-test.npz").code
        == 0
    )
    assert asked["settings"] == ScanSettings(
        "thorough",
        7,
        "cpu",
        commands=(f"bezoar scan {toy} --budget thorough --seed 7 --device cpu --trusted toy-test.npz",),
    )
    assert asked["trusted"].name == "toy-test"
    assert asked["model"] is None
    assert asked["store"].root == default_root()
    bezoar("scan", toy, "--no-cache")
    assert asked["store"] is None
    assert asked["settings"].budget == "standard"
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path / "toy.npz"))  # a file, where no folder can be
    answer = bezoar("scan", toy)
    assert answer.code == 0
    assert "evidence is not kept" in answer.err
    assert asked["store"] is None


def test_models_reach_the_scan(bezoar, toy, asked, tmp_path):
    (tmp_path / "scanned_models.py").write_text(
        "from torch import nn\n"
        "def factory(classes):\n    print('hello')\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, classes))\n"
        "def narrow():\n    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 2))\n"
    )
    answer = bezoar("scan", toy, "--model", "scanned_models:factory", "--json")
    assert answer.json["kind"] == "scan"
    assert isinstance(asked["model"], TrainedModel)
    assert asked["model"].name == "scanned_models:factory"
    assert asked["model"].model(torch.zeros(1, 3, 16, 16)).shape == (1, 3)
    assert bezoar("train", toy, "--epochs", 1, "--out", "victim").code == 0
    for place in ("victim", "victim/model.safetensors"):
        assert bezoar("scan", toy, "--model", place).code == 0
        assert asked["model"].name == place
    asked["times"] = 0
    answer = bezoar("scan", toy, "--model", "scanned_models:narrow")
    assert answer.code == 2
    assert "does not fit the data" in answer.err
    drawn_file(tmp_path / "other.npz", 40, poisons=0)
    answer = bezoar("scan", "other.npz", "--model", "victim")
    assert answer.code == 2
    assert "victim was trained for other classes" in answer.err
    assert asked["times"] == 0


def test_trusted_data_must_be_of_the_same_kind_and_other_samples(bezoar, toy, asked, tmp_path):
    drawn_file(tmp_path / "other.npz", 40, poisons=0)
    answer = bezoar("scan", toy, "--trusted", "other.npz")
    assert answer.code == 2
    assert "don't fit the data" in answer.err
    assert asked["times"] == 0
    answer = bezoar("scan", toy, "--trusted", toy)
    assert answer.code == 0
    assert "300 trusted samples are among the scanned ones" in answer.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nowhere",), 4, "no data set 'nowhere'"),
        (("toy.npz", "--model", "nowhere"), 4, "the model nowhere does not exist"),
        (("toy.npz", "--model", "no.such:thing"), 4, "cannot import the model"),
        (("toy.npz", "--trusted", "nowhere"), 4, "no data set 'nowhere'"),
        (("toy.npz", "--budget", "lavish"), 4, "--budget"),
        (("toy.npz", "--fail-on", "anything"), 4, "--fail-on"),
        (("toy.npz", "--device", "warp"), 4, "warp"),
        (("toy.npz", "--findings", "scan"), 4, "--findings goes with --explain"),
        (("toy.npz", "--explain", "x", "--findings", "norun"), 4, "norun does not exist"),
        (("toy.npz", "--explain", "x", "--findings", "toy.npz"), 2, "no record of a scan"),
        (("toy.npz", "--sarif", "nowhere/s.sarif"), 4, "the folder nowhere does not exist"),
        (("toy.npz", "--out", "toy-test.npz"), 2, "is a file"),
        ((), 4, "DATA"),
    ],
)  # fmt: skip
def test_wrong_input_of_scan_is_explained(bezoar, toy, asked, tmp_path, arguments, code, said):
    answer = bezoar("scan", *arguments)
    assert answer.code == code, answer.err
    assert said in answer.err.replace("\n", " ")
    assert answer.out == ""
    assert asked["times"] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy-test.npz", "toy.npz"]
