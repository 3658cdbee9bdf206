"""Suspects as a table for spreadsheets and scripts: of a scan one line for each sample and finding; of a repair."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bezoar.records import Finding, ScanRecord, Suspect
from bezoar.records.repairing import TurnedSamples
from bezoar.report.phrases import visible

COLUMNS = ("row", "id", "label", "looks_like", "source", "chance", "target", "strength", "fingerprint")
_FORMULAS = ("=", "+", "-", "@", "\t")


def render_suspects_csv(record: ScanRecord, rows: Mapping[str, int] | None = None) -> str:
    """CSV with a heading line: confirmed findings first, the most suspicious first in each.

    `rows` are the places of samples (by id) in the data as they are kept, from 0; without it that column is empty.
    A text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    findings = sorted(record.findings, key=lambda one: one.strength != "confirmed")
    return _table(
        COLUMNS,
        (
            _cells(finding, suspect, rows or {})
            for finding in findings
            for suspect in sorted(finding.suspects, key=lambda one: -one.score)
        ),
    )


def render_turned_csv(turned: TurnedSamples, rows: Mapping[str, int] | None = None) -> str:
    """CSV of the training samples that a repair turned away from their label, `rows` as above."""
    known = rows or {}
    return _table(("row", "id", "label"), ((_place(one, known), one, turned.target) for one in turned.ids))


def _table(columns: Sequence[str], lines: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(map(_plain, line) for line in lines)
    return text.getvalue()


def _place(sample_id: str, rows: Mapping[str, int]) -> str:
    row = rows.get(sample_id)
    return "" if row is None else str(row)


def _cells(finding: Finding, suspect: Suspect, rows: Mapping[str, int]) -> Iterator[str]:
    yield _place(suspect.id, rows)
    yield from (suspect.id, suspect.label, suspect.looks_like or "", suspect.source or "", f"{suspect.score:.4f}")
    yield from (finding.target, finding.strength, finding.fingerprint)


def _plain(text: str) -> str:
    """Text that hides nothing and is no formula."""
    shown = visible(text)
    return f"'{shown}" if shown.startswith(_FORMULAS) else shown
