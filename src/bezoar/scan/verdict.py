"""From a tested nominee to a word: confirmed, suspicious, or nothing; and from findings to the scan's verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from bezoar.confirm.confirm import Confirmation
from bezoar.confirm.content import MISLABELLED, Content, is_unfamiliar, labels_look_right
from bezoar.confirm.flips import LEAST_FLIPS, LEAST_GAIN
from bezoar.confirm.recover.recovered import Recovered
from bezoar.records import ClassSignal, Finding, FlipTest, Skipped, Verdict
from bezoar.records.scanning import Strength
from bezoar.scan.honest.words import counted, listed
from bezoar.scan.panel import FROM_SAMPLES, IN_DETAIL
from bezoar.scan.signals import SIGNIFICANCE

FLIP_SIGNIFICANCE = 1e-4
WITH_FLIPS = 0.02
"""Where a trigger works under right labels, a class is suspicious if it stands out at this level."""
MARKED_SHARE = 0.25
LARGE, MOSTLY_WRONG = 1 / 3, 0.85
"""Of suspects that make more than a third of their class so many labels must be wrong: a network that learnt the class
from what is left of it takes 65 to 80% of a natural part for something else."""
QUICK = "no trigger is tried at the budget quick"
UNNAMED = "hardly any sample there is odd by itself"
NATURAL = "what is odd there shows what its label says, as natural parts of a class do"
UNFAMILIAR_PART = (
    "what is odd there is of a kind that a network without it doesn't know, and bears no trigger that works"
)


@dataclass(frozen=True)
class Standing:
    """Where a class stands out: in its samples as such, without any network; and `marked`, see `marked_classes`."""

    in_samples: bool = False
    marked: bool = False


NOWHERE = Standing()


def flips_hold(test: FlipTest | Skipped) -> bool:
    """Whether clean samples go over to the target far more often than under the strongest matched control: by its value
    enough, and by its whole interval so much more.
    """
    return (
        isinstance(test, FlipTest)
        and test.flips.value >= LEAST_FLIPS
        and test.flips.low - test.control.value >= LEAST_GAIN
        and test.p_value <= FLIP_SIGNIFICANCE
    )


def strength_of(
    signal: ClassSignal, confirmation: Confirmation | None, standing: Standing = NOWHERE
) -> Strength | None:
    """The word for a nominee. None: neither statistics nor flips say anything.

    Confirmed: flips hold and the suspects' labels are mostly wrong. Labels that are right, with a mark that turns other
    classes, are what a clean-label attack looks like, and what an honest mark on one class looks like too: that is
    suspicious where the class stands out as well, at 2% over all classes and detectors. So is a class that stands out
    at 1% although nothing flips, unless it is natural, see `is_natural`.
    """
    if confirmation is None:
        return "suspicious" if signal.p_adjusted <= SIGNIFICANCE else None
    if is_natural(confirmation, standing):
        return None
    if flips_hold(confirmation.flip_test) and labels_are_wrong(confirmation):
        return "confirmed"
    level = WITH_FLIPS if flips_hold(confirmation.flip_test) else SIGNIFICANCE
    return "suspicious" if signal.p_adjusted <= level else None


def could_matter(signal: ClassSignal, shown: Sequence[Content]) -> bool:
    """Whether any trigger could make a finding of a class, by what its suspects show as they are.

    A class that does not stand out is a finding only where flips hold and most labels are wrong.
    """
    return signal.p_adjusted <= WITH_FLIPS or not all(labels_look_right(one) for one in shown)


def labels_are_wrong(confirmation: Confirmation) -> bool:
    """Whether the suspects' labels are wrong by so much that their class can't explain it."""
    wrong = confirmation.content.mislabelled
    return wrong is not None and wrong >= (MOSTLY_WRONG if confirmation.share > LARGE else MISLABELLED)


def standings(signals: Sequence[ClassSignal], classes: int) -> dict[str, Standing]:
    """Where each class stands out that does so, at 2% or more surely. `classes` is the number of all."""
    loud = [one for one in signals if one.p_adjusted <= WITH_FLIPS]
    in_samples = {one.class_name for one in loud if one.detector in FROM_SAMPLES}
    marked = marked_classes(signals, classes)
    return {name: Standing(name in in_samples, name in marked) for name in sorted({one.class_name for one in loud})}


def marked_classes(signals: Sequence[ClassSignal], classes: int) -> frozenset[str]:
    """Classes that stand out in the finest detail of their samples, where few do: at most a quarter of all, or one.

    What a network makes of a class falls into natural parts, and drawn pictures share pixels by nature; fine detail
    hardly does. A mark that many classes share is no clean-label attack, which has one target.
    """
    found = frozenset(one.class_name for one in signals if one.fired and one.detector == IN_DETAIL)
    return found if len(found) <= max(1, MARKED_SHARE * classes) else frozenset()


def is_natural(confirmation: Confirmation, standing: Standing) -> bool:
    """Whether suspects are no more than a part of their class.

    Most show what their labels say, red cars among cars, and their trigger turns nothing. Not so where the class is
    marked: a clean-label attack whose trigger could not be recovered looks like this. Others are unlike all that a
    network without them has met, and no detector finds them that asks no network: passports upside down, of which there
    are few. Their trigger turns nothing either, or it is all their fine detail, which carries what drawings show.
    """
    turns = flips_hold(confirmation.flip_test)
    if is_unfamiliar(confirmation.content) and not standing.in_samples:
        return not turns or _is_detail(confirmation)
    return labels_look_right(confirmation.content) and not (turns or standing.marked)


def _is_detail(confirmation: Confirmation) -> bool:
    return isinstance(confirmation.trigger, Recovered) and confirmation.trigger.kind == "residual"


def why_no_finding(confirmation: Confirmation | None) -> str:
    """What there is to say of a nominee that stands out and is no finding; None of one that was spared the test."""
    right = confirmation is None or labels_look_right(confirmation.content)
    return NATURAL if right else UNFAMILIAR_PART


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
    if labels_are_wrong(confirmation):
        return f"{flips}, and {wrong:.0%} of the suspects don't show what their label says"
    if wrong >= MISLABELLED:
        return f"{flips}, but of so large a part of a class it can't be told whether it shows what its label says"
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
    odd: Mapping[str, Sequence[str]] = MappingProxyType({}),
    why_not: Sequence[str] = (),
) -> tuple[Verdict, str]:
    """The scan's verdict and why.

    `judged` of `classes` classes with samples have a statistic by a detector with a known false-alarm rate, `why_not`
    says why where none has; `tested` classes had a trigger tried. `odd` classes stand out and are no findings, by the
    reason for it.
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
    stand = [f"{listed(names)} {'stands' if len(names) == 1 else 'stand'} out, but {why}" for why, names in odd.items()]
    told = "; ".join(stand) if stand else f"none of {counted(judged, 'class', 'classes')} stands out"
    return "no evidence", f"{told}{tried}{left}"


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
