"""The sections of a repair's report, in reading order."""

from __future__ import annotations

from collections.abc import Mapping

from bezoar.records import RepairRecord, Skipped
from bezoar.report.classes import counts_by_class
from bezoar.report.repair_tables import attempt_rows, class_rows, further_rows, number_cards, search_tables
from bezoar.report.repair_verdict import relearning_sentence, turned_sentence
from bezoar.report.scan_pictures import fitting, still
from bezoar.report.scan_signals import stage_rows
from bezoar.report.section import Section
from bezoar.report.standards import frameworks_for

MOST_BYTES = 800_000
MOST_EXAMPLES, MOST_TURNED = 8, 12

View = Mapping[str, object]


def _numbers(record: RepairRecord) -> View:
    return {"cards": number_cards(record)}


def _classes(record: RepairRecord) -> View | None:
    rows, left_out = class_rows(record)
    return {"rows": rows, "left_out": left_out} if rows else None


def _trigger(record: RepairRecord) -> View:
    trigger = record.trigger
    if isinstance(trigger, Skipped):
        return {"trigger": trigger, "pattern": None, "examples": (), "further": ()}
    pattern = None if trigger.pattern is None else still("trigger.pattern", trigger.pattern)
    examples = fitting(trigger.examples[:MOST_EXAMPLES], MOST_BYTES)
    pairs = tuple((still("trigger.examples", one), still("trigger.examples", other)) for one, other in examples)
    return {"trigger": trigger, "pattern": pattern, "examples": pairs, "further": further_rows(record)}


def _turned(record: RepairRecord) -> View | None:
    if (turned := record.turned) is None:
        return None
    examples = fitting([(one,) for one in turned.examples[:MOST_TURNED]], MOST_BYTES)
    shots = tuple(still("turned.examples", one) for (one,) in examples)
    return {
        "sentence": turned_sentence(turned),
        "target": turned.target,
        "count": f"{len(turned.ids):,}",
        "examples": shots,
    }


def _search(record: RepairRecord) -> View:
    return {"tables": search_tables(record), "before": record.before.searches, "after": record.after.searches}


def _relearning(record: RepairRecord) -> View:
    return {"test": record.relearning, "sentence": relearning_sentence(record.relearning)}


def _attempts(record: RepairRecord) -> View:
    return {"rows": attempt_rows(record)}


def _given(record: RepairRecord) -> View:
    return {"given": record.given}


def _time(record: RepairRecord) -> View:
    return {"stages": stage_rows(record.stages), "total": sum(stage.seconds for stage in record.stages)}


def _data(record: RepairRecord) -> View | None:
    given = (
        ("Trusted samples that repairs learnt from", record.given.trusted),
        ("Training data", record.given.training),
    )
    sets = [(title, dataset, *counts_by_class(dataset)) for title, dataset in given if dataset is not None]
    return {"sets": sets, "unknown": ()} if sets else None


def _standards(record: RepairRecord) -> View:
    return {"frameworks": frameworks_for(record.kind)}


def _reproduce(record: RepairRecord) -> View:
    return {"commands": record.commands, "versions": record.versions}


SECTIONS = (
    Section("numbers", "Before and after", "repair_numbers.html", _numbers),
    Section("relearning", "Does it come back?", "repair_relearning.html", _relearning),
    Section("trigger", "The trigger", "repair_trigger.html", _trigger),
    Section("turned", "Training samples that bear it", "repair_turned.html", _turned),
    Section("search", "A search for other triggers", "repair_search.html", _search),
    Section("classes", "Class by class", "repair_classes.html", _classes),
    Section("methods", "What was tried", "repair_methods.html", _attempts),
    Section("given", "What it was given", "repair_given.html", _given),
    Section("time", "Where the time went", "scan_time.html", _time),
    Section("data", "The data", "data.html", _data),
    Section("standards", "Public catalogues", "standards.html", _standards),
    Section("reproduce", "Do it again", "reproduce.html", _reproduce),
)
