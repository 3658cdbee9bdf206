"""What a scan says: why a class is a finding, the verdict, and its error rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bezoar.confirm.confirm import LARGE, Confirmation
from bezoar.confirm.content import MISLABELLED, labels_look_right
from bezoar.records import ClassSignal, Finding, Skipped, Verdict
from bezoar.scan.honest.words import counted, listed
from bezoar.scan.panel import in_words
from bezoar.scan.signals import SIGNIFICANCE
from bezoar.scan.strength import flips_hold, have_nothing_in_common, is_faint_detail, labels_are_wrong, turns

QUICK = "no trigger is tried at the budget quick"
UNNAMED = "hardly any sample there is odd by itself"
NATURAL = "what is odd there shows what its label says, as natural parts of a class do"
UNFAMILIAR_PART = (
    "what is odd there is of a kind that a network without it doesn't know, and bears no trigger that works"
)

STYLE_OF_ITS_OWN = (
    "what is odd there is of a kind that a network without it doesn't know, and what turns others is no more than the "
    "look of such pictures"
)

KIND_OF_ITS_OWN = (
    "it is made of unlike kinds of pictures: a large part looks like few of the other classes, as no trigger makes it"
)

LABEL_ERRORS = "what is odd there bears wrong labels and has nothing in common, as label errors do"


def why_no_finding(confirmation: Confirmation | None) -> str:
    """What there is to say of a nominee that stands out and is no finding; None of one that was spared the test."""
    if confirmation is None or labels_look_right(confirmation.content):
        return NATURAL
    if have_nothing_in_common(confirmation):
        return LABEL_ERRORS
    if confirmation.may_be_a_kind:
        return KIND_OF_ITS_OWN
    return STYLE_OF_ITS_OWN if turns(confirmation) else UNFAMILIAR_PART


def reason_of(signal: ClassSignal, confirmation: Confirmation | None, untested: str = QUICK) -> str:
    """Why, in a sentence or two. `untested` says why no trigger was tried where there is no confirmation."""
    stands = (
        f"Class {signal.class_name!r} stands out by {in_words(signal.detector)} "
        f"(p {signal.p_adjusted:.2g} over all classes and detectors)"
    )
    if confirmation is None:
        return f"{stands}; {untested}"
    test = confirmation.flip_test
    if isinstance(test, Skipped):
        return f"{stands}; no trigger could be tried: {test.reason}"
    flips = (
        f"The recovered trigger turns {test.flips.value:.0%} of clean samples{_of_classes(confirmation)} to it, "
        f"{test.control.value:.0%} under the strongest control"
    )
    if not flips_hold(test):
        of = f"{flips} (of {counted(test.flips.trials, 'sample')})"
        return f"{stands}, but not so that clean samples surely go over with a trigger. {of}"
    wrong = confirmation.content.mislabelled
    if wrong is None:
        return f"{flips}, but whether the suspects show what their label says could not be told"
    if is_faint_detail(confirmation):
        return f"{flips}, but by all their fine detail, which turns samples of other natural parts as well"
    if labels_are_wrong(confirmation):
        return f"{flips}, and {wrong:.0%} of the suspects don't show what their label says"
    if wrong >= MISLABELLED:
        if confirmation.is_amplified and confirmation.share <= LARGE:
            return f"{flips}, but stronger than the suspects bear it, and some of them show what their label says"
        if confirmation.is_filter and confirmation.share <= LARGE:
            return f"{flips}, but a part of a class may have such colours by nature, and some labels seem right"
        of = "so large a part of a class" if confirmation.share > LARGE else "so few suspects"
        return f"{flips}, but of {of} it can't be told whether they show what their label says"
    return (
        f"{flips}, but the suspects' labels look right: a clean-label attack looks like this, and so does an honest "
        "mark that only this class carries. Samples alone can't tell them apart: ask where the mark comes from"
    )


def verdict_of(
    findings: Sequence[Finding],
    *,
    judged: int,
    classes: int,
    tested: Sequence[str] = (),
    odd: Mapping[str, Sequence[str]] = MappingProxyType({}),
    turning: Sequence[str] = (),
    why_not: Sequence[str] = (),
) -> tuple[Verdict, str]:
    """The scan's verdict and why.

    `judged` of `classes` classes with samples have a statistic by a detector with a known false-alarm rate, `why_not`
    says why where none has; `tested` are the classes that had a trigger tried. `odd` classes stand out and are no
    findings, by the reason for it; of classes that are none `turning` have one that turns clean samples all the same.
    """
    confirmed = [finding for finding in findings if finding.strength == "confirmed"]
    if findings:
        told = "; ".join(map(_of, (confirmed or findings)[:3]))
        return "confirmed" if confirmed else "suspicious", told
    if classes < 2:
        return "inconclusive", "A backdoor leads from one class to another, and all samples are of one"
    if judged == 0:
        because = "; ".join(dict.fromkeys(why_not)) or "none has samples enough"
        return "inconclusive", f"No class can be judged by a detector with a known false-alarm rate: {because}"
    left = (
        f"; {classes - judged} of {counted(classes, 'class', 'classes')} too small to be judged"
        if classes > judged
        else ""
    )
    stand = [f"{listed(names)} {'stands' if len(names) == 1 else 'stand'} out, but {why}" for why, names in odd.items()]
    told = "; ".join(stand) if stand else f"None of {counted(judged, 'class', 'classes')} stands out"
    return "no evidence", f"{told}{_tried(tested, turning)}{left}"


def _of_classes(confirmation: Confirmation) -> str:
    """` of 2 classes` where a trigger's flips are counted in those alone; nothing where it turns all others."""
    others = len(confirmation.content.looks) - 1
    return (
        f" of {counted(len(confirmation.sources), 'class', 'classes')}"
        if 0 < len(confirmation.sources) < others
        else ""
    )


def _of(finding: Finding) -> str:
    return finding.reason if repr(finding.target) in finding.reason else f"{finding.target}: {finding.reason}"


def _tried(tested: Sequence[str], turning: Sequence[str]) -> str:
    if turning:
        return f"; what a part of {listed(turning)} looks like turns clean samples, as a natural part's look may"
    return f"; no trigger recovered from {listed(tested)} proves a backdoor" if tested else ""


def unlike_calibration(signals: Sequence[ClassSignal], findings: Sequence[Finding], classes: int) -> tuple[str, ...]:
    """A caution where more than half of the classes stand out and are no findings; else none.

    Detectors are calibrated: on data like those, none would in ninety-nine scans of a hundred.
    """
    named = {finding.target for finding in findings}
    standing = {signal.class_name for signal in signals if signal.fired} - named
    if 2 * len(standing) <= classes:
        return ()
    return (
        f"{len(standing)} of {counted(classes, 'class', 'classes')} stand out and are no findings: these data are "
        "unlike those on which the detectors' error rates were measured, and p-values mean little here.",
    )


def false_alarm_sentence(references: dict[str, tuple[int, int]]) -> str:
    """The stated error rate and what it rests on; `references` are classes and data sets for each kind of detector."""
    if not references:
        return "no detector of this scan has a known false-alarm rate"
    classes, sets = min(references.values())
    return (
        f"Of sound data like those the detectors were measured on, at most {SIGNIFICANCE:.0%} are called suspicious by "
        f"chance, over all classes and detectors; measured on {classes} sound classes of {sets} data sets or more."
    )
