"""From findings to a verdict and its reason, in words."""

from __future__ import annotations

from collections.abc import Sequence

from bezoar.inspection.heard import Heard
from bezoar.records import Skipped, Verdict
from bezoar.records.inspecting import ModelDetectorRun, ModelFinding


def verdict_of(
    findings: Sequence[ModelFinding], runs: Sequence[ModelDetectorRun], *, compared: bool = False, blind: bool = False
) -> tuple[Verdict, str]:
    """The verdict and why; `compared` where references are the measure, `blind` where no clean samples were given."""
    if any(one.strength == "confirmed" for one in findings):
        return "confirmed", "A small trigger leads clean samples to a class, far more of them than any control does"
    if findings:
        return "suspicious", _why_suspicious(findings, compared)
    judging = [run for run in runs if run.cut is not None]
    judged = [run.detector for run in judging if run.skipped is None]
    if not judged or (blind and not compared):
        return "inconclusive", _why_not(judged, judging or runs)
    if compared:
        return "no evidence", "No class stands out of what the references show"
    return "no evidence", "No class is led to by a trigger that is much smaller than those of the others"


def reason_of(one: Heard, label: int) -> str:
    """Why a class is a finding."""
    size, cut, statistic = one.size(label), one.cut or 0.0, float(one.statistics[label])
    trigger = f" finds a trigger of {size} towards it" if size else ""
    if not one.beside:
        told = f"{statistic:.1f} {one.scores.measure} ({cut:g} is a finding)"
        return f"{one.spec}{trigger}{',' if size else ' has it'} {told}"
    beside = one.beside[label]
    measure = (
        f"what this class has in {beside.models} references"
        if beside.models
        else "what classes have in the references, of which not two know this one"
    )
    return (
        f"{one.spec}{trigger}{', and' if size else ''} gives it {beside.own:.1f}, {statistic:.1f} spreads above "
        f"{measure} ({beside.usual:.1f}; {cut:.3g} spreads are a finding)"
    )


def _why_suspicious(findings: Sequence[ModelFinding], compared: bool) -> str:
    if not any(not isinstance(one.trigger, Skipped) for one in findings):
        return "A class stands out, and no trigger was recovered that could be tried"
    if compared:
        return "A class stands out of what the references show, but controls do nearly as well as its trigger"
    return "a class is led to by a far smaller trigger than the others, but controls do nearly as well"


def _why_not(judged: Sequence[str], runs: Sequence[ModelDetectorRun]) -> str:
    if judged:
        return f"Without clean samples only {', '.join(judged)} could judge, and found nothing: that is too little"
    reasons = dict.fromkeys(run.skipped.reason for run in runs if isinstance(run.skipped, Skipped))
    return "No detector could judge: " + ("; ".join(reasons) or "none has a cut")
