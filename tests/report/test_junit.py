"""JUnit XML: a case a class, a case a detector, nothing passes that was not looked at, nothing breaks the XML."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from sample_record import SIGNS
from sample_scan import (
    DETECTORS,
    TARGET,
    finding,
    hostile_scan,
    inconclusive_scan,
    quiet_scan,
    sample_scan,
    suspicious_scan,
)

from bezoar.records import ScanRecord
from bezoar.records.scanning import Strength
from bezoar.report import render_junit
from bezoar.report.junit import allowed


def suites(record: ScanRecord, fail_on: Strength = "suspicious") -> list[Element]:
    return list(ElementTree.fromstring(render_junit(record, fail_on=fail_on).encode()))


def outcomes(suite: Element) -> dict[str, str]:
    def outcome(case: Element) -> str:
        return next((kind for kind in ("failure", "skipped") if case.find(kind) is not None), "passed")

    return {str(case.get("name")): outcome(case) for case in suite.iter("testcase")}


def test_only_the_class_of_the_finding_fails():
    classes, _ = suites(sample_scan())
    assert outcomes(classes) == {name: "failure" if name == TARGET else "passed" for name in SIGNS}
    failure = classes.find("testcase/failure")
    assert failure is not None
    assert failure.attrib == {"message": "Backdoor towards “speed limit 80”: 60 suspects", "type": "confirmed"}
    text = str(failure.text)
    for words in (
        "the recovered trigger leads clean stop signs to it.",
        "98.0% of clean samples of “stop” go over to it",
        "Trigger: 25 pixels, 5 by 5",
        "ATLAS: AML.T0020, AML.T0019",
        "bezoar clean signs",
        "speed limit 80/00019 a.png",
        "and 40 more suspects",
    ):
        assert words in text
    assert "00020" not in text


def test_suspicious_fails_unless_only_confirmed_is_to_fail():
    classes, _ = suites(suspicious_scan())
    assert outcomes(classes)[TARGET] == "failure"
    assert "not made: no trigger was recovered to test" in "".join(classes.itertext())
    lenient, _ = suites(suspicious_scan(), "confirmed")
    assert set(outcomes(lenient).values()) == {"passed"}
    said = lenient.find("testcase/system-out")
    assert said is not None
    assert str(said.text).startswith("Possible backdoor towards “speed limit 80”: 60 suspects (suspicious)")
    confirmed, _ = suites(sample_scan(), "confirmed")
    assert outcomes(confirmed)[TARGET] == "failure"


def test_several_findings_of_one_class_make_one_failure():
    both = replace(sample_scan(), findings=(finding(strength="suspicious"), finding()))
    classes, _ = suites(both)
    (failure,) = classes.findall("testcase/failure")
    assert failure.get("type") == "confirmed"
    assert "(confirmed)" in str(failure.text)
    assert "(suspicious)" in str(failure.text)
    assert classes.get("failures") == "1"


def test_nothing_passes_that_could_not_be_judged():
    classes, detectors = suites(inconclusive_scan())
    assert set(outcomes(classes).values()) == {"skipped"}
    assert outcomes(detectors) == dict.fromkeys(DETECTORS, "skipped")
    reasons = [str(one.get("message")) for one in detectors.iter("skipped")]
    assert reasons == [f"{name} needs 30 samples a class" for name in DETECTORS]
    partly = replace(quiet_scan(), signals=tuple(s for s in quiet_scan().signals if s.class_name != "yield"))
    classes, _ = suites(partly)
    assert [name for name, outcome in outcomes(classes).items() if outcome == "skipped"] == ["yield"]


def test_a_finding_of_an_unknown_class_gets_a_case_of_its_own():
    classes, _ = suites(sample_scan(found=(replace(finding(), target="unheard of"),)))
    assert outcomes(classes)["unheard of"] == "failure"
    assert len(outcomes(classes)) == len(SIGNS) + 1


@pytest.mark.parametrize("record", [sample_scan(), quiet_scan(), inconclusive_scan(), hostile_scan("x")])
def test_counts_and_times_add_up(record: ScanRecord):
    root = ElementTree.fromstring(render_junit(record).encode())
    for suite in root:
        cases = suite.findall("testcase")
        found = [
            str(len(cases)),
            str(len(suite.findall("testcase/failure"))),
            str(len(suite.findall("testcase/skipped"))),
        ]
        assert [suite.get("tests"), suite.get("failures"), suite.get("skipped")] == found
    for name in ("tests", "failures", "errors", "skipped"):
        assert int(str(root.get(name))) == sum(int(str(suite.get(name))) for suite in root)


def test_verdict_false_alarms_and_remarks_are_told():
    classes, _ = suites(sample_scan())
    told = {str(one.get("name")): str(one.get("value")) for one in classes.iter("property")}
    assert told["verdict"] == "confirmed"
    assert told["false alarms"].startswith("none of 52 sets")
    assert "No sign of poison, but worth knowing:\n14 groups" in str(classes.findtext("system-out"))


HOSTILE = (
    "]]><failure/>",
    '"><testcase name="x"/>',
    "<!--",
    "&amp;&#0;",
    "a\x00\x08\x1b\x7f\x85\u202e\ufffe\uffff\udc80b",
    "line\nbreak\ttab",
    "x" * 10_000,
    "",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name: str):
    text = render_junit(hostile_scan(name))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ufffe\uffff\ud800-\udfff]", text)
    root = ElementTree.fromstring(text.encode())
    harmless = ElementTree.fromstring(render_junit(hostile_scan("harmless")).encode())
    assert [one.tag for one in root.iter()] == [one.tag for one in harmless.iter()]
    if name.isprintable() and 0 < len(name) < 100:
        assert "".join(root.itertext()).count(name) >= 4


def test_what_xml_forbids_is_escaped():
    assert allowed("a\x00\ufffe\u202eb\n") == "a\\x00\\ufffe\\u202eb\n"


def test_same_record_same_text():
    assert render_junit(sample_scan()) == render_junit(sample_scan())
    assert render_junit(sample_scan()).startswith('<?xml version="1.0" encoding="utf-8"?>\n<testsuites ')
