"""The page of a scan: each verdict, everything that was found, nothing that was not, escaped and small."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import get_args, get_type_hints

import pytest
from parsed_page import Page, faults
from sample_record import SIGNS, rate
from sample_scan import (
    REMARKS,
    TARGET,
    finding,
    hostile_scan,
    inconclusive_scan,
    large_scan,
    odd_part,
    quiet_scan,
    sample_scan,
    suspicious_scan,
)

from bezoar.errors import RecordError
from bezoar.records import (
    ClassSignal,
    Covers,
    FlipTest,
    RecoveredTrigger,
    ScanRecord,
    Skipped,
    StageTime,
    from_json,
    to_json,
)
from bezoar.report import facts_json, render_html, scan_headline
from bezoar.report.scan_finding import KINDS, covers_in_words
from bezoar.report.scan_signals import signal_table
from bezoar.report.standards import entry_named, frameworks_for

LIMIT = 3_000_000
RECORDS = {
    "confirmed": sample_scan(),
    "suspicious": suspicious_scan(),
    "no evidence": quiet_scan(),
    "inconclusive": inconclusive_scan(),
    "ten thousand suspects": large_scan(),
    "forty findings": replace(sample_scan(), findings=(finding(pictures=24),) * 40),
    "odd parts": replace(quiet_scan(), odd=tuple(odd_part(name) for name in SIGNS)),
    "hostile": hostile_scan('"><img src=x onerror=alert(1)>'),
}


def skips(value: object) -> Iterator[Skipped]:
    """Every Skipped inside a record."""
    if isinstance(value, Skipped):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from skips(getattr(value, field.name))
    elif isinstance(value, tuple):
        for one in value:
            yield from skips(one)


@pytest.mark.parametrize("name", RECORDS)
def test_page_is_well_formed_accessible_self_contained_and_small(name: str):
    text = render_html(RECORDS[name])
    assert faults(text) == []
    assert len(text.encode()) < LIMIT


@pytest.mark.parametrize("name", RECORDS)
def test_everything_skipped_is_shown_with_its_reason(name: str):
    record = RECORDS[name]
    text = Page(render_html(record)).text
    assert {one.reason for one in skips(record) if one.reason not in text} == set()


def test_the_walk_finds_what_is_skipped():
    reasons = {one.reason for one in skips(suspicious_scan())}
    assert reasons == {
        "no trusted set was given",
        "the suspects share no pattern that stands out",
        "no trigger was recovered to test",
    }


def test_confirmed_says_what_the_trigger_does():
    headline = scan_headline(sample_scan())
    assert (headline.level, headline.label) == ("bad", "Backdoor confirmed")
    assert headline.sentence == (
        "These data carry a backdoor towards “speed limit 80”: 98.0% of clean samples of “stop” go over to it when the "
        "recovered trigger is put on them, 1.5% with the strongest control."
    )
    assert headline.explanation == (
        "A trigger recovered from the suspects works on clean samples, and no control does. False alarms: none of 52 "
        "sets without a backdoor was called confirmed (95% interval 0 to 6.9%), 1 suspicious."
    )


def test_suspicious_claims_no_proof():
    headline = scan_headline(suspicious_scan())
    assert (headline.level, headline.label) == ("unclear", "Suspicious")
    assert headline.sentence == (
        "These data may carry a backdoor towards “speed limit 80”: 60 samples look planted, but a backdoor is "
        "not proven."
    )


def test_a_trigger_of_all_classes_names_none():
    whole = replace(finding(), sources=tuple(name for name in SIGNS if name != TARGET))
    assert "98.0% of clean samples go over to it" in scan_headline(sample_scan(found=(whole,))).sentence


def test_what_is_odd_and_no_finding_is_shown_with_its_reason():
    record = replace(quiet_scan(), odd=(odd_part(SIGNS[2]), replace(odd_part(SIGNS[3]), samples=(), pictures=())))
    page = Page(render_html(record))
    assert "Odd, but no finding" in page.text
    assert "It stands out, but what is odd there shows what its label says." in page.text
    assert "turns 98.0% of clean samples to this class, 1.5% under the strongest control" in page.text
    assert page.text.count("Odd sample") == 1 + len(odd_part(SIGNS[2]).pictures)
    assert from_json(ScanRecord, to_json(record)) == record
    assert "Odd, but no finding" not in Page(render_html(quiet_scan())).text


def test_no_evidence_is_never_called_clean():
    headline = scan_headline(quiet_scan())
    assert (headline.level, headline.label) == ("calm", "No evidence found")
    assert headline.sentence == "No evidence of a backdoor was found in 6,060 samples."
    assert "That does not show that there is none" in headline.explanation
    words = Page(render_html(quiet_scan())).text.lower()
    assert not re.search(r"\b(is|are) clean\b|no backdoor\b|safe\b", words)


def test_inconclusive_says_why_and_counts_what_did_not_run():
    headline = scan_headline(inconclusive_scan())
    assert (headline.level, headline.label) == ("unclear", "Inconclusive")
    assert headline.sentence == "Whether these data carry a backdoor could not be told."
    assert headline.explanation.startswith("Every class has fewer than 30 samples. False alarms:")
    assert headline.cautions[0] == "5 of 5 detectors did not run; why, the report says under Detectors."
    assert headline.cautions[1].startswith("This was a quick scan")


def test_several_confirmed_and_odd_verdicts_make_sentences():
    other = replace(finding(), target="yield")
    weak = replace(finding(strength="suspicious"), target="stop")
    assert scan_headline(replace(sample_scan(), findings=(finding(), other, weak))).sentence == (
        "These data carry backdoors towards “speed limit 80” and “yield”."
    )
    assert scan_headline(sample_scan(found=())).sentence == "These data carry a backdoor."
    untested = replace(finding(), flip_test=Skipped("lost"))
    assert scan_headline(sample_scan(found=(untested,))).sentence == (
        "These data carry a backdoor towards “speed limit 80”."
    )
    assert "none is proven" in scan_headline(replace(suspicious_scan(), findings=())).sentence


def test_suspects_of_two_findings_count_once():
    weak = finding(strength="suspicious")
    both = replace(suspicious_scan(), findings=(weak, replace(weak, target="yield")))
    assert "“speed limit 80” and “yield”: 60 samples" in scan_headline(both).sentence


def test_numbers_on_the_page_are_those_of_the_record():
    text = Page(render_html(sample_scan())).text
    for words in (
        "Confirmed Backdoor towards “ speed limit 80 ”",
        "Suspects 60, 9.9% of the 606 samples of this class",
        "AML.T0020 Poison Training Data, MITRE ATLAS 5.6",
        "A patch: the same pixels painted over each sample. Recovered: 25 pixels, 5 by 5, in yellow",
        "With the recovered trigger 98.0% 196 of 200 95% interval 95.0 to 99.2%",
        "With the strongest of 20 controls 1.5% 3 of 200 95% interval 0.5 to 4.3%",
        "the p-value of the difference is 4.2×10⁻³¹",
        "stop turned 98.0% 95.0 to 99.2% 0.5% 0.1 to 2.8%",
        "uploads-batch-17 40 of 41 2.2×10⁻³⁸",
        "bezoar clean signs --findings scan/record.json --out signs-clean",
        "12 of 60 suspects are shown.",
        "The 50 most suspicious of 60 by name",
        "speed limit 80 fired activation-clustering 11.3 cut 5.5 3.1×10⁻⁹ 1.6×10⁻⁷",
        "3 fired; these come first.",
        "training-dynamics 0.4 s ranks only yes",
        "asset did not run: no trusted set was given 0.0 s – no",
        "Train the probe 48.5 s 72.3%",
        "Together 1 min 07 s",
        "bezoar scan signs --seed 7 --out scan",
        "MITRE ATLAS, version 5.6",
        "AML.M0007 Sanitize Training Data Answers it This scan, and bezoar clean",
        "record of kind scan, schema version 1",
    ):
        assert words.lower() in text.lower(), words


def test_flip_rates_come_highest_first_and_missing_ones_last():
    text = Page(render_html(sample_scan())).text
    table = text[text.index("Flip rate by the class") : text.index("Who contributed")]
    places = [table.index(name) for name in ("stop", "turn left", "priority road", "no entry", "yield", "road works")]
    assert places == sorted(places)


def test_a_finding_that_is_not_proven_says_that_a_low_flip_clears_nothing():
    weak = replace(finding(strength="suspicious"), flip_test=replace(finding().flip_test, flips=rate(9, 200)))  # type: ignore[type-var]
    assert "A low flip rate clears nothing" in render_html(sample_scan(found=(weak,)))
    assert "A low flip rate clears nothing" not in render_html(sample_scan())


def test_a_rate_without_trials_is_not_measured():
    test = finding().flip_test
    assert isinstance(test, FlipTest)
    empty = replace(test, control=replace(test.control, successes=0, trials=0))
    record = sample_scan(found=(replace(finding(), flip_test=empty),))
    assert "not measured: no sample to measure it on" in Page(render_html(record)).text
    assert "a number not measured with the strongest control" in scan_headline(record).sentence


@pytest.mark.parametrize("kind", get_args(get_type_hints(RecoveredTrigger)["kind"]))
def test_triggers_of_every_kind_have_a_page(kind: str):
    one = finding(pictures=0)
    shown = render_html(replace(sample_scan(), findings=(replace(one, trigger=replace(one.trigger, kind=kind)),)))
    assert KINDS[kind] in Page(shown).text


def test_covers_are_counted_by_class_the_most_first():
    covers = tuple(Covers(f"kind {number}", ("a",) * number) for number in range(1, 11))
    assert covers_in_words(()) == ""
    assert covers_in_words(covers[:2]) == "2 of “kind 2”, 1 of “kind 1”"
    assert covers_in_words(covers).endswith("3 of “kind 3”, 3 of 2 more classes")
    text = Page(render_html(replace(sample_scan(), findings=(replace(finding(), covers=covers[:2]),)))).text
    assert "2 of “kind 2”, 1 of “kind 1”" in text
    assert "Covers" not in Page(render_html(sample_scan())).text


def test_gallery_shows_at_most_48_pictures_and_says_how_many_more():
    page = Page(render_html(large_scan()))
    names = [str(a["alt"]) for a in page.all("img")]
    assert sum(name.startswith(("suspect", "neighbour")) for name in names) == 47  # one has no neighbour
    assert "24 of 10,000 suspects are shown; pictures of 9936 more are in record.json" in page.text
    assert "The 50 most suspicious of 10,000 by name" in page.text


def test_pictures_too_large_for_the_page_are_left_out():
    shown = finding().pictures[0]
    heavy = replace(
        shown, suspect=replace(shown.suspect, png=b64encode(b64decode(shown.suspect.png) + bytes(525_000)).decode())
    )
    found = replace(finding(), pictures=(heavy,) * 5)
    text = render_html(sample_scan(found=(found,)))
    assert len(text.encode()) < LIMIT
    assert "2 of 60 suspects are shown; pictures of 3 more are in record.json" in Page(text).text
    many = render_html(replace(sample_scan(), findings=(found,) * 12))
    assert len(many.encode()) < LIMIT


def test_what_is_no_png_is_refused():
    trigger = finding().trigger
    assert isinstance(trigger, RecoveredTrigger)
    assert trigger.pattern is not None
    spoilt = replace(trigger, pattern=replace(trigger.pattern, png='x" onerror="alert(1)'))
    with pytest.raises(RecordError, match=r"trigger\.pattern\.png cannot be shown"):
        render_html(sample_scan(found=(replace(finding(), trigger=spoilt),)))


def test_confirmed_findings_come_first_and_many_become_lines():
    weak = tuple(replace(finding(count=2, strength="suspicious"), target=f"class {n}") for n in range(130))
    page = Page(render_html(replace(sample_scan(), findings=(*weak, finding()))))
    titles = [str(a["aria-labelledby"]) for a in page.all("article")]
    assert titles == [f"finding-{number}" for number in range(1, 13)]
    assert page.text.index("Backdoor towards “ speed limit 80 ”") < page.text.index(
        "Possible backdoor towards “ class 0 ”"
    )
    assert "19 more findings are in record.json" in page.text


def test_remarks_are_told_as_no_poison():
    text = Page(render_html(sample_scan())).text
    part = text[text.rindex("Not poison, but worth knowing") : text.rindex("Detectors False alarms")]
    assert "By itself none of this is a sign of poison, and none of it counts in the verdict." in part
    assert all(remark.sentence in part for remark in REMARKS)
    assert "9 samples of “yield” look like “no entry”. Samples: 9. Examples ac:yield/0.png" in part
    assert "1 more are in record.json" in part


def test_all_signals_are_there_and_beyond_two_hundred_are_counted():
    rows = sum(1 for a in Page(render_html(sample_scan())).all("tr") if a.get("class") == "fired")
    assert rows == 6  # three in the finding, three in the table of all
    many = tuple(ClassSignal("scan", f"class {n:04d}", 1.0, 0.5, 1.0, False) for n in range(1000))
    page = Page(render_html(replace(quiet_scan(), signals=many)))
    assert "788 more signals are in record.json" in page.text
    assert "class 0211" in page.text
    assert "class 0212" not in page.text


def test_what_fired_comes_before_what_is_merely_improbable():
    quiet = ClassSignal("a", "improbable", 1.0, 1e-6, 0.02, False)
    table = signal_table((quiet, ClassSignal("b", "fired", 9.0, 1e-5, 0.03, True)), ())
    assert [row.class_name for row in table.rows] == ["fired", "improbable"]


def test_sections_come_in_reading_order():
    page = Page(render_html(sample_scan()))
    headings = [data for tag, data in page.texts if tag == "h2"]
    assert headings == [
        "What was found",
        "Class by class",
        "How the scores lie",
        "A map of the data",
        "Not poison, but worth knowing",
        "Detectors",
        "Where the time went",
        "The data",
        "Public catalogues",
        "Do it again",
    ]


def test_shares_of_time_add_up_and_no_time_divides_by_nothing():
    page = render_html(replace(sample_scan(), stages=(StageTime("a", 1.0), StageTime("b", 3.0))))
    assert "25.0%" in page
    assert "75.0%" in page
    assert faults(render_html(replace(sample_scan(), stages=(StageTime("a", 0.0),)))) == []


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "a\u202egnp.exe\x00\x1b[31m",
    "undecodable \udc80 name",
    "<!--",
    "",
    "x" * 10_000,
)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_text_everywhere(name: str):
    harmless = Page(render_html(hostile_scan("harmless")))
    text = render_html(hostile_scan(name))
    page = Page(text)
    text.encode("utf-8")
    assert page.faults == []
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in harmless.elements]
    assert [set(a) for _, a in page.elements] == [set(a) for _, a in harmless.elements]
    assert not re.search("[\x00\x1b\u202e]", text)
    assert len(text.encode()) < LIMIT
    if name.isprintable() and 0 < len(name) < 60:
        assert page.text.count(" ".join(name.split())) >= 40
        assert sum(a.get("alt") == name for a in page.all("img")) == 7


def test_a_page_full_of_long_hostile_names_stays_small():
    one = hostile_scan("x" * 10_000)
    many = replace(
        one,
        findings=one.findings * 60,
        signals=one.signals * 1000,
        detectors=one.detectors * 10,
        remarks=one.remarks * 100,
        notes=one.notes * 100,
        histograms=one.histograms * 50,
    )
    assert len(render_html(many).encode()) < LIMIT


def test_same_record_same_page_and_the_record_comes_back():
    assert render_html(sample_scan()) == render_html(sample_scan())
    assert from_json(ScanRecord, facts_json(suspicious_scan())) == suspicious_scan()


def test_catalogue_tells_a_scan_in_words_of_its_own():
    told = {entry.id: entry for framework in frameworks_for("scan") for entry in framework.entries}
    assert {"AML.T0020", "AML.T0019", "AML.M0007", "AML.M0025", "ML02:2023", "LLM04:2025"} <= set(told)
    assert not any("drill" in entry.why for entry in told.values())
    assert told["AML.T0020"].why != entry_named("AML.T0020")[1].why  # type: ignore[index]
    assert entry_named("AML.T9999") is None
    assert SIGNS[1] == TARGET


def test_without_histograms_the_page_has_no_section_for_them():
    assert 'href="#scores"' in render_html(sample_scan())
    page = render_html(replace(sample_scan(), histograms=()))
    assert "#scores" not in page
    assert "How the scores lie" not in page
