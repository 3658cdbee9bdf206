"""SARIF 2.1.0: shaped as the standard asks, stable, capped, and inert whatever the data are called."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from sample_record import SIGNS
from sample_scan import (
    DETECTORS,
    REMARKS,
    TARGET,
    finding,
    hostile_scan,
    inconclusive_scan,
    large_scan,
    quiet_scan,
    sample_scan,
    suspicious_scan,
)

from bezoar.records import Remark, ScanRecord, Skipped
from bezoar.report import render_sarif, sarif
from bezoar.report.sarif_places import plain, sample_path

MESSAGE = ({"text", "markdown"}, {"text"})
# What the standard allows and requires of each object that is written here: (allowed, required).
SHAPES: dict[str, tuple[set[str], set[str]]] = {
    "log": ({"$schema", "version", "runs"}, {"version", "runs"}),
    "run": (
        {
            "tool",
            "automationDetails",
            "invocations",
            "originalUriBaseIds",
            "taxonomies",
            "results",
            "columnKind",
            "properties",
        },
        {"tool"},
    ),
    "driver": ({"name", "version", "rules"}, {"name"}),
    "rule": (
        {
            "id",
            "name",
            "shortDescription",
            "fullDescription",
            "help",
            "defaultConfiguration",
            "properties",
            "relationships",
        },
        {"id"},
    ),
    "invocation": ({"executionSuccessful", "toolExecutionNotifications"}, {"executionSuccessful"}),
    "notification": ({"level", "message"}, {"message"}),
    "taxonomy": ({"name", "version", "taxa"}, {"name"}),
    "result": (
        {
            "ruleId",
            "ruleIndex",
            "level",
            "message",
            "partialFingerprints",
            "locations",
            "relatedLocations",
            "taxa",
            "properties",
        },
        {"message"},
    ),
    "location": ({"id", "physicalLocation", "logicalLocations", "message"}, set()),
    "physical": ({"artifactLocation", "region"}, {"artifactLocation"}),
    "artifact": ({"uri", "uriBaseId"}, {"uri"}),
    "logical": ({"name", "fullyQualifiedName", "kind"}, {"name"}),
}
RECORDS = {
    "confirmed": sample_scan(),
    "suspicious": suspicious_scan(),
    "no evidence": quiet_scan(),
    "inconclusive": inconclusive_scan(),
    "ten thousand suspects": large_scan(),
    "hostile": hostile_scan("<b>{0}[a](http://x)\x00\u202e\udc80"),
    "empty names": hostile_scan(""),
}


def run_of(record: ScanRecord, **options: str) -> dict[str, Any]:
    log = json.loads(render_sarif(record, version="0.1.0", **options))
    return log["runs"][0]  # type: ignore[no-any-return]


def wrong(shape: str, value: dict[str, Any]) -> list[str]:
    allowed, required = SHAPES[shape]
    return [f"{shape}: {key}" for key in (value.keys() - allowed) | (required - value.keys())]


def wrong_location(place: dict[str, Any]) -> list[str]:
    found = wrong("location", place)
    if "message" in place:
        found += [] if isinstance(place["message"]["text"], str) else ["message"]
    if "physicalLocation" in place:
        physical = place["physicalLocation"]
        found += wrong("physical", physical) + wrong("artifact", physical["artifactLocation"])
        found += [] if physical["region"] == {"startLine": 1} else ["region"]
    for logical in place.get("logicalLocations", []):
        found += wrong("logical", logical)
    return found


def wrong_result(result: dict[str, Any], rules: list[dict[str, Any]]) -> list[str]:
    found = wrong("result", result)
    found += [] if rules[result["ruleIndex"]]["id"] == result["ruleId"] else ["ruleIndex"]
    found += [] if result["level"] in ("error", "warning", "note") else ["level"]
    found += [] if all(isinstance(one, str) for one in result["partialFingerprints"].values()) else ["fingerprints"]
    for place in [*result["locations"], *result.get("relatedLocations", [])]:
        found += wrong_location(place)
    return found


def wrong_log(log: dict[str, Any]) -> list[str]:
    (run,) = log["runs"]
    driver, rules = run["tool"]["driver"], run["tool"]["driver"]["rules"]
    found = wrong("log", log) + wrong("run", run) + wrong("driver", driver)
    for shape, values in (("rule", rules), ("invocation", run["invocations"]), ("taxonomy", run["taxonomies"])):
        found += [fault for value in values for fault in wrong(shape, value)]
    for invocation in run["invocations"]:
        found += [fault for one in invocation["toolExecutionNotifications"] for fault in wrong("notification", one)]
    return found + [fault for result in run["results"] for fault in wrong_result(result, rules)]


@pytest.mark.parametrize("name", RECORDS)
def test_log_has_the_shape_that_the_standard_asks(name: str):
    log = json.loads(render_sarif(RECORDS[name], version="0.1.0"))
    assert log["version"] == "2.1.0"
    assert wrong_log(log) == []


def test_the_check_of_the_shape_notices_faults():
    log = json.loads(render_sarif(sample_scan(), version="0.1.0"))
    (run,) = log["runs"]
    run["results"][0]["levle"] = run["results"][0].pop("message")
    run["results"][1]["ruleIndex"] = 0
    del run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert sorted(wrong_log(log)) == ["artifact: uri", "result: levle", "result: message", "ruleIndex"]


def test_findings_and_remarks_have_their_levels_and_rules():
    both = replace(sample_scan(), findings=(finding(), finding(strength="suspicious")))
    told = [(result["ruleId"], result["level"]) for result in run_of(both)["results"]]
    assert told == [
        ("backdoor", "error"),
        ("backdoor", "warning"),
        ("near-duplicates", "note"),
        ("label-errors", "note"),
        ("imbalance", "note"),
        ("odd-source", "note"),
        ("too-small", "note"),
    ]
    assert run_of(quiet_scan())["results"] == []
    assert run_of(quiet_scan())["properties"]["verdict"] == "no evidence"


def test_every_rule_has_help_and_describes_itself():
    rules = run_of(quiet_scan())["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules) == 6
    assert all(
        rule["help"]["text"] and rule["shortDescription"]["text"] != rule["fullDescription"]["text"] for rule in rules
    )


def test_a_finding_tells_its_rates_and_its_suspects():
    (result, *_) = run_of(sample_scan())["results"]
    properties = result["properties"]
    assert properties["flipRate"]["value"] == 0.98
    assert (properties["flipRate"]["successes"], properties["flipRate"]["trials"]) == (196, 200)
    assert properties["controlFlipRate"]["value"] == 0.015
    assert properties["flipRateBySource"][SIGNS[0]]["value"] == 0.98
    assert properties["flipRateBySource"][SIGNS[-1]] == {"notMeasured": "no held-out sample that the model reads right"}
    assert properties["pValue"] == 4.2e-31
    assert properties["suspectCount"] == len(properties["suspects"]) == len(result["relatedLocations"]) == 60
    assert properties["atlas"] == ["AML.T0020", "AML.T0019", "AML.T9999"]
    assert "98.0% of clean samples of “stop” go over to it" in result["message"]["text"]


def test_what_was_not_tested_says_why():
    (result, *_) = run_of(suspicious_scan())["results"]
    assert result["properties"]["flipRateNotMeasured"] == "no trigger was recovered to test"
    assert "flipRate" not in result["properties"]


def test_catalogue_ids_come_with_their_version():
    run = run_of(sample_scan())
    (atlas,) = run["taxonomies"]
    assert (atlas["name"], atlas["version"]) == ("MITRE ATLAS", "5.6")
    named = {taxon["id"] for taxon in atlas["taxa"]}
    assert {one["id"] for one in run["results"][0]["taxa"]} == {"AML.T0020", "AML.T0019"} <= named
    assert {one["target"]["id"] for one in run["tool"]["driver"]["rules"][0]["relationships"]} <= named


def test_fingerprints_are_those_of_the_findings_and_outlive_a_new_ranking():
    def prints(record: ScanRecord) -> list[dict[str, str]]:
        return [result["partialFingerprints"] for result in run_of(record)["results"]]

    before = prints(sample_scan())
    assert before[0] == {"bezoarFinding/v1": "9f2c51d07be34a18", "primaryLocationLineHash": "9f2c51d07be34a18"}
    assert len({one["bezoarFinding/v1"] for one in before}) == len(before)
    more = tuple(replace(one, sentence=one.sentence.replace("14", "15"), count=one.count + 1) for one in REMARKS)
    turned = replace(finding(), suspects=tuple(reversed(finding().suspects)))
    after = replace(sample_scan(found=(turned,)), remarks=more)
    assert prints(after) == before
    assert run_of(after)["results"][0]["locations"] == run_of(sample_scan())["results"][0]["locations"]


def test_two_remarks_that_differ_in_numbers_only_keep_apart():
    twins = tuple(Remark("imbalance", f"“limit {n}” has 12 times the samples", 0) for n in (30, 80))
    results = run_of(replace(quiet_scan(), remarks=twins))["results"]
    assert len({one["partialFingerprints"]["bezoarFinding/v1"] for one in results}) == 2


def test_very_many_suspects_are_capped_and_counted():
    text = render_sarif(large_scan(), version="0.1.0")
    (result, *_) = json.loads(text)["runs"][0]["results"]
    assert len(text) < 400_000
    assert len(result["relatedLocations"]) == 100
    assert len(result["properties"]["suspects"]) == 1000
    assert result["properties"]["suspectsLeftOut"] == 9000
    assert result["relatedLocations"][0]["message"]["text"].startswith("suspect, chance 100%")


def test_results_beyond_what_code_hosts_take_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch):
    assert sarif.MOST_RESULTS == 25_000
    monkeypatch.setattr(sarif, "MOST_RESULTS", 50)
    run = run_of(replace(quiet_scan(), findings=(finding(count=1),), remarks=REMARKS[4:] * 60))
    assert len(run["results"]) == 50
    assert run["results"][0]["ruleId"] == "backdoor"
    assert run["properties"]["resultsLeftOut"] == 11


@pytest.mark.parametrize(
    ("identifier", "path"),
    [
        ("0123456789abcdef:stop/a b.png", "stop/a b.png"),
        ("0123456789abcdef:a:b.png", "a:b.png"),
        ("0123456789abcdef#3", None),
        ("0123456789abcdef:", None),
        ("0123456789abcdef:/etc/passwd", None),
        ("0123456789abcdef:../../etc/passwd", None),
        ("0123456789abcdef:a//b.png", None),
        ("0123456789abcdef:..\\..\\x.png", None),
        ("0123456789abcdef:" + "x" * 2000, None),
        ("", None),
    ],
)
def test_only_paths_inside_the_data_become_addresses(identifier: str, path: str | None):
    assert sample_path(identifier) == path


@pytest.mark.parametrize(
    "path", ["javascript:alert(1)", "a b/ü%41.png", "http://x/y.png", "q?x#y.png", "undecodable \udc80.png"]
)
def test_addresses_are_relative_and_lead_back_to_the_path(path: str):
    suspect = replace(finding().suspects[0], id=f"0123456789abcdef:{path}")
    record = sample_scan(found=(replace(finding(), suspects=(suspect,)),))
    (result, *_) = run_of(record, folder="/data/signs/")["results"]
    (place,) = result["relatedLocations"]
    if "//" in path:
        assert "physicalLocation" not in place
        return
    address = place["physicalLocation"]["artifactLocation"]["uri"]
    split = urlsplit(address)
    assert (split.scheme, split.netloc, split.query, split.fragment) == ("", "", "", "")
    assert re.fullmatch(r"[\w.~%/-]+", address, re.ASCII)
    assert unquote(address) == f"data/signs/{path.encode('utf-8', 'backslashreplace').decode()}"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == address


def test_samples_without_files_lie_in_the_data_as_a_whole():
    suspects = tuple(replace(one, id=f"{number:016x}#0") for number, one in enumerate(finding().suspects))
    record = sample_scan(found=(replace(finding(), suspects=suspects),))
    (result, *_) = run_of(replace(record, dataset=replace(record.dataset, name="../x/signs.npz")))["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "x/signs.npz"
    assert result["locations"][0]["logicalLocations"] == [{"name": TARGET, "kind": "class"}]
    assert all("physicalLocation" not in place for place in result["relatedLocations"])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[click](http://x)", r"\[click\](http://x)"),
        ("{0}", "{{0}}"),
        (r"\[a\](b)", r"\\\[a\\\](b)"),
        ("a\u202eb\x00", r"a\\u202eb\\x00"),
    ],
)
def test_names_make_neither_links_nor_placeholders(text: str, shown: str):
    assert plain(text) == shown


@pytest.mark.parametrize("name", ["[a](http://evil.example)", "{0}{1}", "a\u202eb\x1b[31m", "\udc80"])
def test_hostile_names_are_inert_in_every_message(name: str):
    text = render_sarif(hostile_scan(name), version="0.1.0")
    text.encode("utf-8")
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)
    run = json.loads(text)["runs"][0]
    messages = [result["message"]["text"] for result in run["results"]]
    messages += [place["message"]["text"] for result in run["results"] for place in result.get("relatedLocations", [])]
    messages += [one["message"]["text"] for one in run["invocations"][0]["toolExecutionNotifications"]]
    assert len(messages) >= 6
    for message in messages:
        # An even number of backslashes before a bracket would leave it alive.
        assert not re.search(r"(?<!\\)(\\\\)*[\[\]]", message)
        assert not re.search(r"(?<!\{)\{(\{\{)*(?!\{)", message)


def test_detectors_that_did_not_run_and_an_empty_verdict_are_notified():
    notified = run_of(inconclusive_scan())["invocations"][0]["toolExecutionNotifications"]
    assert notified[0] == {
        "level": "warning",
        "message": {"text": "Inconclusive: Every class has fewer than 30 samples."},
    }
    assert [one["message"]["text"] for one in notified[1:]] == [
        f"{name} did not run: {name} needs 30 samples a class." for name in DETECTORS
    ]


def test_same_record_same_text_and_nothing_that_json_has_no_word_for():
    assert render_sarif(sample_scan(), version="1") == render_sarif(sample_scan(), version="1")
    test = finding().flip_test
    assert not isinstance(test, Skipped)
    broken = sample_scan(found=(replace(finding(), flip_test=replace(test, p_value=float("nan"))),))
    with pytest.raises(ValueError, match="JSON"):
        render_sarif(broken, version="1")
