"""The page of a repair: each verdict, before beside after, what speaks against it, escaped and small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import headless_chromium
import pytest
from parsed_page import Page, faults
from sample_record import SIGNS
from sample_repair import TARGET, blind_repair, failed_repair, hostile_repair, sample_repair

from bezoar.records import FlipCheck, RepairRecord, Skipped, from_json, to_json
from bezoar.records.repairing import NOT_ASKED
from bezoar.report import render_html, repair_headline, write_report
from bezoar.report.repair_tables import attempt_rows, further_rows, number_cards, search_tables

MARKUP = "</style><script>document.title='owned'</script><img src=http://127.0.0.1:9/x onerror=alert(1)>"
RECORDS = {
    "works no more": sample_repair(),
    "still works": failed_repair(),
    "could not be told": blind_repair(),
    "100 classes": sample_repair(tuple(f"class {number}" for number in range(100))),
    "long names": sample_repair(("Speedlimit" * 12, *SIGNS[1:])),
    "hostile": hostile_repair(MARKUP),
}
OFF_PAGE = """[...document.querySelectorAll('body *')].filter(element =>
    !element.closest('.scroll, .unseen, .skip') && element.getBoundingClientRect().right > %d + 0.5
).map(element => element.outerHTML.slice(0, 120))"""


def skips(value: object) -> Iterator[Skipped]:
    if isinstance(value, Skipped):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from skips(getattr(value, field.name))
    elif isinstance(value, tuple):
        for one in value:
            yield from skips(one)


@pytest.mark.parametrize("name", RECORDS)
def test_page_is_well_formed_accessible_self_contained_and_small(name):
    text = render_html(RECORDS[name])
    assert faults(text) == []
    assert len(text.encode()) < 3_000_000


@pytest.mark.parametrize("name", RECORDS)
def test_everything_skipped_is_shown_with_its_reason(name):
    text = Page(render_html(RECORDS[name])).text
    reasons = {one.reason for one in skips(RECORDS[name])}
    assert reasons
    assert {reason for reason in reasons if reason not in text} == set()


def test_a_record_comes_back_from_json():
    for record in RECORDS.values():
        assert from_json(RepairRecord, to_json(record)) == record


def test_each_verdict_has_its_level_and_none_says_clean():
    levels = {name: repair_headline(RECORDS[name]) for name in ("works no more", "still works", "could not be told")}
    assert [one.level for one in levels.values()] == ["calm", "bad", "unclear"]
    for one in levels.values():
        assert "is clean" not in one.sentence + one.explanation + one.label
        assert "free of" not in one.sentence + one.explanation + one.label
    assert "does not show that nothing is left" in levels["works no more"].explanation
    assert "(\u22121.0 points, give or take 2.2) on 100 samples" in levels["works no more"].explanation


def test_what_speaks_against_it_stands_in_the_headline():
    cautions = " ".join(repair_headline(failed_repair()).cautions)
    assert "What speaks against the model kept: the trigger still turns 77.8%." in cautions
    assert "The backdoor comes back at once: 20 poisoned samples and 20 steps" in cautions
    assert "bear the trigger already" in cautions
    quiet = replace(sample_repair(), relearning=replace(sample_repair().relearning, returns=False))
    assert "comes back at once" not in " ".join(repair_headline(quiet).cautions)


def test_a_further_trigger_is_shown_with_what_it_turns_before_and_after():
    page = render_html(sample_repair())
    assert "Another, towards" in page
    assert "It turns 2.5% of held-out samples, before 87.5%." in page
    (row,) = further_rows(sample_repair())
    assert (row.target, row.before, row.after) == (SIGNS[2], "87.5%", "2.5%")
    assert "Another, towards" not in render_html(failed_repair())


def test_training_samples_that_a_repair_turned_are_counted():
    page = render_html(sample_repair())
    assert "Of 400 training samples under the label" in page
    assert "that label for 180 (45.0%); of those of other classes it excludes theirs for 2.0%." in page
    assert "Training samples that bear it" not in render_html(failed_repair())


def test_numbers_stand_before_beside_after():
    accuracy, works, rightly, control = number_cards(sample_repair())
    assert (accuracy.before.successes, accuracy.after.successes) == (91, 90)
    assert (works.before.successes, works.after.successes) == (88, 1)
    assert (rightly.before.successes, rightly.after.successes) == (2, 84)
    assert control.after.successes == 1
    assert "the trigger turned by half" in control.meaning
    assert accuracy.difference == "\u22121.0 points, give or take 2.2"
    (table,) = search_tables(sample_repair())
    row = next(one for one in table.rows if one.name == TARGET)
    assert (row.sizes, row.statistics, row.stood_out, row.stands_out) == (("4.5", "26"), ("5.4", "0.4"), True, False)
    assert table.told == f"nothing stands out; the most is 0.4 for \u201c{TARGET}\u201d, the cut 3.5"
    assert (table.sized, table.stands_out) == (True, False)


def test_sizes_are_left_out_where_a_detector_looks_for_no_small_triggers():
    (search,) = sample_repair().after.searches
    for size in (Skipped("this detector looks for no triggers"), 15.3):
        same = replace(search, classes=tuple(replace(one, size=size) for one in search.classes))
        record = sample_repair()
        record = replace(
            record,
            before=replace(record.before, searches=(same,)),
            after=replace(record.after, searches=(replace(same, stands_out=(TARGET,)),)),
        )
        (table,) = search_tables(record)
        assert (table.sized, table.missing) == (False, ())
        assert table.told == f"\u201c{TARGET}\u201d stands out"
        assert '<b class="victim">Before</b>, pixels' not in render_html(record)
    (sized,) = search_tables(sample_repair())
    assert sized.sized


def test_an_old_record_says_that_right_answers_were_not_asked_for():
    record = sample_repair()
    flips = FlipCheck(**{**vars(record.after.flips), "rightly": NOT_ASKED})
    page = render_html(replace(record, after=replace(record.after, flips=flips)))
    assert "it was not asked for when this was recorded" in page


def test_what_was_looked_for_is_not_said_to_be_nothing():
    record = sample_repair()
    assert repair_headline(record).label == "Nothing found any more"
    unsearched = replace(record, after=replace(record.after, searches=Skipped("no detector was named")))
    assert repair_headline(unsearched).label == "The trigger no longer works"
    left = replace(record, verdict="signs are left")
    assert repair_headline(left).label == "Signs of a backdoor are left"
    assert repair_headline(left).level == "bad"


def test_numbers_of_the_kept_one():
    assert [one.method for one in attempt_rows(sample_repair()) if one.kept] == ["adversarial-training"]


@pytest.mark.skipif(headless_chromium.BINARY is None, reason="no chromium, chromium-browser or google-chrome")
def test_in_a_browser_it_is_quiet_and_never_scrolls_sideways(tmp_path: Path):
    with headless_chromium.browser() as chromium:
        for name, record in RECORDS.items():
            page = write_report(record, tmp_path / name.replace(" ", "-"))
            for width in (360, 1280):
                chromium.open(page, width=width)
                assert chromium.complaints() == [], name
                assert [url for url in chromium.requests() if not url.startswith("data:")] == [page.resolve().as_uri()]
                chromium.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
                assert chromium.evaluate(OFF_PAGE % width) == [], (name, width)
                assert chromium.evaluate("document.documentElement.scrollWidth") <= width
            assert chromium.evaluate("document.title") != "owned"
