"""The repair in a drill's report: whether the backdoor is out, by the truth, and what the defender saw without it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from parsed_page import Page, faults
from sample_record import SIGNS, measurement, rate, sample_record

from bezoar.cli.report import say_drill
from bezoar.records import DefenderView, DrillRecord, Relearning, RepairSummary, Skipped, from_json, to_json
from bezoar.report import render_html, repair_answer

RELEARNT = Relearning(
    20, 100, 20, rate(1, 70), rate(2, 70), rate(0, 70), rate(2, 70), "the trigger turned by half", False
)


def repaired(*, right: int = 195, hijacked: int = 1, **changes: object) -> DrillRecord:
    summary = RepairSummary(
        verdict="works no more",
        sentence="The recovered trigger no longer works (0.4% of 225 samples, before 71.0%); no other was looked for.",
        method="adversarial-training",
        suspects=60,
        trusted=1000,
        held_out=250,
        before=DefenderView(rate(244, 250), rate(160, 225), rate(2, 225)),
        after=DefenderView(rate(243, 250), rate(1, 225), rate(2, 225)),
        relearning=RELEARNT,
        measurement=measurement(SIGNS, right=right, hijacked=hijacked),
    )
    return replace(sample_record(), repair=replace(summary, **changes))


def answer(record: DrillRecord) -> tuple[str, str]:
    assert isinstance(record.repair, RepairSummary)
    said = repair_answer(record, record.repair)
    return said.level, said.word


@pytest.mark.parametrize(
    ("right", "hijacked", "says"),
    [
        (195, 1, ("calm", "Yes")),
        (195, 10, ("calm", "Yes")),
        (195, 60, ("unclear", "In part")),
        (195, 150, ("bad", "No")),
        (180, 1, ("unclear", "In part")),
    ],
)
def test_it_is_out_where_the_trigger_works_no_more_and_accuracy_is_kept(right, hijacked, says):
    assert answer(repaired(right=right, hijacked=hijacked)) == says


def test_the_page_shows_before_beside_after_with_the_truth_and_without():
    html = render_html(repaired())
    assert faults(html) == []
    text = Page(html).text
    assert "Can it be taken out again?" in text
    assert "brings the attack success rate from 99.0% to 0.5%; clean accuracy goes from 98.0% to 97.5%" in text
    assert "on 250 clean samples held out from the repair" in text
    assert "The recovered trigger turns" in text
    assert "so the trigger is learnt no faster than another" in text
    assert "That nothing is left is not shown by this." in text


def test_what_was_not_measured_or_not_done_is_said():
    assert "Not known: the victim was not repaired." in Page(render_html(sample_record())).text
    none = Skipped("no trigger stands out")
    record = repaired(before=DefenderView(none, none, none), after=DefenderView(none, none, none), relearning=none)
    text = Page(render_html(replace(record, twin=Skipped("no clean twin was trained")))).text
    assert "not measured: no trigger stands out" in text
    assert "not measured: no clean twin was trained" in text


def test_names_from_outside_are_escaped():
    html = render_html(repaired(method="<script>alert(1)</script>", sentence='"><img src=x onerror=alert(1)>'))
    assert faults(html) == []
    assert "<script>" not in html
    assert "onerror=alert(1)>" not in html


def test_the_record_comes_back():
    assert from_json(DrillRecord, to_json(repaired())) == repaired()


def test_the_terminal_says_so_in_a_line(capsys, tmp_path):
    say_drill(repaired(), tmp_path / "report.html")
    said = " ".join(capsys.readouterr().out.split())
    assert "Can it be taken out again? Yes. Told nothing but the scan's suspects, and given 1,000 clean samples" in said
