"""From a tested nominee to a word: confirmed, suspicious, or nothing; and from findings to the scan's verdict."""

from __future__ import annotations

from collections.abc import Sequence

from bezoar.confirm.confirm import Confirmation
from bezoar.confirm.content import MISLABELLED, Content, labels_look_right
from bezoar.records import ClassSignal, Finding, FlipTest, Skipped, Verdict
from bezoar.records.scanning import Strength
from bezoar.scan.honest.words import counted, listed
from bezoar.scan.panel import IN_DETAIL
from bezoar.scan.signals import SIGNIFICANCE

LEAST_FLIPS, LEAST_GAIN = 0.3, 0.2
"""Confirmed needs this share of flips, and the whole interval this far above the control's value."""
FLIP_SIGNIFICANCE = 1e-4
WITH_FLIPS = 0.02
"""Where a trigger works under right labels, a class is suspicious if it stands out at this level."""
MARKED_SHARE = 0.25
QUICK = "no trigger is tried at the budget quick"


def flips_hold(test: FlipTest | Skipped) -> bool:
    """Whether clean samples go over to the target far more often than under the strongest matched control."""
    return (
        isinstance(test, FlipTest)
        and test.flips.value >= LEAST_FLIPS
        and test.flips.low - test.control.value >= LEAST_GAIN
        and test.p_value <= FLIP_SIGNIFICANCE
    )


def strength_of(signal: ClassSignal, confirmation: Confirmation | None, *, marked: bool = False) -> Strength | None:
    """The word for a nominee. None: neither statistics nor flips say anything.

    Confirmed: flips hold and the suspects' labels are mostly wrong. Labels that are right, with a mark that turns other
    classes, are what a clean-label attack looks like, and what an honest mark on one class looks like too: that is
    suspicious where the class stands out as well, at 2% over all classes and detectors. So is a class that stands out
    at 1% although nothing flips, unless its suspects show what their labels say: then it is a part such as many
    classes have, red cars among cars. It is not where the class is `marked`, see `marked_classes`: a clean-label attack
    whose trigger could not be recovered looks like this.
    """
    if confirmation is None:
        return "suspicious" if signal.p_adjusted <= SIGNIFICANCE else None
    wrong = confirmation.content.mislabelled
    if flips_hold(confirmation.flip_test):
        if wrong is not None and wrong >= MISLABELLED:
            return "confirmed"
        return "suspicious" if signal.p_adjusted <= WITH_FLIPS else None
    stands_out = signal.p_adjusted <= SIGNIFICANCE and (marked or not is_natural(confirmation))
    return "suspicious" if stands_out else None


def could_matter(signal: ClassSignal, shown: Sequence[Content]) -> bool:
    """Whether any trigger could make a finding of a class, by what its suspects show as they are.

    A class that does not stand out is a finding only where flips hold and most labels are wrong.
    """
    return signal.p_adjusted <= WITH_FLIPS or not all(labels_look_right(one) for one in shown)


def marked_classes(signals: Sequence[ClassSignal], classes: int) -> frozenset[str]:
    """Classes that stand out in the finest detail of their samples, where few do: at most a quarter of all, or one.

    What a network makes of a class falls into natural parts, and drawn pictures share pixels by nature; fine detail
    hardly does. A mark that many classes share is no clean-label attack, which has one target.
    """
    found = frozenset(one.class_name for one in signals if one.fired and one.detector == IN_DETAIL)
    return found if len(found) <= max(1, MARKED_SHARE * classes) else frozenset()


def is_natural(confirmation: Confirmation) -> bool:
    """Whether suspects whose trigger turns nothing show what their labels say: no more than a part of their class."""
    return not flips_hold(confirmation.flip_test) and labels_look_right(confirmation.content)


def reason_of(signal: ClassSignal, confirmation: Confirmation | None, untested: str = QUICK) -> str:
    """Why, in a sentence or two. `untested` says why no trigger was tried where there is no confirmation."""
    stands = (
        f"class {signal.class_name!r} stands out by {signal.detector} "
        f"(p {signal.p_adjusted:.2g} over all classes and detectors)"
    )
    if confirmation is None:
        return f"{stands}; {untested}"
    test = confirmation.flip_test
    if isinstance(test, Skipped):
        return f"{stands}; no trigger could be tried: {test.reason}"
    flips = (
        f"the recovered trigger turns {test.flips.value:.0%} of clean samples to it, "
        f"{test.control.value:.0%} under the strongest control"
    )
    if not flips_hold(test):
        of = f"{flips} (of {counted(test.flips.trials, 'sample')})"
        return f"{stands}, but not so that clean samples surely go over with a trigger: {of}"
    wrong = confirmation.content.mislabelled
    if wrong is None:
        return f"{flips}, but whether the suspects show what their label says could not be told"
    if wrong >= MISLABELLED:
        return f"{flips}, and {wrong:.0%} of the suspects don't show what their label says"
    return (
        f"{flips}, but the suspects' labels look right: a clean-label attack looks like this, and so does an honest "
        "mark that only this class carries. Samples alone can't tell them apart: ask where the mark comes from"
    )


def verdict_of(
    findings: Sequence[Finding],
    *,
    judged: int,
    classes: int,
    tested: int,
    natural: Sequence[str] = (),
    why_not: Sequence[str] = (),
) -> tuple[Verdict, str]:
    """The scan's verdict and why.

    `judged` of `classes` classes with samples have a statistic by a detector with a known false-alarm rate, `why_not`
    says why where none has; `tested` classes had a trigger tried. `natural` are those that stand out and are no
    findings: whose suspects show what their labels say.
    """
    confirmed = [finding for finding in findings if finding.strength == "confirmed"]
    if findings:
        told = "; ".join(f"{finding.target}: {finding.reason}" for finding in (confirmed or findings)[:3])
        return "confirmed" if confirmed else "suspicious", told
    if judged == 0:
        because = "; ".join(dict.fromkeys(why_not)) or "none has samples enough"
        return "inconclusive", f"no class can be judged by a detector with a known false-alarm rate: {because}"
    left = (
        f"; {classes - judged} of {counted(classes, 'class', 'classes')} too small to be judged"
        if classes > judged
        else ""
    )
    tried = ", and no recovered trigger turned clean samples" if tested else ""
    if natural:
        stand = f"{listed(natural)} {'stands' if len(natural) == 1 else 'stand'} out, but what is odd there shows"
        return "no evidence", f"{stand} what its label says, as natural parts of a class do{tried}{left}"
    return "no evidence", f"none of {counted(judged, 'class', 'classes')} stands out{tried}{left}"


def false_alarm_sentence(references: dict[str, tuple[int, int]]) -> str:
    """The stated error rate and what it rests on; `references` are classes and data sets for each kind of detector."""
    if not references:
        return "no detector of this scan has a known false-alarm rate"
    classes, sets = min(references.values())
    return (
        f"Chance of a suspicious verdict on data like those of the calibration: {SIGNIFICANCE:.0%} over all classes "
        f"and detectors (Holm), from statistics of at least {classes} clean classes in {sets} data sets, with "
        "exponential tails beyond them."
    )
