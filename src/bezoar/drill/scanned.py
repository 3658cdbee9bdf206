"""What a scan made of a drill's data, held against the truth: the scan itself never sees it."""

from __future__ import annotations

from bezoar.metrics import measure_detection, rate_or_skipped
from bezoar.records import Finding, FindingSummary, Rate, ScanSummary, Skipped
from bezoar.scan import Scanned
from bezoar.truth import PoisonTruth


def scan_summary(scanned: Scanned, truth: PoisonTruth) -> ScanSummary:
    """Verdict and findings of a scan of the data that `truth` is of, with the poisons among its suspects counted."""
    suspects = scanned.record.suspect_ids
    return ScanSummary(
        verdict=scanned.record.verdict,
        reason=scanned.record.reason,
        findings=tuple(_finding(finding, truth.poison_ids) for finding in scanned.record.findings),
        caught=rate_or_skipped(
            len(suspects & truth.poison_ids), len(truth.poison_ids), "the attack poisoned no sample"
        ),
        detection=measure_detection(scanned.suspicion, truth)
        if scanned.suspicion
        else Skipped("the scan ranked no sample"),
    )


def _finding(finding: Finding, poison_ids: frozenset[str]) -> FindingSummary:
    hits = sum(suspect.id in poison_ids for suspect in finding.suspects)
    test = finding.flip_test
    untested: Rate | Skipped = test if isinstance(test, Skipped) else test.flips
    return FindingSummary(
        target=finding.target,
        strength=finding.strength,
        poisons=rate_or_skipped(hits, len(finding.suspects), "the finding names no suspect"),
        trigger=finding.trigger,
        flips=untested,
        control=test if isinstance(test, Skipped) else test.control,
        control_kind="" if isinstance(test, Skipped) else test.control_kind,
    )
