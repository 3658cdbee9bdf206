"""Suspects as a table for spreadsheets and scripts: of a scan one line for each sample and finding; of a repair."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping

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
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for finding in sorted(record.findings, key=lambda one: one.strength != "confirmed"):
        for suspect in sorted(finding.suspects, key=lambda one: -one.score):
            table.writerow(map(_plain, _cells(finding, suspect, rows or {})))
    return text.getvalue()


def render_turned_csv(turned: TurnedSamples, rows: Mapping[str, int] | None = None) -> str:
    """CSV of the training samples that a repair turned away from their label, `rows` as above."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("row", "id", "label"))
    for one in turned.ids:
        row = (rows or {}).get(one)
        table.writerow(map(_plain, ("" if row is None else str(row), one, turned.target)))
    return text.getvalue()


def _cells(finding: Finding, suspect: Suspect, rows: Mapping[str, int]) -> Iterator[str]:
    row = rows.get(suspect.id)
    yield "" if row is None else str(row)
    yield from (suspect.id, suspect.label, suspect.looks_like or "", suspect.source or "", f"{suspect.score:.4f}")
    yield from (finding.target, finding.strength, finding.fingerprint)


def _plain(text: str) -> str:
    """Text that hides nothing and is no formula."""
    shown = visible(text)
    return f"'{shown}" if shown.startswith(_FORMULAS) else shown
