"""From findings to a verdict and its reason, in words."""

from __future__ import annotations

from collections.abc import Sequence

from bezoar.records import Skipped, Verdict
from bezoar.records.inspecting import ModelDetectorRun, ModelFinding


def verdict_of(findings: Sequence[ModelFinding], runs: Sequence[ModelDetectorRun]) -> tuple[Verdict, str]:
    """The verdict and why."""
    if any(one.strength == "confirmed" for one in findings):
        return "confirmed", "A small trigger leads clean samples to a class, as nothing of its size does to any other"
    if findings:
        return (
            "suspicious",
            "a class is led to by a far smaller trigger than the others, but controls do nearly as well",
        )
    judging = [run for run in runs if run.cut is not None]
    if not any(run.skipped is None for run in judging):
        return "inconclusive", _why_not(judging)
    return "no evidence", "No class is led to by a trigger that is much smaller than those of the others"


def reason_of(detector: str, statistic: float, cut: float, size: str) -> str:
    """Why a class is a finding."""
    return (
        f"{detector} finds a trigger of {size} towards it, {statistic:.1f} spreads below the median of all classes "
        f"({cut:.1f} is a finding)"
    )


def _why_not(runs: Sequence[ModelDetectorRun]) -> str:
    reasons = dict.fromkeys(run.skipped.reason for run in runs if isinstance(run.skipped, Skipped))
    return "No detector could judge: " + "; ".join(reasons)
