"""From findings to a verdict and its reason, in words."""

from __future__ import annotations

from collections.abc import Sequence

from bezoar.inspection.heard import Heard
from bezoar.inspection.trial import ITSELF_ELSEWHERE, LEAST_GAIN
from bezoar.records import FlipTest, Skipped, Verdict
from bezoar.records.inspecting import ModelDetectorRun, ModelFinding


def verdict_of(
    findings: Sequence[ModelFinding],
    runs: Sequence[ModelDetectorRun],
    told: Sequence[Heard],
    *,
    compared: bool = False,
    doubt: str = "",
) -> tuple[Verdict, str]:
    """The verdict and why. `told` is what the detectors said that ran; `compared` where references are the measure.

    Without a finding it is inconclusive where a `doubt` speaks against the clean samples, and where nobody who judged
    looked at any: weights alone show one way of tampering, unless references tell what is usual.
    """
    if any(one.strength == "confirmed" for one in findings):
        return "confirmed", "A trigger leads clean samples to a class, far more of them than any control does"
    if findings:
        return "suspicious", _why_suspicious(findings, compared)
    if doubt:
        return "inconclusive", doubt
    judged = [one for one in told if one.cut is not None]
    if not judged or not (compared or any(one.scores.from_samples for one in judged)):
        return "inconclusive", _why_not(judged, runs)
    if compared:
        return "no evidence", "No class stands out of what the references show"
    if any(one.looks_for_triggers for one in judged):
        return "no evidence", "No class stands out from the others by any trigger that was looked for"
    return "no evidence", "No class stands out from the others; no trigger was looked for"


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


def about_control(test: FlipTest | Skipped) -> str:
    """What follows the reason of a finding where its trigger does as well when it is put on otherwise; "" elsewhere."""
    if isinstance(test, Skipped) or test.control_kind not in ITSELF_ELSEWHERE or not _as_good(test):
        return ""
    many = "as many" if test.control.value >= test.flips.value else "nearly as many"
    return (
        f"; its strongest control, {test.control_kind}, turns {many} clean samples, which speaks neither for nor "
        "against it: of a pattern of which any part will do, that is to be expected"
    )


def _as_good(test: FlipTest) -> bool:
    return test.flips.value - test.control.value < LEAST_GAIN


def _why_suspicious(findings: Sequence[ModelFinding], compared: bool) -> str:
    if not any(not isinstance(one.trigger, Skipped) for one in findings):
        return "A class stands out, and no trigger was recovered that could be tried"
    stands_out = f"A class stands out {'of what the references show' if compared else 'from the others'}"
    tests = [one.flip_test for one in findings if isinstance(one.flip_test, FlipTest)]
    if not tests:
        return f"{stands_out}, and its trigger could not be tried"
    if _as_good(tests[0]):
        return f"{stands_out}, but a control does nearly as well as its trigger"
    return f"{stands_out}, but its trigger turns fewer than half of the clean samples that it was tried on"


def _why_not(judged: Sequence[Heard], runs: Sequence[ModelDetectorRun]) -> str:
    judging = [run for run in runs if run.cut is not None] or runs
    reasons = "; ".join(dict.fromkeys(run.skipped.reason for run in judging if isinstance(run.skipped, Skipped)))
    if not judged:
        return f"No detector could judge: {reasons or 'none has a cut'}"
    names = " and ".join(one.spec for one in judged)
    few = f"Only {names} judged, without a look at clean samples or for triggers, and found nothing: that is too little"
    return f"{few}. The others did not run: {reasons}" if reasons else few
