"""The findings of a scan as a page shows them: in full for the first, in one line each for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bezoar.records import (
    Contributor,
    Covers,
    Finding,
    FlipTest,
    Rate,
    RecoveredTrigger,
    ScanRecord,
    Skipped,
    SourceFlips,
    Suspect,
)
from bezoar.report.phrases import brief, measured, percent, quoted
from bezoar.report.scan_pictures import FindingPictures, finding_pictures
from bezoar.report.scan_signals import SignalTable, signal_table
from bezoar.report.standards import entry_named

MOST_FINDINGS = 12
MOST_LINES = 100
MOST_SUSPECTS = 50
MOST_ROWS = 30
MOST_COVERED = 8
MOST_BYTES = 1_600_000

KINDS = {
    "patch": "A patch: the same pixels painted over each sample",
    "additive": "An additive pattern: the same values added to each sample",
    "blend": "A blend: each sample mixed with the same picture",
    "warp": "A warp: each sample bent in the same way",
    "colours": "A filter: each sample's colours changed in the same way; of the chart the upper half is as it was",
    "levels": "Fewer levels: each sample's colours rounded to a few values",
    "pieces": "Pieces: a part of each suspect, on which a network's answer hangs",
    "residual": "A residual: all fine detail of the suspects, in which the trigger lies with details of their pictures",
}


@dataclass(frozen=True)
class Flips:
    """The causal test, with rates on no trial at all as Skipped."""

    test: FlipTest
    flips: Rate | Skipped
    control: Rate | Skipped
    by_source: tuple[SourceFlips, ...]
    sources_left_out: int


@dataclass(frozen=True)
class SuspectRow:
    """A suspect in the table: `evidence` names the detectors that rank it highest."""

    id: str
    score: float
    looks_like: str
    source: str
    evidence: str


@dataclass(frozen=True)
class Told:
    """One finding in full. `share` is that of its suspects among the samples of the target class, or empty."""

    number: int
    finding: Finding
    share: str
    kind: str
    pictures: FindingPictures
    flips: Flips | Skipped
    signals: SignalTable
    contributors: tuple[Contributor, ...]
    contributors_left_out: int
    suspects: tuple[SuspectRow, ...]
    covers: str
    catalogue: tuple[tuple[str, str, str], ...]


def findings(record: ScanRecord) -> tuple[tuple[Told, ...], tuple[Finding, ...], int]:
    """The first 12 findings in full, the next 100 as they are, and how many are left. Confirmed ones come first."""
    ordered = sorted(record.findings, key=lambda one: one.strength != "confirmed")
    full, rest = ordered[:MOST_FINDINGS], ordered[MOST_FINDINGS:]
    share = MOST_BYTES // max(len(full), 1)
    told = tuple(_told(record, number, one, share) for number, one in enumerate(full, start=1))
    return told, tuple(rest[:MOST_LINES]), max(len(rest) - MOST_LINES, 0)


def _told(record: ScanRecord, number: int, finding: Finding, most_bytes: int) -> Told:
    ranked = sorted(finding.suspects, key=lambda suspect: -suspect.score)[:MOST_SUSPECTS]
    trigger = finding.trigger
    return Told(
        number,
        finding,
        _share(record, finding),
        KINDS[trigger.kind] if isinstance(trigger, RecoveredTrigger) else "",
        finding_pictures(finding, most_bytes=most_bytes),
        finding.flip_test if isinstance(finding.flip_test, Skipped) else flips_of(finding.flip_test),
        signal_table(finding.signals, record.detectors, most=MOST_ROWS),
        finding.contributors[:MOST_ROWS],
        max(len(finding.contributors) - MOST_ROWS, 0),
        tuple(map(_row, ranked)),
        covers_in_words(finding.covers),
        tuple(map(catalogued, finding.atlas)),
    )


def covers_in_words(covers: Sequence[Covers]) -> str:
    """How many samples of which classes, the most first; empty without any."""
    ordered = sorted(covers, key=lambda one: (-len(one.samples), one.class_name))
    told = [f"{len(one.samples):,} of {quoted(brief(one.class_name, 40))}" for one in ordered[:MOST_COVERED]]
    if len(ordered) > MOST_COVERED:
        left = sum(len(one.samples) for one in ordered[MOST_COVERED:])
        told.append(f"{left:,} of {len(ordered) - MOST_COVERED} more classes")
    return ", ".join(told)


def _share(record: ScanRecord, finding: Finding) -> str:
    """The suspects' share of the target class. A class called the same as another counts with it."""
    of_class = sum(
        count
        for name, count in zip(record.dataset.class_names, record.dataset.class_counts, strict=False)
        if name == finding.target
    )
    inside = sum(suspect.label == finding.target for suspect in finding.suspects)
    return f"{percent(inside / of_class)} of the {of_class:,} samples of this class" if of_class >= inside > 0 else ""


def flips_of(test: FlipTest) -> Flips:
    """The causal test as a page shows it, the classes that turn most first."""
    rows = [
        SourceFlips(row.class_name, measured(row.flips), measured(row.control)) for row in _worst_first(test.by_source)
    ]
    return Flips(
        test, measured(test.flips), measured(test.control), tuple(rows[:MOST_ROWS]), max(len(rows) - MOST_ROWS, 0)
    )


def _worst_first(rows: Sequence[SourceFlips]) -> list[SourceFlips]:
    def flipped(row: SourceFlips) -> float:
        rate = measured(row.flips)
        return rate.value if isinstance(rate, Rate) else -1.0

    return sorted(rows, key=flipped, reverse=True)


def _row(suspect: Suspect) -> SuspectRow:
    strongest = sorted(suspect.evidence, key=lambda pair: -pair[1])[:3]
    return SuspectRow(
        brief(suspect.id),
        suspect.score,
        _known(suspect.looks_like),
        _known(suspect.source),
        ", ".join(f"{brief(detector, 40)} {percent(share)}" for detector, share in strongest) or "not recorded",
    )


def _known(name: str | None) -> str:
    return "not known" if name is None else brief(name, 40)


def catalogued(identifier: str) -> tuple[str, str, str]:
    """An id of a catalogue, its name and the catalogue, the latter two empty where it is not known."""
    found = entry_named(identifier)
    if found is None:
        return identifier, "", ""
    framework, entry = found
    return identifier, entry.name, f"{framework.name} {framework.version}"
