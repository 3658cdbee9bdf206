"""The page of an inspection: twelve detectors fit, those that did not run are told as such, and how many are right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import headless_chromium
import pytest
from headless_chromium import Browser
from parsed_page import Page, faults
from sample_inspection import blind_inspection, hostile_inspection, sample_inspection

from bezoar.records import from_json, to_json
from bezoar.records.inspecting import NOT_ASKED, InspectionRecord
from bezoar.report import render_html, write_report

MARKUP = "</style><script>document.title='owned'</script><img src=http://127.0.0.1:9/x onerror=alert(1)>"
RECORDS = {
    "confirmed": sample_inspection(),
    "beside references": sample_inspection(compared=True),
    "blind": blind_inspection(),
    "100 classes": sample_inspection(tuple(f"class {number}" for number in range(100))),
    "long names": hostile_inspection("Speedlimit" * 12),
    "hostile": hostile_inspection(MARKUP),
}
OFF_PAGE = """[...document.querySelectorAll('body *')].filter(element =>
    !element.closest('.scroll, .unseen, .skip') && element.getBoundingClientRect().right > %d + 0.5
).map(element => element.outerHTML.slice(0, 120))"""
CUT_OFF = """[...document.querySelectorAll('#classes .scroll')]
    .filter(one => one.scrollWidth > one.clientWidth).map(one => one.getAttribute('aria-label'))"""
in_chromium = pytest.mark.skipif(headless_chromium.BINARY is None, reason="no chromium")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with headless_chromium.browser() as started:
        yield started


@pytest.mark.parametrize("name", RECORDS)
def test_page_is_well_formed_accessible_self_contained_and_small(name: str) -> None:
    text = render_html(RECORDS[name])
    assert faults(text) == []
    assert len(text.encode()) < 3_000_000


def test_records_come_back_from_json() -> None:
    for record in RECORDS.values():
        assert from_json(InspectionRecord, to_json(record)) == record


def test_how_many_clean_samples_are_answered_right_is_told() -> None:
    assert (
        "The model answers 96.0% of the clean samples right: 192 of 200" in Page(render_html(sample_inspection())).text
    )
    old = Page(render_html(replace(sample_inspection(), accuracy=NOT_ASKED))).text
    assert "not measured: the bezoar that wrote this record did not ask" in old


def test_a_detector_that_did_not_run_has_no_time_and_is_not_counted() -> None:
    text = Page(render_html(blind_inspection())).text
    assert "4 of 12 detectors ran, 50.0 s together" in text
    assert "neural-cleanse did not run: trigger inversion needs 40 clean samples – 3.0" in text
    assert " 0.0 s" not in text
    assert "12 detectors, 2 min 30 s together" in Page(render_html(sample_inspection())).text


def test_one_detector_is_no_detectors() -> None:
    whole = sample_inspection()
    text = Page(render_html(replace(whole, detectors=whole.detectors[:1]))).text
    assert "1 detector, 12.5 s" in text
    assert "1 detectors" not in text


def test_detectors_that_judge_stand_apart_from_those_that_are_told() -> None:
    text = Page(render_html(sample_inspection())).text
    classes = text[text.index("One number of each class") : text.index("12 detectors,")]
    judging, told = classes.split("3 detectors that are told and name nobody")
    assert "quiet-weights cut 4.5" in judging
    assert "neural-cleanse cut 3 size in pixels" in judging
    assert "mm-bd" not in judging
    assert "last-layer told only" in told
    assert "told only" not in Page(render_html(sample_inspection(compared=True))).text


@in_chromium
@pytest.mark.parametrize("width", [360, 390, 768, 1200])
@pytest.mark.parametrize("name", RECORDS)
def test_page_never_scrolls_sideways(chromium: Browser, tmp_path: Path, name: str, width: int) -> None:
    chromium.open(write_report(RECORDS[name], tmp_path), width=width)
    chromium.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert chromium.evaluate(OFF_PAGE % width) == []
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width
    assert chromium.complaints() == []


@in_chromium
@pytest.mark.parametrize("compared", [False, True])
def test_the_table_of_classes_fits_a_screen(chromium: Browser, tmp_path: Path, compared: bool) -> None:
    chromium.open(write_report(sample_inspection(compared=compared), tmp_path), width=1200)
    chromium.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert chromium.evaluate(CUT_OFF) == []


@in_chromium
def test_on_a_phone_the_table_moves_under_its_names_and_shows_that_there_is_more(
    chromium: Browser, tmp_path: Path
) -> None:
    chromium.open(write_report(sample_inspection(), tmp_path), width=390)
    assert (
        chromium.evaluate("getComputedStyle(document.querySelector('#classes .scroll')).backgroundImage").count(
            "linear-gradient"
        )
        == 4
    )
    left = "Math.round(document.querySelector('#classes tbody th').getBoundingClientRect().left)"
    assert chromium.evaluate(left) == 16
    chromium.evaluate("document.querySelector('#classes .scroll').scrollLeft = 200")
    assert chromium.evaluate(left) == 16
    assert chromium.evaluate(OFF_PAGE % 390) == []
