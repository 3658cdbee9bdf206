"""A record as one self-contained HTML page: no script, no link, no request, everything escaped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bezoar.errors import RecordError
from bezoar.records import DrillRecord, RepairRecord, ScanRecord, Skipped, to_json, write_text_atomically
from bezoar.records.inspecting import InspectionRecord
from bezoar.report import drill, inspection, phrases, repair, scan
from bezoar.report.chart import interval_bar
from bezoar.report.repair_verdict import repair_headline
from bezoar.report.scan_verdict import scan_headline
from bezoar.report.section import Headline, Section
from bezoar.report.verdict import drill_headline

REPORT_NAME = "report.html"


@dataclass(frozen=True)
class Kind:
    """How records of one kind are told: a headline and sections in reading order."""

    name: str
    headline: Callable[[Any], Headline]
    sections: tuple[Section, ...]


KINDS = {
    "drill": Kind("Drill report", drill_headline, drill.SECTIONS),
    "repair": Kind("Repair report", repair_headline, repair.SECTIONS),
    "scan": Kind("Scan report", scan_headline, scan.SECTIONS),
    "inspection": Kind("Inspection report", inspection.inspection_headline, inspection.SECTIONS),
}

Reported: TypeAlias = DrillRecord | RepairRecord | ScanRecord | InspectionRecord
"""Records that have a page."""


def render_html(record: Reported) -> str:
    """The report as HTML text, under 3 MB: pictures and tables beyond that are left out, and it says so.

    The same record gives the same text. Raises RecordError where a picture is not a PNG or the kind
    of record is unknown.
    """
    kind = KINDS.get(record.kind)
    if kind is None:
        raise RecordError(
            f"no report is known for a record of kind {record.kind!r}", expected="one of " + ", ".join(KINDS)
        )
    template = _environment().get_template("page.html")
    sections = [(section, view) for section in kind.sections if (view := section.view(record)) is not None]
    return template.render(record=record, kind=kind.name, headline=kind.headline(record), sections=sections)


def write_report(record: Reported, folder: Path) -> Path:
    """Write `report.html` into `folder`, made if need be, whole or not at all. An older one is replaced."""
    text = render_html(record)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / REPORT_NAME
    write_text_atomically(path, text)
    return path


def facts_json(record: Reported) -> str:
    """The facts of the report as JSON, for `record.json` beside it; `records.from_json` reads it back."""
    return to_json(record)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("bezoar.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters.update(
        percent=phrases.percent,
        points=phrases.points,
        interval=phrases.interval,
        counts=phrases.counts,
        duration=phrases.duration,
        significant=phrases.significant,
        some_of=phrases.some_of,
        words=phrases.words,
        brief=phrases.brief,
        p_value=phrases.p_value,
        as_sentence=phrases.sentence,
        not_measured=phrases.not_measured,
    )
    environment.globals["interval_bar"] = _bar
    environment.tests["skipped"] = lambda value: isinstance(value, Skipped)
    return environment


def _finalize(value: object) -> object:
    """Every text that reaches the page passes here before it is escaped."""
    return phrases.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _bar(style: str, rate: Any) -> Markup:
    return interval_bar(style, rate.low, rate.value, rate.high)
