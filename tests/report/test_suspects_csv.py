"""The table of suspects: every suspect of every finding, where its row is, and nothing a spreadsheet would run."""

from __future__ import annotations

import csv
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from sample_scan import finding, hostile_scan, quiet_scan, sample_scan, suspects

from bezoar.records import ScanRecord
from bezoar.report import render_suspects_csv
from bezoar.report.suspects_csv import COLUMNS


def rows_in(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines(keepends=True)))


def scan_of(*named: str) -> ScanRecord:
    """A scan with one finding, whose suspects have these labels."""
    found = replace(
        finding(), suspects=tuple(replace(suspects(1)[0], id=f"{n:016x}#0", label=name) for n, name in enumerate(named))
    )
    return replace(sample_scan(), findings=(found,))


def test_every_suspect_has_a_line_with_its_row():
    record = sample_scan()
    named = {suspect.id: number for number, suspect in enumerate(record.findings[0].suspects)}
    lines = rows_in(render_suspects_csv(record, named))
    assert len(lines) == sum(len(one.suspects) for one in record.findings)
    assert {line["id"]: line["row"] for line in lines if line["id"] in named} == {
        one: str(row) for one, row in named.items()
    }


def test_confirmed_findings_come_first_and_the_most_suspicious_first_in_each():
    weak, strong = replace(finding(), strength="suspicious", fingerprint="a"), finding()
    lines = rows_in(render_suspects_csv(replace(sample_scan(), findings=(weak, strong))))
    strengths = [line["strength"] for line in lines]
    assert strengths == sorted(strengths)
    scores = [float(line["chance"]) for line in lines if line["strength"] == "confirmed"]
    assert scores == sorted(scores, reverse=True)


def test_without_rows_the_column_is_empty_and_without_findings_only_the_heading_is_left():
    assert {line["row"] for line in rows_in(render_suspects_csv(sample_scan()))} == {""}
    assert render_suspects_csv(quiet_scan()) == ",".join(COLUMNS) + "\n"


def test_no_cell_is_a_formula_or_hides_anything():
    lines = rows_in(render_suspects_csv(scan_of("=1+1", "@SUM(A1)", "-2", "a\u202eb", "\ud800")))
    assert [line["label"] for line in lines] == ["'=1+1", "'@SUM(A1)", "'-2", "a\\u202eb", "\\ud800"]
    render_suspects_csv(hostile_scan("=cmd|' /C calc'!A0\udc80")).encode()


@given(st.lists(st.text(max_size=30), min_size=1, max_size=5))
def test_whatever_the_names_every_line_has_every_cell(names: list[str]):
    lines = rows_in(render_suspects_csv(scan_of(*names)))
    assert len(lines) == len(names)
    assert all(None not in line and None not in line.values() for line in lines)
