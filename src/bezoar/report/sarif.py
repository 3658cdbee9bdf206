"""A scan as SARIF 2.1.0, for code hosts: one result a finding, one a remark."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence

from bezoar.records import Finding, FlipTest, Rate, Remark, ScanRecord, Skipped
from bezoar.report.phrases import brief, quoted, sentence, visible
from bezoar.report.sarif_places import BASE, file_place, finding_place, plain, sample_path, suspect_place
from bezoar.report.sarif_rules import BACKDOOR, RULES, Json, reference, taxonomies
from bezoar.report.scan_verdict import flips_in_words

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST_RESULTS = 25_000
MOST_PLACES = 100
MOST_IDS = 1000
MOST_NOTIFICATIONS = 1000
_LEVELS = {"confirmed": "error", "suspicious": "warning"}
_RULE_OF = {
    "near-duplicates": "near-duplicates",
    "label errors": "label-errors",
    "imbalance": "imbalance",
    "odd source": "odd-source",
    "too small": "too-small",
}
_INDEX = {rule.id: index for index, rule in enumerate(RULES)}


def render_sarif(record: ScanRecord, *, version: str, folder: str = "") -> str:
    """The scan as SARIF 2.1.0 text, the same for the same record; `version` is bezoar's own.

    A confirmed finding is an error, a suspicious one a warning, a remark a note. Suspects are related locations of
    their finding, at most 100, and ids in its properties, at most 1,000; their number is told. Paths are relative to
    the data, or, where `folder` says where the data lie in a repository, to that. At most 25,000 results, which is
    what code hosts take; how many were left out stands in the run's properties. Raises ValueError on NaN or infinity.
    """
    every: list[Finding | Remark] = [*record.findings, *record.remarks]
    run: Json = {
        "tool": {"driver": {"name": "bezoar", "version": version, "rules": [rule.to_json() for rule in RULES]}},
        "automationDetails": {"id": f"bezoar/scan/{visible(brief(record.dataset.name, 200))}/"},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": list(_notifications(record))}],
        "originalUriBaseIds": {BASE: {"description": {"text": _base_text(folder)}}},
        "taxonomies": taxonomies(tuple(one for finding in record.findings for one in finding.atlas)),
        "results": _results(record, every[:MOST_RESULTS], folder),
        "columnKind": "unicodeCodePoints",
        "properties": _run_properties(record, max(len(every) - MOST_RESULTS, 0)),
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, allow_nan=False) + "\n"


def _base_text(folder: str) -> str:
    return "The repository that holds the scanned data." if folder.strip("/") else "The data that were scanned."


def _results(record: ScanRecord, told: Sequence[Finding | Remark], folder: str) -> list[Json]:
    repeats: dict[str, int] = {}
    return [
        _finding(record, one, folder) if isinstance(one, Finding) else _remark(record, one, folder, repeats)
        for one in told
    ]


def _finding(record: ScanRecord, finding: Finding, folder: str) -> Json:
    ranked = sorted(finding.suspects, key=lambda suspect: -suspect.score)
    result = _result(BACKDOOR, _LEVELS[finding.strength], _finding_text(finding), finding.fingerprint)
    result["locations"] = [finding_place(record, finding, folder)]
    if ranked:
        result["relatedLocations"] = [
            suspect_place(number, suspect, folder) for number, suspect in enumerate(ranked[:MOST_PLACES], start=1)
        ]
    known = [one for one in dict.fromkeys(finding.atlas) if "toolComponent" in reference(one)]
    if known:
        result["taxa"] = [reference(one) for one in known]
    result["properties"] = {
        "strength": finding.strength,
        "targetClass": visible(finding.target),
        "sourceClasses": [visible(name) for name in finding.sources[:MOST_IDS]],
        "suspectCount": len(ranked),
        "suspects": [visible(suspect.id) for suspect in ranked[:MOST_IDS]],
        "suspectsLeftOut": max(len(ranked) - MOST_IDS, 0),
        "trigger": visible(finding.trigger.reason if isinstance(finding.trigger, Skipped) else finding.trigger.kind),
        "atlas": [visible(one) for one in finding.atlas],
        "remedies": [visible(one) for one in finding.remedies],
        **_flip_properties(finding.flip_test),
    }
    return result


def _finding_text(finding: Finding) -> str:
    start = "Backdoor" if finding.strength == "confirmed" else "Possible backdoor"
    parts = [
        f"{start} towards {quoted(brief(finding.target))}: {len(finding.suspects):,} suspects.",
        sentence(finding.reason),
        "" if isinstance(finding.flip_test, Skipped) else f"{_capital(flips_in_words(finding))}.",
        *(f"{remedy}" for remedy in finding.remedies[:1]),
    ]
    return " ".join(part for part in parts if part)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _flip_properties(test: FlipTest | Skipped) -> Json:
    if isinstance(test, Skipped):
        return {"flipRateNotMeasured": visible(test.reason)}
    by_source = {visible(row.class_name): _rate(row.flips) for row in test.by_source[:MOST_IDS]}
    return {
        "flipRate": _rate(test.flips),
        "controlFlipRate": _rate(test.control),
        "controls": test.controls,
        "controlKind": visible(test.control_kind),
        "pValue": test.p_value,
        "flipRateBySource": by_source,
    }


def _rate(rate: Rate | Skipped) -> Json:
    if isinstance(rate, Skipped):
        return {"notMeasured": visible(rate.reason)}
    if rate.trials == 0:
        return {"notMeasured": "no sample to measure it on"}
    told = {"value": rate.value, "low": rate.low, "high": rate.high, "confidence": rate.confidence}
    return {**told, "successes": rate.successes, "trials": rate.trials}


def _remark(record: ScanRecord, remark: Remark, folder: str, repeats: dict[str, int]) -> Json:
    rule = _RULE_OF[remark.kind]
    # Numbers change whenever a sample is added, and the remark remains the same.
    gist = f"{rule}\n{re.sub(r'[0-9.,%]+', '#', remark.sentence)}"
    repeats[gist] = count = repeats.get(gist, 0) + 1
    fingerprint = hashlib.sha256(f"{gist}\n{count}".encode("utf-8", "backslashreplace")).hexdigest()[:32]
    result = _result(rule, "note", f"{sentence(remark.sentence)} By itself this is no sign of poison.", fingerprint)
    paths = [path for group in remark.examples for one in group if (path := sample_path(one)) is not None]
    result["locations"] = [file_place(record, min(paths, default=None), folder)]
    examples = [[visible(one) for one in group[:20]] for group in remark.examples[:50]]
    result["properties"] = {"count": remark.count, "examples": examples}
    return result


def _result(rule: str, level: str, text: str, fingerprint: str) -> Json:
    return {
        "ruleId": rule,
        "ruleIndex": _INDEX[rule],
        "level": level,
        "message": {"text": plain(text)},
        # The second key is the one by which code hosts tell results apart; lines of pictures mean nothing.
        "partialFingerprints": {
            "bezoarFinding/v1": visible(fingerprint),
            "primaryLocationLineHash": visible(fingerprint),
        },
    }


def _notifications(record: ScanRecord) -> Iterator[Json]:
    if record.verdict == "inconclusive":
        yield {"level": "warning", "message": {"text": plain(f"Inconclusive: {sentence(record.reason)}")}}
    for run in record.detectors[:MOST_NOTIFICATIONS]:
        if run.skipped is not None:
            text = f"{brief(run.detector)} did not run: {sentence(run.skipped.reason)}"
            yield {"level": "note", "message": {"text": plain(text)}}


def _run_properties(record: ScanRecord, left_out: int) -> Json:
    return {
        "verdict": record.verdict,
        "reason": visible(record.reason),
        "falseAlarm": visible(record.false_alarm),
        "budget": record.budget,
        "seed": record.seed,
        "created": visible(record.created),
        "datasetDigest": visible(record.dataset.digest),
        "samples": record.dataset.samples,
        "resultsLeftOut": left_out,
    }
