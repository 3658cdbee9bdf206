"""The sections of a scan's report, in reading order."""

from __future__ import annotations

from collections.abc import Mapping

from bezoar.records import Remark, ScanRecord
from bezoar.report.classes import counts_by_class
from bezoar.report.phrases import brief, sentence
from bezoar.report.scan_finding import findings
from bezoar.report.scan_histogram import histograms
from bezoar.report.scan_odd import shown_parts
from bezoar.report.scan_projection import maps, step_labels
from bezoar.report.scan_signals import MOST_ROWS, run_rows, signal_table, stage_rows
from bezoar.report.section import Section
from bezoar.report.standards import frameworks_for

MOST_REMARKS = 40
MOST_GROUPS = 8
MOST_IN_GROUP = 6

View = Mapping[str, object]

_REMARKS = {
    "near-duplicates": "Near-duplicates",
    "label errors": "Likely label errors",
    "imbalance": "Imbalance",
    "odd source": "An odd source",
    "too small": "Too small to judge",
}


def _findings(record: ScanRecord) -> View:
    told, lines, left_out = findings(record)
    return {"told": told, "lines": lines, "left_out": left_out}


def _signals(record: ScanRecord) -> View:
    return {"table": signal_table(record.signals, record.detectors, further=MOST_ROWS)}


def _odd(record: ScanRecord) -> View | None:
    if not record.odd:
        return None
    parts, left_out = shown_parts(record)
    return {"parts": parts, "left_out": left_out}


def _scores(record: ScanRecord) -> View | None:
    if not record.histograms:  # they are kept of the classes of findings
        return None
    drawn, left_out = histograms(record)
    return {"drawn": drawn, "left_out": left_out}


def _projection(record: ScanRecord) -> View:
    return {"maps": maps(record), "steps": step_labels()}


def _remarks(record: ScanRecord) -> View:
    shown = record.remarks[:MOST_REMARKS]
    return {"remarks": tuple(map(_remark, shown)), "left_out": len(record.remarks) - len(shown)}


def _remark(remark: Remark) -> View:
    groups = tuple(_group(group) for group in remark.examples[:MOST_GROUPS])
    return {
        "title": _REMARKS[remark.kind],
        "sentence": sentence(remark.sentence),
        "count": remark.count,
        "groups": groups,
        "left_out": max(len(remark.examples) - MOST_GROUPS, 0),
    }


def _group(ids: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    return tuple(brief(one) for one in ids[:MOST_IN_GROUP]), max(len(ids) - MOST_IN_GROUP, 0)


def _detectors(record: ScanRecord) -> View:
    return {"runs": run_rows(record), "total": sum(run.seconds for run in record.detectors)}


def _time(record: ScanRecord) -> View:
    return {"stages": stage_rows(record.stages), "total": sum(stage.seconds for stage in record.stages)}


def _data(record: ScanRecord) -> View:
    trusted = () if record.trusted is None else (("Trusted data", record.trusted),)
    sets = (("Scanned data", record.dataset), *trusted)
    return {"sets": [(title, dataset, *counts_by_class(dataset)) for title, dataset in sets], "unknown": ()}


def _standards(record: ScanRecord) -> View:
    return {"frameworks": frameworks_for(record.kind)}


def _reproduce(record: ScanRecord) -> View:
    return {"commands": record.commands, "versions": record.versions}


SECTIONS = (
    Section("findings", "What was found", "scan_findings.html", _findings),
    Section("odd", "Odd, but no finding", "scan_odd.html", _odd),
    Section("signals", "Class by class", "scan_signals.html", _signals),
    Section("scores", "How the scores lie", "scan_scores.html", _scores),
    Section("projection", "A map of the data", "scan_projection.html", _projection),
    Section("remarks", "Not poison, but worth knowing", "scan_remarks.html", _remarks),
    Section("detectors", "Detectors", "scan_detectors.html", _detectors),
    Section("time", "Where the time went", "scan_time.html", _time),
    Section("data", "The data", "data.html", _data),
    Section("standards", "Public catalogues", "standards.html", _standards),
    Section("reproduce", "Do it again", "reproduce.html", _reproduce),
)
