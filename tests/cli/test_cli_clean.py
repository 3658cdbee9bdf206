"""`bezoar clean`: the data without the suspects, a list of what was left out, and nothing lost on the way."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from planted_scan import drawn, drawn_file, drawn_folder, finding, planted_record

from bezoar.data import from_arrays, open_data
from bezoar.errors import DataError, UsageError
from bezoar.records import to_json
from bezoar.scan.clean import without_suspects

DOGS, CATS = (3, 8, 13), (2, 3)
"""Rows that two findings name; row 3 is in both."""


def two_findings(data):
    return planted_record(
        data,
        [finding(data, DOGS, target="dog", strength="confirmed"), finding(data, CATS, target="cat")],
    )


@pytest.fixture
def scanned(tmp_path):
    """set.npz with 60 samples, and a scan of it in ./scan: dog is confirmed, cat suspicious."""
    data = open_data(drawn_file(tmp_path / "set.npz", 60, poisons=0))
    (tmp_path / "scan").mkdir()
    (tmp_path / "scan/record.json").write_text(to_json(two_findings(data)))
    return data


def test_suspects_are_left_out_and_the_rest_stays_as_it_was():
    data = drawn(60, poisons=0)
    rest, left_out = without_suspects(data, two_findings(data))
    gone = {2, 3, 8, 13}
    kept = [row for row in range(60) if row not in gone]
    assert rest.ids == tuple(data.ids[row] for row in kept)
    assert (rest.inputs == data.inputs[kept]).all()
    assert (rest.labels == data.labels[kept]).all()
    assert rest.class_names == data.class_names
    assert [one.id for one in left_out] == sorted(data.ids[row] for row in gone)
    told = {one.id: (one.label, one.target, one.strength, one.score) for one in left_out}
    assert told[data.ids[2]] == ("cat", "cat", "suspicious", 1.0)
    assert told[data.ids[3]] == ("dog", "dog", "confirmed", 1.0)  # by the stronger of its two findings
    assert told[data.ids[13]] == ("dog", "dog", "confirmed", 0.998)


def test_findings_are_chosen_by_strength_and_name():
    data = drawn(60, poisons=0)
    record = two_findings(data)
    by = {
        "strength": without_suspects(data, record, strengths=("confirmed",))[1],
        "target": without_suspects(data, record, targets=("dog",))[1],
        "fingerprint": without_suspects(data, record, targets=(record.findings[0].fingerprint[:9],))[1],
    }
    for left_out in by.values():
        assert {one.id for one in left_out} == {data.ids[row] for row in DOGS}
    both = without_suspects(data, record, targets=("dog", "cat"))[1]
    assert len(both) == 4


def test_what_cannot_be_left_out_is_refused():
    data = drawn(60, poisons=0)
    record = two_findings(data)
    for name in ("elk", "", "doge"):
        with pytest.raises(UsageError, match="no finding is called"):
            without_suspects(data, record, targets=(name,))
    with pytest.raises(DataError, match="nothing to leave out"):
        without_suspects(data, planted_record(data))
    with pytest.raises(DataError, match="nothing to leave out"):
        without_suspects(data, record, strengths=("confirmed",), targets=("cat",))
    with pytest.raises(DataError, match="every sample is a suspect"):
        without_suspects(data, planted_record(data, [finding(data, range(60), target="dog")]))


def test_order_of_rows_does_not_matter_and_labels_do():
    data = drawn(60, poisons=0)
    record = two_findings(data)
    turned = data.select(list(range(59, -1, -1)))
    rest, left_out = without_suspects(turned, record)
    assert rest.ids == without_suspects(data, record)[0].ids[::-1]
    assert left_out == without_suspects(data, record)[1]
    images = data.inputs.permute(0, 2, 3, 1).numpy()
    relabelled = from_arrays(images, np.roll(data.labels.numpy(), 1), class_names=data.class_names)
    for other in (relabelled, data.select(range(59))):
        with pytest.raises(DataError, match="of other data"):
            without_suspects(other, record)


def test_samples_that_are_no_pictures_and_pictures_of_many_pieces_are_left_out_alike(monkeypatch):
    monkeypatch.setattr("bezoar.scan.clean.chunks", lambda rows, _: (slice(at, at + 7) for at in range(0, rows, 7)))
    data = drawn(60, poisons=0)
    sourced = replace(data, sources=tuple(f"s{row}" for row in range(60)))
    flat = replace(sourced, inputs=sourced.inputs.flatten(1).float())
    kept = [row for row in range(60) if row not in (2, 3, 8, 13)]
    for one in (sourced, flat):
        rest, _ = without_suspects(one, two_findings(one))
        assert (rest.inputs == one.inputs[kept]).all()
        assert rest.sources == tuple(f"s{row}" for row in kept)


@pytest.mark.parametrize("out", ["cleaned.npz", "cleaned"])
def test_the_rest_is_written_with_a_list_of_what_is_missing(bezoar, scanned, tmp_path, out):
    answer = bezoar("clean", "set.npz", "--findings", "scan", "--out", out)
    assert answer.code == 0, answer.err
    rest = open_data(out)
    assert set(rest.ids) == set(scanned.ids) - {scanned.ids[row] for row in (2, 3, 8, 13)}
    told = json.loads((tmp_path / f"{out}.left-out.json").read_text())
    assert told["kind"] == "cleaned"
    assert told["cleaned"]["digest"] == rest.digest()
    assert {one["id"] for one in told["left_out"]} == {scanned.ids[row] for row in (2, 3, 8, 13)}
    assert told["classes"] == [
        {"name": "cat", "before": 12, "after": 11},
        {"name": "dog", "before": 12, "after": 9},
    ]
    for said in (
        f"{out}: 56 samples of 60; 4 suspects left out",
        "cat: 1 of 12 (8.3%)",
        "dog: 3 of 12 (25.0%)",
        f"which ones, and why: {out}.left-out.json",
    ):
        assert said in answer.out
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([out, f"{out}.left-out.json", "scan", "set.npz"])


def test_only_confirmed_findings_or_only_one_can_be_taken(bezoar, scanned):
    answer = bezoar("clean", "set.npz", "--findings", "scan", "--min-strength", "confirmed", "--out", "a.npz", "--json")
    assert [one["strength"] for one in answer.json["left_out"]] == ["confirmed"] * 3
    assert answer.err == ""
    answer = bezoar("clean", "set.npz", "--findings", "scan/record.json", "--finding", "cat", "--out", "b", "--json")
    assert [one["target"] for one in answer.json["left_out"]] == ["cat"] * 2


def test_pictures_are_copied_byte_for_byte(bezoar, tmp_path):
    drawn_folder(tmp_path / "pictures")
    data = open_data("pictures", source_level=2)
    row = next(row for row, name in enumerate(data.ids) if name.endswith("bee/north/1.png"))
    (tmp_path / "scan").mkdir()
    (tmp_path / "scan/record.json").write_text(to_json(planted_record(data, [finding(data, [row], target="bee")])))
    answer = bezoar("clean", "pictures", "--source-level", 2, "--findings", "scan", "--out", "cleaned")
    assert answer.code == 0, answer.err
    before = {path.relative_to("pictures"): path.read_bytes() for path in Path("pictures").rglob("*.png")}
    after = {path.relative_to("cleaned"): path.read_bytes() for path in Path("cleaned").rglob("*.png")}
    assert before.pop(Path("bee/north/1.png"))
    assert after == before
    assert json.loads((tmp_path / "cleaned.left-out.json").read_text())["left_out"][0]["source"] == "north"


def test_a_class_that_is_lost_is_warned_of(bezoar, tmp_path):
    data = open_data(drawn_file(tmp_path / "set.npz", 20, poisons=0))
    rows = (data.labels == 3).nonzero().flatten().tolist()
    (tmp_path / "record.json").write_text(to_json(planted_record(data, [finding(data, rows, target="dog")])))
    answer = bezoar("clean", "set.npz", "--findings", "record.json", "--out", "o.npz")
    assert answer.code == 0
    assert "no sample of class 'dog' is left" in answer.err
    assert open_data("o.npz").class_names == data.class_names


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("set.npz", "--out", "o.npz"), 4, "--findings"),
        (("set.npz", "--findings", "scan"), 4, "--out"),
        (("nowhere", "--findings", "scan", "--out", "o.npz"), 4, "no data set 'nowhere'"),
        (("set.npz", "--findings", "norun", "--out", "o.npz"), 4, "norun does not exist"),
        (("set.npz", "--findings", "set.npz", "--out", "o.npz"), 2, "no record of a scan"),
        (("other.npz", "--findings", "scan", "--out", "o.npz"), 2, "the findings are of other data"),
        (("set.npz", "--findings", "scan", "--finding", "bird", "--out", "o.npz"), 4, "no finding is called 'bird'"),
        (("set.npz", "--findings", "scan", "--min-strength", "proven", "--out", "o.npz"), 4, "--min-strength"),
        (("set.npz", "--findings", "scan", "--finding", "cat", "--min-strength", "confirmed", "--out", "o"), 2, "nothing to leave out"),
        (("set.npz", "--findings", "scan", "--out", "other.npz"), 2, "other.npz exists already"),
        (("set.npz", "--findings", "scan", "--out", "scan"), 2, "scan is a folder that is not empty"),
        (("set.npz", "--findings", "scan", "--out", "o.zip"), 4, "cannot write o.zip"),
        (("set.npz", "--findings", "scan", "--out", "no/where.npz"), 4, "the folder no does not exist"),
        (("set.npz", "--findings", "scan", "--out", "kept.npz"), 2, "kept.npz.left-out.json exists already"),
    ],
)  # fmt: skip
def test_wrong_input_of_clean_is_explained(bezoar, scanned, tmp_path, arguments, code, said):
    drawn_file(tmp_path / "other.npz", 30, poisons=0)
    (tmp_path / "kept.npz.left-out.json").write_text("an earlier list")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    answer = bezoar("clean", *arguments)
    assert answer.code == code, answer.err
    assert said in answer.err.replace("\n", " ")
    assert answer.out == ""
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_after_a_failure_there_is_neither_data_nor_list(bezoar, scanned, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bezoar.cli.clean.write_data", full)
    answer = bezoar("clean", "set.npz", "--findings", "scan", "--out", "o.npz")
    assert answer.code == 2
    assert "No space left" in answer.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scan", "set.npz"]
