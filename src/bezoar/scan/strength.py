"""From a tested nominee to a word: confirmed, suspicious, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bezoar.confirm.confirm import LARGE, Confirmation
from bezoar.confirm.content import Content, is_one_kind, is_unfamiliar, labels_look_right, surely_right
from bezoar.confirm.flips import LEAST_FLIPS, LEAST_GAIN
from bezoar.metrics.intervals import wilson
from bezoar.records import ClassSignal, FlipTest, Skipped
from bezoar.records.scanning import Strength
from bezoar.scan.panel import IN_DETAIL, MARKS
from bezoar.scan.signals import SIGNIFICANCE

FLIP_SIGNIFICANCE = 1e-4
WITH_FLIPS = 0.02
"""Where a trigger works under right labels, a class is suspicious if it stands out at this level."""
SURELY_TURNS, SURELY_GAINS = 0.8, 0.4
"""What an unlike kind shows by itself, fine detail or pieces, turned 59 to 74% of samples, 27 to 56 points more than
controls. Poisons of few classes that are found by nothing else turn more."""
DETAIL_TURNS, DETAIL_GAINS = 0.7, 0.35
"""All fine detail of poisons turned 76 to 100% of samples, 37 to 65 points more than controls did; that of negatives of
a third of the frogs, under right labels, 70%, 22 more, and of natural parts 58% at most where it gained as much."""
SHARED = 0.1
"""Of suspects a network finds this share at least by what it learnt from others, or they have nothing in common."""
MARKED_SHARE = 0.25
SURELY_WRONG = 1 / 3
"""Of a dozen suspects half may seem mislabelled by chance: six of twelve are a quarter surely, 20 of 40 a third."""
MOSTLY_WRONG = 0.85
"""Of suspects that make more than a third of their class so many labels must be wrong: a network that learnt the class
from what is left of it takes 65 to 80% of a natural part for something else."""


@dataclass(frozen=True)
class Standing:
    """Where a class stands out: `in_samples`, by a mark that shows whatever they do and without any network; and
    `marked`, see `marked_classes`.
    """

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


def turns(confirmation: Confirmation) -> bool:
    """Whether the trigger surely turns samples, and may not be what a kind of picture shows that shares the class."""
    test = confirmation.flip_test
    if isinstance(test, Skipped) or not flips_hold(test):
        return False
    strongly = test.flips.value >= SURELY_TURNS and test.flips.value - test.control.value >= SURELY_GAINS
    # What no network has met is learnt whole: the detail of white on black alone turned 94% of black on white.
    surely = strongly and not is_unfamiliar(confirmation.content)
    return surely or not (confirmation.may_be_a_kind and confirmation.may_be_its_own)


def strength_of(
    signal: ClassSignal,
    confirmation: Confirmation | None,
    standing: Standing = NOWHERE,
    shown: Content | None = None,
) -> Strength | None:
    """The word for a nominee. None: neither statistics nor flips say anything.

    Confirmed: flips hold and the suspects' labels are mostly wrong. Labels that are right, with a mark that turns other
    classes, are what a clean-label attack looks like, and what an honest mark on one class looks like too: that is
    suspicious where the class stands out as well, at 2% over all classes and detectors. So is a class that stands out
    at 1% although nothing flips, unless it is natural, see `is_natural`. Where no trigger is tried, suspects that are
    surely what their labels say, by what is `shown` of them, are no finding unless their class is marked.
    """
    if confirmation is None:
        natural = shown is not None and surely_right(shown) and not standing.marked
        return "suspicious" if signal.p_adjusted <= SIGNIFICANCE and not natural else None
    if is_natural(confirmation, standing):
        return None
    if turns(confirmation) and labels_are_wrong(confirmation) and not is_faint_detail(confirmation):
        return "confirmed"
    level = WITH_FLIPS if turns(confirmation) else SIGNIFICANCE
    return "suspicious" if signal.p_adjusted <= level else None


def is_faint_detail(confirmation: Confirmation) -> bool:
    """Whether the trigger is all fine detail of the suspects, and turns hardly more than a natural part's would."""
    test = confirmation.flip_test
    if not confirmation.is_detail or isinstance(test, Skipped):
        return False
    return test.flips.value < DETAIL_TURNS or test.flips.value - test.control.value < DETAIL_GAINS


def could_matter(signal: ClassSignal, shown: Sequence[Content]) -> bool:
    """Whether any trigger could make a finding of a class, by what its suspects show as they are.

    A class that does not stand out is a finding only where flips hold and most labels are wrong.
    """
    return signal.p_adjusted <= WITH_FLIPS or not all(labels_look_right(one) for one in shown)


def hangs_on_company(signal: ClassSignal, confirmation: Confirmation, standing: Standing) -> bool:
    """Whether what suspects have in common must tell what they are: odd, under wrong labels, and nothing flips."""
    found = strength_of(signal, confirmation, standing)
    return found == "suspicious" and not (turns(confirmation) or labels_look_right(confirmation.content))


def have_nothing_in_common(confirmation: Confirmation) -> bool:
    """Whether suspects teach a network nothing of each other; False where that was not asked."""
    return confirmation.in_common is not None and confirmation.in_common < SHARED


def labels_are_wrong(confirmation: Confirmation) -> bool:
    """Whether the suspects' labels are wrong by so much that their class can't explain it.

    Red made three times as strong as in red cars turns samples, and of these cars three quarters look like trucks.
    """
    content = confirmation.content
    if confirmation.share > LARGE or confirmation.is_amplified or confirmation.is_filter:
        return are_mostly_wrong(content)
    return not labels_look_right(content) and surely_wrong(content) >= SURELY_WRONG


def are_mostly_wrong(content: Content) -> bool:
    """Whether so many labels are wrong that no kind of picture which shares a class explains it."""
    return content.mislabelled is not None and content.mislabelled >= MOSTLY_WRONG


def is_a_kind_of_the_class(content: Content) -> bool:
    """Whether many suspects look like their label still, or all others like few classes; False where it is not told."""
    partly_right = content.mislabelled is not None and not are_mostly_wrong(content)
    return partly_right or is_one_kind(content)


def surely_wrong(content: Content) -> float:
    """The share of wrong labels that is exceeded in 97.5 of 100 draws of so many suspects; 0 where none can be told."""
    count = sum(content.looks)
    return wilson(round((content.mislabelled or 0.0) * count), count).low if count else 0.0


def standings(signals: Sequence[ClassSignal], classes: int) -> dict[str, Standing]:
    """Where each class stands out that does so, at 2% or more surely. `classes` is the number of all."""
    loud = [one for one in signals if one.p_adjusted <= WITH_FLIPS]
    in_samples = {one.class_name for one in loud if one.detector in MARKS}
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

    Most show what their labels say, red cars among cars, and either their trigger turns nothing or no detector finds
    them that asks no network: whatever network is asked, airplanes in the sky are apart, and blue turns others. Not so
    where the class is marked: a clean-label attack whose trigger could not be recovered looks like this. Others are
    unlike all that a network without them has met, and no detector of samples alone finds them either: passports
    upside down, of which there are few. Their trigger turns nothing, or it is all their fine detail, which carries what
    drawings show; or many look like their label still, and all others like one class, as ones with a foot look like
    eights: what is blended in is then a digit of its own. Others again are a large part of a class that is made of
    unlike kinds, or label errors, which have nothing in common, and turn nothing.
    """
    working = turns(confirmation)
    if is_unfamiliar(confirmation.content) and not standing.in_samples:
        return not working or confirmation.is_detail or is_a_kind_of_the_class(confirmation.content)
    if (confirmation.may_be_a_kind or have_nothing_in_common(confirmation)) and not working:
        return True
    return labels_look_right(confirmation.content) and not (standing.marked or (working and standing.in_samples))
