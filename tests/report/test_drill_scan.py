"""The scan in a drill's report: whether it found what was planted, and what the page and the terminal say of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from parsed_page import Page, faults
from sample_record import SIGNS, rate, sample_record
from sample_scan import finding, picture

from bezoar.cli.report import say_drill
from bezoar.errors import RecordError
from bezoar.records import (
    DetectionMeasurement,
    DrillRecord,
    FindingSummary,
    FlipTest,
    RecoveredTrigger,
    ScanSummary,
    Skipped,
    from_json,
    to_json,
)
from bezoar.report import render_html, scan_answer


def found(target: str = SIGNS[1], *, strength: str = "confirmed", poisons: int = 58) -> FindingSummary:
    whole = finding()
    assert isinstance(whole.flip_test, FlipTest)
    return FindingSummary(
        target,
        strength,  # type: ignore[arg-type]
        rate(poisons, 60),
        whole.trigger,
        whole.flip_test.flips,
        whole.flip_test.control,
        whole.flip_test.control_kind,
    )


def scanned(*findings: FindingSummary, verdict: str = "confirmed", caught: int = 58) -> DrillRecord:
    summary = ScanSummary(
        verdict,  # type: ignore[arg-type]
        "the reason",
        findings,
        rate(caught, 60),
        DetectionMeasurement(0.99871, (), 60, 6000, 0),
    )
    return replace(sample_record(), scan=summary)


def answer(record: DrillRecord) -> tuple[str, str, str]:
    assert isinstance(record.scan, ScanSummary)
    said = scan_answer(record, record.scan)
    return said.level, said.word, said.sentence


def test_yes_where_the_planted_target_is_confirmed():
    assert answer(scanned(found())) == (
        "calm",
        "Yes",
        "Told nothing, the scan confirms a backdoor towards “speed limit 80”: 98.0% of clean images go over to it with "
        "the trigger it recovered, 1.5% with the strongest control. Among its suspects are 58 of 60 poisons.",
    )


def test_in_part_where_it_is_suspected_without_proof():
    untested = replace(found(strength="suspicious"), flips=Skipped("no"), control=Skipped("no"))
    assert answer(scanned(untested, verdict="suspicious")) == (
        "unclear",
        "In part",
        "Told nothing, the scan suspects a backdoor, without proof, towards “speed limit 80”. Among its suspects are "
        "58 of 60 poisons.",
    )


@pytest.mark.parametrize("astray", [found("yield", poisons=0), found(poisons=0)], ids=["other class", "other samples"])
def test_no_where_something_else_was_found(astray: FindingSummary):
    level, word, sentence = answer(scanned(astray, caught=0))
    assert (level, word) == ("bad", "No")
    assert f"it names “{astray.target}”, which nothing was planted for" in sentence


def test_no_where_nothing_was_found_and_what_is_astray_is_said_beside_a_yes():
    assert answer(scanned(verdict="no evidence", caught=0)) == (
        "bad",
        "No",
        "Told nothing, the scan's verdict is “no evidence”: it names no class.",
    )
    _, word, sentence = answer(scanned(found("yield", poisons=0), found()))
    assert word == "Yes"
    assert sentence.endswith("It also names “yield”, which nothing was planted for.")


def test_the_page_shows_the_recovered_trigger_and_the_counts():
    html = render_html(scanned(found()))
    page = Page(html)
    assert faults(html) == []
    assert "Would a scan of the data have found it? A scan of the poisoned data" in page.text
    assert "25 pixels, 5 by 5, in yellow" in page.text
    assert "Poisons among the suspects 58 of 60" in page.text
    assert "0.9987" in page.text
    drawn = [image["alt"] for image in page.all("img")]
    assert drawn.count("the recovered trigger on grey") == 1
    assert drawn.count("before") == drawn.count("after") == 4


def test_without_a_scan_the_page_says_so():
    text = Page(render_html(sample_record())).text
    assert "Not known: the poisoned data were not scanned." in text


ODD = {
    "nothing found": scanned(verdict="no evidence", caught=0),
    "no trigger": scanned(replace(found(), trigger=Skipped("<b>none</b>"), flips=Skipped("-"), control=Skipped("-"))),
    "no pictures": scanned(replace(found(), trigger=RecoveredTrigger("warp", "bent", None))),
    "many": scanned(*(found(name) for name in SIGNS)),
    "hostile": scanned(found('"><img src=x onerror=alert(1)>'), replace(found(), control_kind="<script>")),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_scans_make_a_sound_page(name: str):
    html = render_html(ODD[name])
    assert faults(html) == []
    assert "onerror=alert(1)>" not in html
    assert "<script>" not in html
    assert len(html.encode()) < 3_000_000


def test_large_pictures_are_left_out_and_what_is_no_png_is_refused():
    large = replace(picture(1, "huge", sticker=True), png=picture(1, "huge", sticker=True).png + "A" * 900_000)
    kept = RecoveredTrigger("patch", "large", large, ((large, large),))
    assert "huge" not in render_html(scanned(replace(found(), trigger=kept)))
    bad = replace(kept, pattern=replace(large, png="no PNG"), examples=())
    with pytest.raises(RecordError, match=r"trigger\.pattern\.png cannot be shown"):
        render_html(scanned(replace(found(), trigger=bad)))


def test_records_from_before_scans_are_read():
    record = scanned(found())
    assert from_json(DrillRecord, to_json(record)) == record
    text = to_json(sample_record())
    start = text.index('  "scan": {')
    old = text[:start] + text[text.index("},", start) + 2 :]
    assert '"scan"' not in old
    assert from_json(DrillRecord, old) == sample_record()


def test_the_terminal_says_it_too(capsys: pytest.CaptureFixture[str], tmp_path):
    say_drill(scanned(found()), tmp_path / "report.html")
    told = capsys.readouterr().out
    assert "Would a scan of the data have found it? Yes. Told nothing, the scan confirms" in told
    say_drill(sample_record(), tmp_path / "report.html")
    assert "scan" not in capsys.readouterr().out
