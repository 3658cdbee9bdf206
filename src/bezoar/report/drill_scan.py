"""The scan of a drill's data as its page tells it: what was found, and how much of what was planted that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bezoar.records import DrillRecord, FindingSummary, Rate, RecoveredTrigger, ScanSummary, Skipped
from bezoar.report.backdoors import relabellings
from bezoar.report.phrases import brief, counts, measured, percent_in_words, quoted, some_of
from bezoar.report.scan_pictures import Still, fitting, still

MOST_FINDINGS, MOST_EXAMPLES = 4, 4
MOST_BYTES = 400_000


@dataclass(frozen=True)
class Answer:
    """Whether the scan found what was planted: `level` chooses colour and icon, 'calm', 'unclear' or 'bad'."""

    level: str
    word: str
    sentence: str


@dataclass(frozen=True)
class Told:
    """A finding as the page shows it, rates on no trial at all as Skipped; pictures as far as they fit."""

    finding: FindingSummary
    planted: bool
    poisons: Rate | Skipped
    flips: Rate | Skipped
    control: Rate | Skipped
    pattern: Still | None
    examples: tuple[tuple[Still, Still], ...]


def scan_view(record: DrillRecord) -> Mapping[str, object]:
    """The values of the section, or the reason why there was no scan."""
    scan = record.scan
    if isinstance(scan, Skipped):
        return {"scan": scan}
    planted, share = _planted(record), MOST_BYTES // max(1, min(MOST_FINDINGS, len(scan.findings)))
    return {
        "scan": scan,
        "answer": scan_answer(record, scan),
        "told": tuple(_told(one, planted, share) for one in scan.findings[:MOST_FINDINGS]),
        "left_out": max(0, len(scan.findings) - MOST_FINDINGS),
        "caught": measured(scan.caught),
    }


def scan_answer(record: DrillRecord, scan: ScanSummary) -> Answer:
    """Yes where a confirmed finding names a target of the attack and poisons among its suspects; in part where such a
    finding is suspicious; no otherwise, whatever else was found.
    """
    planted = _planted(record)
    right = [one for one in scan.findings if _names(one, planted)]
    others = [quoted(brief(one.target)) for one in scan.findings if not _names(one, planted)]
    astray = f" It also names {', '.join(others[:3])}, which nothing was planted for." if others else ""
    if not right:
        found = f"it names {', '.join(others[:3])}, which nothing was planted for" if others else "it names no class"
        return Answer("bad", "No", f"Told nothing, the scan's verdict is {quoted(scan.verdict)}: {found}.")
    confirmed = any(one.strength == "confirmed" for one in right)
    proof = "confirms a backdoor" if confirmed else "suspects a backdoor, without proof,"
    targets = some_of(list(dict.fromkeys(brief(one.target) for one in right)))
    sentence = f"Told nothing, the scan {proof} towards {targets}{_flips(right[0])}.{_caught(scan)}{astray}"
    return Answer("calm" if confirmed else "unclear", "Yes" if confirmed else "In part", sentence)


def _flips(finding: FindingSummary) -> str:
    flips, control = measured(finding.flips), measured(finding.control)
    if isinstance(flips, Skipped) or isinstance(control, Skipped):
        return ""
    return (
        f": {percent_in_words(flips.value)} of clean images go over to it with the trigger it recovered, "
        f"{percent_in_words(control.value)} with the strongest control"
    )


def _caught(scan: ScanSummary) -> str:
    caught = measured(scan.caught)
    return "" if isinstance(caught, Skipped) else f" Among its suspects are {counts(caught)} poisons."


def _planted(record: DrillRecord) -> frozenset[str]:
    return frozenset(target for _, target in relabellings(record.attack))


def _names(finding: FindingSummary, planted: frozenset[str]) -> bool:
    return finding.target in planted and isinstance(finding.poisons, Rate) and finding.poisons.successes > 0


def _told(finding: FindingSummary, planted: frozenset[str], most_bytes: int) -> Told:
    trigger = finding.trigger if isinstance(finding.trigger, RecoveredTrigger) else None
    pattern = _first_fitting(trigger, most_bytes)
    examples = fitting(trigger.examples[:MOST_EXAMPLES], most_bytes // 2) if trigger else []
    return Told(
        finding,
        _names(finding, planted),
        measured(finding.poisons),
        measured(finding.flips),
        measured(finding.control),
        pattern,
        tuple((still("trigger.examples", before), still("trigger.examples", after)) for before, after in examples),
    )


def _first_fitting(trigger: RecoveredTrigger | None, most_bytes: int) -> Still | None:
    pattern = trigger.pattern if trigger else None
    return still("trigger.pattern", pattern) if pattern and len(pattern.png) <= most_bytes // 2 else None
