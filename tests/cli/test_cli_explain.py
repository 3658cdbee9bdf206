"""`bezoar scan --explain`: one sample; and `bezoar report` of a scan."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from planted_scan import drawn_folder, finding, planted_record, stand_in

from bezoar.cli.explain import sample_called
from bezoar.data import open_data
from bezoar.errors import UsageError
from bezoar.records import OddPart, Remark, Skipped


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def asked(monkeypatch):
    return stand_in(monkeypatch)


@pytest.fixture
def pictures(bezoar, asked, tmp_path):
    """A folder of pictures with an earlier scan of it in ./scan: bee/north/1.png is its second suspect of two."""
    place = drawn_folder(tmp_path / "pictures")
    data = open_data("pictures", source_level=2)
    first, second = (row for row, name in enumerate(data.ids) if name.endswith(("bee/south/0.png", "bee/north/1.png")))
    rows = sorted((first, second), key=lambda row: data.ids[row].endswith("1.png"))
    pair = (data.ids[first], next(name for name in data.ids if name.endswith("ant/south/2.png")))
    asked["record"] = lambda data: planted_record(
        data,
        [finding(data, rows, target="bee")],
        remarks=[Remark("near-duplicates", "1 pair of pictures is nearly the same", 1, (pair,))],
    )
    assert bezoar("scan", "pictures", "--source-level", 2).code == 1
    asked["times"] = 0
    return place


def test_a_suspect_is_explained_from_the_newest_scan(bezoar, pictures, asked):
    answer = bezoar("scan", "pictures", "--explain", "bee/north/1.png")
    assert answer.code == 1, answer.err
    assert asked["times"] == 0
    for said in (
        "bee/north/1.png: label “bee”",
        "suspect 2 of 2 of the finding towards “bee” (suspicious): chance 99.9%",
        "shared-pixels: above 99.0% of its class",
        "looks like “ant” to a model without the trigger",
        "nearest sample that is no suspect: ",
        "class 'bee' [bold]stands[/] out.",
        "spectre: did not run: there are no features.",
        "by the quick scan of 2026-01-01T00:00:00+00:00",
    ):
        assert said in answer.out, said
    assert bezoar("scan", "pictures", "--explain", "bee/north/1.png", "--fail-on", "confirmed").code == 0


def test_a_sample_that_is_no_suspect_is_said_to_be_none(bezoar, pictures):
    answer = bezoar("scan", "pictures", "--explain", "ant/south/2.png")
    assert answer.code == 0
    assert "not among the suspects of any finding" in answer.out
    assert "no poison, but worth knowing: 1 pair of pictures is nearly the same." in answer.out
    assert "shared-pixels: does not stand out (statistic 0.7, p 1.0×10⁻⁵" in answer.out


def test_an_explanation_is_json_too(bezoar, pictures, asked):
    answer = bezoar("scan", "pictures", "--explain", "bee/north/1.png", "--findings", "scan/record.json", "--json")
    assert answer.code == 1
    assert answer.json["kind"] == "explanation"
    assert [place["rank"] for place in answer.json["findings"]] == [2]
    assert answer.err == ""


def test_without_an_earlier_scan_one_is_made(bezoar, asked, tmp_path):
    drawn_folder(tmp_path / "pictures")
    answer = bezoar("scan", "pictures", "--explain", "ant/south/2.png", "--json")
    assert answer.code == 0
    assert asked["times"] == 1
    assert answer.json["findings"] == []
    assert "they are scanned first" in answer.err
    assert "report: scan/report.html" in answer.err


def test_a_scan_of_other_data_explains_nothing(bezoar, pictures, toy, asked):
    answer = bezoar("scan", toy, "--explain", "1.png", "--findings", "scan")
    assert answer.code == 2
    assert "the findings are of other data" in answer.err
    known = open_data(str(toy)).ids[0]
    assert bezoar("scan", toy, "--explain", known).code in (0, 1)  # it is passed over, and a new one is made
    assert asked["times"] == 1


def test_a_name_that_is_none_costs_no_scan(bezoar, asked, tmp_path):
    drawn_folder(tmp_path / "pictures")
    assert bezoar("scan", "pictures", "--explain", "nobody.png").code == 4
    assert asked["times"] == 0
    assert not (tmp_path / "scan").exists()


def test_a_name_of_several_samples_lists_them(bezoar, pictures):
    answer = bezoar("scan", "pictures", "--explain", "1.png")
    assert answer.code == 4
    assert "2 samples are called '1.png'" in answer.err
    assert "ant/north/1.png" in answer.err
    assert "bee/north/1.png" in answer.err
    answer = bezoar("scan", "pictures", "--explain", "bee/north/7.png")
    assert answer.code == 4
    assert "Did you mean 'bee/north/" in answer.err


def test_ids_are_found_by_what_is_unique_in_them():
    ids = ("aa11:cat/1.png", "aa22:cat/11.png", "bb33#0", "bb33#1")
    for wanted, found in (
        ("aa11:cat/1.png", 0),
        ("cat/1.png", 0),
        ("1.png", 0),  # a file name, and not the end of 11.png
        ("11.png", 1),
        ("aa2", 1),
        ("#1", 3),
    ):
        assert sample_called(ids, wanted) == ids[found]
    for wanted in ("", "zz", "bb33", "aa"):
        with pytest.raises(UsageError):
            sample_called(ids, wanted)


def test_a_report_is_made_anew(bezoar, pictures, tmp_path):
    page = (tmp_path / "scan/report.html").read_bytes()
    (tmp_path / "scan/report.html").unlink()
    answer = bezoar("report", "scan", "--sarif", "s.sarif", "--junit", "j.xml", "--place", "pictures")
    assert answer.code == 0, answer.err
    assert answer.out.lstrip().startswith("Suspicious.")
    assert "report: scan/report.html" in answer.out
    assert (tmp_path / "scan/report.html").read_bytes() == page
    assert Path("s.sarif").read_bytes() == Path("scan/scan.sarif").read_bytes()
    assert Path("j.xml").read_bytes() == Path("scan/junit.xml").read_bytes()
    assert bezoar("report", "scan/record.json", "--out", "elsewhere").code == 0
    assert (tmp_path / "elsewhere/report.html").read_bytes() == page
    answer = bezoar("report", "scan", "--json")
    assert answer.json == json.loads((tmp_path / "scan/record.json").read_text())


def test_a_damaged_record_makes_no_report(bezoar, pictures, tmp_path):
    record = tmp_path / "scan/record.json"
    record.write_text(record.read_text()[:-200])
    answer = bezoar("report", "scan")
    assert answer.code == 2
    assert "scan/record.json" in answer.err


def test_only_scans_become_sarif(bezoar, toy, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/record.json").write_text('{"kind": "drill"}')
    answer = bezoar("report", "run", "--sarif", "s.sarif")
    assert answer.code == 4
    assert "are for scans" in answer.err
    assert not (tmp_path / "s.sarif").exists()


def test_a_path_as_it_is_typed_and_a_row_of_an_array_name_a_sample():
    paths = ("0123:bee/north/1.png", "4567:ant/north/1.png")
    assert sample_called(paths, "./pictures/bee/north/1.png") == paths[0]
    assert sample_called(paths, "/home/me/pictures/ant/north/1.png") == paths[1]
    rows = ("0123456789abcdef#0", "fedcba9876543210#0")
    assert sample_called(rows, "1") == sample_called(rows, "row 1") == rows[1]
    for unknown in ("22", "row", "-1", "1.5", "\u00b2"):
        with pytest.raises(UsageError, match="no sample is called"):
            sample_called(rows, unknown)
    with pytest.raises(UsageError, match="no sample is called"):
        sample_called(paths, "row 1")


def test_a_sample_that_is_odd_and_no_suspect_is_told_so(bezoar, pictures, asked):
    record = asked["record"]

    def with_odd(data):
        samples = tuple(name for name in data.ids if "ant/" in name)
        part = OddPart("ant", "what is odd there shows what its label says", samples, Skipped("not tried"))
        return replace(record(data), odd=(part,))

    asked["record"] = with_odd
    assert bezoar("scan", "pictures", "--out", "again").code == 1
    said = bezoar("scan", "pictures", "--findings", "again", "--explain", "ant/south/2.png").out
    assert (
        "among the odd samples of its class, which stands out, but what is odd there shows what its label says." in said
    )
    assert "odd samples" not in bezoar("scan", "pictures", "--findings", "again", "--explain", "bee/north/1.png").out
