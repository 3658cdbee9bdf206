"""The page as text: well-formed, in order, escaped, self-contained, small, and true to its record."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from parsed_page import Page, faults
from sample_record import SIGNS, hostile_record, pair, rate, sample_record, several_record

from bezoar.errors import RecordError
from bezoar.records import DrillRecord, Saturation, Skipped, from_json
from bezoar.report import facts_json, render_html, write_report

LIMIT = 3_000_000


ODD_RECORDS = {
    "as usual": sample_record(),
    "no twin": replace(sample_record(), twin=Skipped("--no-twin was given"), monitoring=Skipped("no clean twin")),
    "nothing optional": replace(
        sample_record(pairs=0), saturation=Skipped("not additive"), commands=(), stages=(), versions=()
    ),
    "one epoch": sample_record(epochs=1),
    "no epoch": sample_record(epochs=0),
    "long training": sample_record(epochs=2000),
    "several backdoors": several_record(),
    "two classes": sample_record(SIGNS[:2]),
    "100 classes": sample_record(tuple(f"class {number}" for number in range(100))),
    "hostile": hostile_record('"><img src=x onerror=alert(1)>'),
}


@pytest.mark.parametrize("name", ODD_RECORDS)
def test_page_is_well_formed_accessible_and_self_contained(name: str):
    text = render_html(ODD_RECORDS[name])
    assert faults(text) == []
    assert len(text.encode()) < LIMIT


def test_policy_forbids_everything_but_pictures_and_inline_style():
    policies = [a["content"] for a in Page(render_html(sample_record())).all("meta") if "http-equiv" in a]
    assert policies == [
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    ]


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "</title><svg/onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;script&gt;",
    "javascript:alert(1)",
    "../../etc/passwd\\..\\",
    "a\u202egnp.exe\x00\x1b[31m",
    "undecodable \udc80 name",
    "<!--",
    "]]>",
    "",
    "x" * 10_000,
)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_text_everywhere(name: str):
    harmless = Page(render_html(hostile_record("harmless")))
    text = render_html(hostile_record(name))
    page = Page(text)
    text.encode("utf-8")
    assert page.faults == []
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in harmless.elements]
    assert [set(a) for _, a in page.elements] == [set(a) for _, a in harmless.elements]
    assert not re.search("[\x00\x1b\u202e]", text)
    if name.isprintable() and 0 < len(name) < 100:
        assert page.text.count(" ".join(name.split())) >= 15
        assert sum(a.get("alt") == name for a in page.all("img")) == 4
        assert name in [data for tag, data in page.texts if tag == "code"]


def test_numbers_on_the_page_are_those_of_the_record():
    record = sample_record()
    text = Page(render_html(record)).text
    for words in (
        "98.0% 1,960 of 2,000 95% interval 97.3 to 98.5%",
        "98.5% 1,970 of 2,000 95% interval 97.9 to 98.9%",
        "99.0% 198 of 200 95% interval 96.4 to 99.7%",
        "0.5% 1 of 200 95% interval 0.1 to 2.8%",
        "Difference: +98.5 points",
        "p-value The chance",
        "PSNR Peak signal-to-noise ratio",
        "21.7 dB",
        "0.963",
        "Pixels changed 2.4%",
        "Trigger pixels swallowed They changed by less than half as much as on plain grey. 3.1%",
        "Poisoned samples 60",
        "Poison rate Share of the training data that is poisoned. 1.0%",
        "Training samples 6,060 6,000",
        "Images/s, last epoch 2,872 2,872",
        "Together 31.8 s",
        "Id Name Part Why it is here AML.T0020 Poison Training Data",
        "MITRE ATLAS, version 5.6",
        "schema version 1",
    ):
        assert words in text
    assert all(f" {command} " in f" {text} " for command in record.commands)
    assert record.monitoring.sentence in text  # type: ignore[union-attr]
    assert str(record.attack.trigger) in text
    assert record.dataset.digest in text


def test_both_confusion_matrices_hold_every_count():
    record = sample_record()
    text = render_html(record)
    shown = [
        [int(count) for count in re.findall(r'<td class="s\d[^>]*>(\d+)', table)]
        for table in re.findall(r'<table class="matrix">.*?</table>', text, re.S)
    ]
    measured = record.victim.measurement
    assert shown == [
        [count for row in matrix for count in row]
        for matrix in (measured.confusion_clean, measured.confusion_triggered)
    ]
    assert text.count("the attacker's aim</span></td>") == 1


def test_what_was_not_measured_says_why_and_is_never_zero():
    record = sample_record()
    reason = Skipped("only the target class is in the test data")
    victim = replace(
        record.victim.measurement, attack_success=reason, robust_accuracy=reason, attack_success_any_source=reason
    )
    record = replace(
        record,
        victim=replace(record.victim, measurement=victim),
        twin=Skipped("--no-twin was given"),
        saturation=Skipped("the trigger replaces pixels"),
        monitoring=Skipped("there is no clean twin"),
        visibility=replace(record.visibility, psnr=Skipped("no pixel changed"), ssim=Skipped("image under 7 pixels")),
    )
    page = Page(render_html(record))
    text = page.text
    for why in (
        reason.reason,
        "--no-twin was given",
        "the trigger replaces pixels",
        "there is no clean twin",
        "no pixel changed",
        "image under 7 pixels",
    ):
        assert f"not measured: {why}" in text
    cards = text[text.index("Attack success rate (ASR)") : text.index("Would monitoring have noticed?", 900)]
    assert "0%" not in cards
    assert not page.all("th") or "Clean twin" not in [data for tag, data in page.texts if tag == "th"]


def test_saturation_that_warns_says_so():
    assert "Much of the trigger was swallowed" not in render_html(sample_record())
    warned = replace(sample_record(), saturation=Saturation(0.6, 0.5, 200, 0.25))
    assert "Much of the trigger was swallowed" in render_html(warned)


def test_every_backdoor_is_shown_with_its_own_rate():
    record = several_record()
    page = Page(render_html(record))
    for words in (
        "The attack planted 3 backdoors.",
        "Trigger 1 patch:size=5,color=yellow,corner=bottom-right,mode=replace “speed limit 80” 99.0% 96.4 to 99.7% 0.5%",
        "Trigger 2 patch:size=5,color=cyan,corner=top-left,mode=replace “yield” 50.5% 43.6 to 57.4% 1.5% 0.5 to 4.3%",
        "Trigger 3 blend:ratio=0.2 “speed limit 80” not measured: no such images 0% 0.0 to 1.0%",
        "Backdoors Each has a trigger of its own; the poisoned samples are divided among them. 3",
        "Trigger 3 blend:ratio=0.2 no entry → speed limit 80 priority road → speed limit 80",
        "How visible is the first trigger?",
        "Measured on the first trigger.",
        "The same images with each trigger in turn",
        "Triggered, trigger 3",
    ):
        assert words in page.text
    assert page.text.count("the attacker's aim") == 5  # four cells and the legend
    alone = Page(render_html(sample_record())).text
    for words in ("Trigger by trigger", "the first trigger", "trigger 1", "each trigger in turn", "Cover samples"):
        assert words not in alone


def test_rates_that_the_record_lacks_are_said_to_be_missing():
    record = several_record()
    older = replace(record, victim=replace(record.victim, by_trigger=()), twin=Skipped("--no-twin was given"))
    text = Page(render_html(older)).text
    assert text.count("not measured: the record holds no rate of this trigger") == 3
    assert text.count("not measured: --no-twin was given") >= 3


def test_covers_are_counted_beside_the_poisons():
    text = Page(render_html(several_record())).text
    assert "Cover samples They carry a trigger" in text
    assert "The poison rate leaves them out. 30" in text
    assert "60 poisoned samples, 1.0% of the training data, and 30 covers under their true label were planted" in text


def test_sections_come_in_reading_order():
    page = Page(render_html(sample_record()))
    headings = [data for tag, data in page.texts if tag in ("h1", "h2")]
    assert headings[0].startswith("Backdoored: 99.0%")
    assert headings[1:] == [
        "The numbers that matter",
        "Would monitoring have noticed?",
        "Would a scan of the data have found it?",
        "Can it be taken out again?",
        "What the model sees",
        "What is taken for what",
        "How training went",
        "Class by class",
        "The attack",
        "Training and time",
        "The data",
        "Public catalogues",
        "Do it again",
    ]


def test_more_than_twenty_classes_get_a_list_of_the_largest_confusions():
    names = tuple(f"class {number}" for number in range(100))
    text = render_html(sample_record(names))
    assert '<table class="matrix">' not in text
    assert "these are its 20 largest confusions" in Page(text).text
    assert '<table class="matrix">' in render_html(sample_record(names[:20]))


def test_size_stays_within_the_limit():
    largest = sample_record(tuple(f"class {number} {'x' * 200}" for number in range(100)), pairs=0, epochs=500)
    pairs = tuple(pair(number % 8, side=96) for number in range(24))
    text = render_html(replace(largest, pairs=pairs))
    assert len(text.encode()) < LIMIT
    shown = text.count('class="pair"')
    assert 0 < shown <= 24
    if shown < 24:
        assert f"{24 - shown} more pairs are in record.json" in text
    assert render_html(sample_record(pairs=24)).count('class="pair"') == 24


def test_many_skipped_samples_are_counted_and_the_first_listed():
    record = sample_record(pairs=0)
    skipped = tuple(f"stop/{number}.png: truncated" for number in range(5000))
    text = Page(render_html(replace(record, dataset=replace(record.dataset, skipped=skipped)))).text
    assert "5,000" in text
    assert "stop/49.png: truncated" in text
    assert "stop/50.png: truncated" not in text
    assert "4950 more are in record.json" in text


def test_a_model_trained_elsewhere_says_so_where_its_training_would_stand():
    unknown = Skipped("trained in another building")
    record = sample_record()
    assert not isinstance(record.twin, Skipped)
    for told in (
        replace(record, dataset=unknown, victim=replace(record.victim, training=unknown)),
        replace(record, dataset=unknown, victim=replace(record.victim, training=unknown), twin=unknown),
        replace(record, twin=replace(record.twin, training=unknown)),
    ):
        page = Page(render_html(told))
        assert not page.faults
        assert "trained in another building" in page.text
        assert from_json(DrillRecord, facts_json(told)) == told


def test_same_record_same_page():
    assert render_html(sample_record()) == render_html(sample_record())


def test_report_is_written_whole_and_replaces_an_older_one(tmp_path: Path):
    folder = tmp_path / "run" / "<odd> & name"
    path = write_report(sample_record(), folder)
    assert path == folder / "report.html"
    assert path.read_text(encoding="utf-8") == render_html(sample_record())
    write_report(sample_record(hijacked=10), folder)
    assert "did not take hold" in path.read_text(encoding="utf-8")
    assert [entry.name for entry in folder.iterdir()] == ["report.html"]


def test_a_record_that_cannot_be_shown_leaves_the_older_report(tmp_path: Path):
    path = write_report(sample_record(), tmp_path)
    before = path.read_bytes()
    bad = sample_record(pairs=1)
    bad = replace(bad, pairs=(replace(bad.pairs[0], clean=replace(bad.pairs[0].clean, png="nonsense")),))
    with pytest.raises(RecordError, match="expected a PNG"):
        write_report(bad, tmp_path)
    assert path.read_bytes() == before


def test_unknown_kind_is_an_error_that_names_the_known():
    with pytest.raises(
        RecordError, match="no report is known for a record of kind 'bench'; expected one of drill, repair, scan"
    ):
        render_html(replace(sample_record(), kind="bench"))  # type: ignore[arg-type]


def test_facts_as_json_give_the_record_back():
    record = sample_record()
    assert from_json(DrillRecord, facts_json(record)) == record


def test_a_rate_without_trials_does_not_break_the_page():
    record = sample_record()
    by_class = tuple(
        replace(c, clean_accuracy=replace(rate(1, 2), successes=0, trials=0))
        for c in record.victim.measurement.by_class
    )
    victim = replace(record.victim, measurement=replace(record.victim.measurement, by_class=by_class))
    assert "not measured: no sample to measure it on" in Page(render_html(replace(record, victim=victim))).text
