"""The truth table: statistic, flips and content make the word; words make the verdict; sentences say what was seen."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from bezoar.confirm.confirm import Confirmation
from bezoar.confirm.content import Content
from bezoar.confirm.flips import LEAST_GAIN
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.recover.recovered import Recovered
from bezoar.metrics import wilson
from bezoar.records import ClassSignal, Finding, FlipTest, Skipped
from bezoar.scan.panel import BY_CONTENT, IN_DETAIL
from bezoar.scan.strength import (
    FLIP_SIGNIFICANCE,
    Standing,
    could_matter,
    flips_hold,
    marked_classes,
    standings,
    strength_of,
)
from bezoar.scan.verdict import (
    KIND_OF_ITS_OWN,
    NATURAL,
    QUICK,
    STYLE_OF_ITS_OWN,
    UNFAMILIAR_PART,
    UNNAMED,
    false_alarm_sentence,
    reason_of,
    unlike_calibration,
    verdict_of,
    why_no_finding,
)

FIRED, NEARLY, WEAK = 0.01, 0.02, 0.3
"""Adjusted p-values: at what fires, at what nominates, and neither."""

WORKS = FlipTest(wilson(180, 200), wilson(10, 200), "a control", 3, 1e-20, (), "a model")
FAILS = replace(WORKS, flips=wilson(12, 200), p_value=0.4)


def signal(p_adjusted: float) -> ClassSignal:
    return ClassSignal("shared-pixels", "bee", 0.7, p_adjusted / 10, p_adjusted, p_adjusted <= 0.01)


def confirmation(test: FlipTest | Skipped, mislabelled: float | None, familiar: float | None = None) -> Confirmation:
    content = Content(agree=0.1, genuine_agree=0.9, mislabelled=mislabelled, looks=(30, 10), familiar=familiar)
    trigger = Skipped("of no matter here")
    return Confirmation(Hypothesis(1, ("a",), "shared-pixels"), trigger, test, content, ())


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        (WORKS, True),
        (FAILS, False),
        (Skipped("no samples"), False),
        (replace(WORKS, p_value=FLIP_SIGNIFICANCE), True),
        (replace(WORKS, p_value=1.1 * FLIP_SIGNIFICANCE), False),
        (replace(WORKS, flips=wilson(58, 200), control=wilson(0, 200)), False),  # 29%
        (replace(WORKS, flips=wilson(64, 200), control=wilson(0, 200)), True),  # 32%, 25.9% at least
        (replace(WORKS, flips=wilson(180, 200), control=wilson(140, 200)), False),  # the control does it as well
        (replace(WORKS, flips=wilson(3, 5), control=wilson(0, 5)), True),
        (replace(WORKS, flips=wilson(2, 5), control=wilson(0, 5)), False),  # 40%, but 11.8% is as likely
    ],
)
def test_flips_hold_when_share_gain_and_p_value_do(test: FlipTest | Skipped, holds: bool) -> None:
    if isinstance(test, FlipTest) and test.flips.trials == 5:
        assert (test.flips.low >= LEAST_GAIN) == holds
    assert flips_hold(test) == holds


@pytest.mark.parametrize(
    ("p_adjusted", "test", "mislabelled", "word"),
    [
        # Flips and wrong labels confirm, whatever the statistic.
        (FIRED, WORKS, 0.9, "confirmed"),
        (NEARLY, WORKS, 0.9, "confirmed"),
        (WEAK, WORKS, 0.9, "confirmed"),
        (FIRED, WORKS, 0.5, "confirmed"),
        # Flips and right labels: a clean-label attack, or an honest mark.
        (FIRED, WORKS, 0.49, "suspicious"),
        (NEARLY, WORKS, 0.0, "suspicious"),
        (WEAK, WORKS, 0.0, None),
        (FIRED, WORKS, None, "suspicious"),
        (WEAK, WORKS, None, None),
        # No flips: the statistic alone, however wrong the labels.
        (FIRED, FAILS, 0.9, "suspicious"),
        (NEARLY, FAILS, 0.9, None),
        (FIRED, Skipped("too few"), 0.9, "suspicious"),
        (NEARLY, Skipped("too few"), 0.9, None),
        (FIRED, FAILS, None, "suspicious"),
        # Nothing flips and the labels are right: a natural part of the class.
        (FIRED, FAILS, 0.49, None),
        (FIRED, Skipped("too few"), 0.0, None),
    ],
)
def test_the_word_for_a_nominee(
    p_adjusted: float, test: FlipTest | Skipped, mislabelled: float | None, word: str | None
) -> None:
    assert strength_of(signal(p_adjusted), confirmation(test, mislabelled), Standing(in_samples=True)) == word


def test_what_only_networks_find_apart_turns_others_by_nature() -> None:
    # Airplanes in the sky, found by a user's own network: blue turned 43% of samples.
    assert strength_of(signal(FIRED), confirmation(WORKS, 0.1)) is None
    assert strength_of(signal(FIRED), confirmation(WORKS, 0.9)) == "confirmed"


@pytest.mark.parametrize(
    ("kind", "flips", "apart", "share", "word"),
    [
        ("residual", 128, 0.53, 0.5, None),  # frogs in a class with airplanes turned 64%
        ("residual", 158, 0.53, 0.4, None),
        ("pieces", 128, 0.23, 0.4, None),
        ("residual", 142, 0.08, 0.5, "confirmed"),  # from all classes alike, as poisons are
        ("residual", 142, None, 0.5, "confirmed"),
        ("residual", 164, 0.53, 0.5, "confirmed"),  # one source class, and a trigger that works
        ("additive", 128, 0.53, 0.5, "confirmed"),  # more than what samples show as they are
        ("residual", 142, 0.53, 0.3, "confirmed"),  # no large part
        ("residual", 40, 0.53, 0.5, None),
        ("residual", 40, 0.08, 0.5, "suspicious"),
        ("additive", 40, 0.53, 0.5, None),
    ],
)
def test_an_unlike_kind_in_a_class_is_natural(
    kind: str, flips: int, apart: float | None, share: float, word: str | None
) -> None:
    trigger = Recovered(kind, "made up", lambda images: images, torch.zeros(3, 8, 8, dtype=torch.uint8))
    test = replace(WORKS, flips=wilson(flips, 200))
    tested = replace(confirmation(test, 0.95), trigger=trigger, share=share)
    tested = replace(tested, content=replace(tested.content, apart=apart))
    assert strength_of(signal(FIRED), tested, Standing(in_samples=True)) == word
    if word is None:
        assert why_no_finding(tested) == KIND_OF_ITS_OWN
    if flips == 164:  # three kinds in each of three classes turned 74% against 45%
        tested = replace(tested, flip_test=replace(test, control=wilson(90, 200)))
        assert strength_of(signal(FIRED), tested, Standing(in_samples=True)) is None


@pytest.mark.parametrize(("p_adjusted", "word"), [(FIRED, "suspicious"), (NEARLY, None)])
def test_a_part_with_right_labels_is_not_natural_in_a_marked_class(p_adjusted: float, word: str | None) -> None:
    assert strength_of(signal(p_adjusted), confirmation(FAILS, 0.0), Standing(in_samples=True, marked=True)) == word


@pytest.mark.parametrize(
    ("standing_out", "detector", "marked"),
    [
        ({"bee"}, IN_DETAIL, {"bee"}),
        ({"bee"}, "shared-pixels", set()),  # drawn pictures share pixels by nature
        ({"bee"}, "spectre", set()),  # features fall into natural parts
        ({"ant", "bee"}, IN_DETAIL, {"ant", "bee"}),
        ({"ant", "bee", "cat"}, IN_DETAIL, set()),  # three of eight: a mark that all sorts of classes have
        (set(), IN_DETAIL, set()),
    ],
)
def test_classes_are_marked_where_few_stand_out_in_their_samples(
    standing_out: set[str], detector: str, marked: set[str]
) -> None:
    names = ("ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen")
    signals = [
        ClassSignal(detector, name, 0.7, 1e-5, 1e-3 if name in standing_out else 0.5, name in standing_out)
        for name in names
    ]
    assert marked_classes(signals, len(names)) == marked
    assert marked_classes(signals[:2], 2) == (marked if len(marked) < 2 else set())


@pytest.mark.parametrize("p_adjusted", [FIRED, NEARLY, WEAK])
@pytest.mark.parametrize("shown", [0.0, 0.49, 0.5, 1.0, None])
def test_who_is_spared_the_test_could_not_have_been_a_finding(p_adjusted: float, shown: float | None) -> None:
    content = Content(agree=0.1, genuine_agree=0.9, mislabelled=shown, looks=(3, 1))
    if not could_matter(signal(p_adjusted), [content]):
        for test in (WORKS, FAILS, Skipped("too few")):
            # Whatever is recovered puts labels right or leaves them.
            for wrong in {0.0, shown}:
                assert strength_of(signal(p_adjusted), confirmation(test, wrong)) is None


def test_one_rival_with_wrong_labels_is_reason_enough() -> None:
    right, wrong = (Content(0.5, 0.9, share, (1, 1)) for share in (0.1, 0.9))
    assert could_matter(signal(WEAK), [right, wrong])
    assert not could_matter(signal(WEAK), [right, right])
    assert could_matter(signal(NEARLY), [right])


@pytest.mark.parametrize(("p_adjusted", "word"), [(FIRED, "suspicious"), (WEAK, None)])
def test_without_a_test_nothing_is_confirmed(p_adjusted: float, word: str | None) -> None:
    assert strength_of(signal(p_adjusted), None) == word


@pytest.mark.parametrize(
    ("tested", "said", "unsaid"),
    [
        (None, [QUICK, "'bee' stands out by pixels that many of its samples share", "p 0.01"], ["flips", "turns"]),
        (
            confirmation(WORKS, 0.9),
            ["turns 90% of", "5% under the strongest", "90% of the suspects don't show"],
            ["honest"],
        ),
        (confirmation(WORKS, 0.1), ["turns 90%", "labels look right", "honest mark"], ["don't show what"]),
        (confirmation(WORKS, None), ["turns 90%", "could not be told"], ["labels look right", "don't show what"]),
        (confirmation(FAILS, 0.9), ["'bee' stands out", "turns 6%"], ["don't show"]),
        (confirmation(Skipped("too few samples"), 0.9), ["'bee' stands out", "too few samples"], ["turns"]),
    ],
)
def test_a_reason_says_what_was_seen_and_no_more(
    tested: Confirmation | None, said: list[str], unsaid: list[str]
) -> None:
    reason = reason_of(signal(FIRED), tested)
    assert all(part in reason for part in said)
    assert not any(part in reason for part in unsaid)


def test_a_reason_names_what_kept_triggers_from_being_tried() -> None:
    assert reason_of(signal(FIRED), None, "nothing can be learnt").endswith("; nothing can be learnt")


def finding(target: str, strength: str) -> Finding:
    none = Skipped("none")
    return Finding("f", strength, target, (), f"because of {target}", (), (), none, none, "", (), (), ())


def test_findings_make_the_verdict() -> None:
    odd, sure = finding("bee", "suspicious"), finding("cat", "confirmed")
    numbers = {"judged": 10, "classes": 10, "tested": ["ant", "bee"]}
    assert verdict_of([odd], **numbers) == ("suspicious", "bee: because of bee")
    assert verdict_of([replace(odd, reason="Class 'bee' is odd")], **numbers)[1] == "Class 'bee' is odd"
    assert verdict_of([odd, sure], **numbers) == ("confirmed", "cat: because of cat")
    # What is known outweighs what is not: a finding stands though not every class was judged.
    assert verdict_of([odd], judged=1, classes=10)[0] == "suspicious"


def test_silence_is_no_evidence_or_inconclusive() -> None:
    assert verdict_of([], judged=10, classes=10) == ("no evidence", "None of 10 classes stands out")
    tried = verdict_of([], judged=10, classes=10, tested=["ant", "bee"])[1]
    assert tried.endswith("; no trigger recovered from ant and bee proves a backdoor")
    assert verdict_of([], judged=10, classes=10, odd={NATURAL: ["bee"]}) == (
        "no evidence",
        "bee stands out, but what is odd there shows what its label says, as natural parts of a class do",
    )
    turned = verdict_of([], judged=10, classes=10, tested=["ant", "bee"], turning=["bee"])[1]
    assert "a part of bee looks like turns clean samples" in turned
    assert "no trigger" not in turned
    assert (
        "bee and cat stand out"
        in verdict_of([], judged=10, classes=10, tested=["bee"], odd={NATURAL: ["bee", "cat"]})[1]
    )


def test_of_a_class_that_is_odd_as_a_whole_nothing_is_said_about_what_samples_show() -> None:
    _, reason = verdict_of([], judged=10, classes=10, odd={NATURAL: ["bee"], UNNAMED: ["ant"]})
    assert reason == (
        "bee stands out, but what is odd there shows what its label says, as natural parts of a class do; "
        "ant stands out, but hardly any sample there is odd by itself"
    )


@pytest.mark.parametrize(
    ("test", "familiar", "in_samples", "word"),
    [
        (FAILS, 0.05, False, None),
        (FAILS, 0.05, True, "suspicious"),  # a loud trigger that could not be recovered makes pictures unfamiliar
        (FAILS, 0.2, False, "suspicious"),  # familiar pictures under wrong labels
        (FAILS, None, False, "suspicious"),
        (WORKS, 0.05, False, "confirmed"),
    ],
)
def test_a_kind_of_picture_that_no_network_has_met_is_natural_where_only_features_tell_it(
    test: FlipTest, familiar: float | None, in_samples: bool, word: str | None
) -> None:
    for wrong in (0.9, None) if test is FAILS else (0.9,):
        assert strength_of(signal(FIRED), confirmation(test, wrong, familiar), Standing(in_samples)) == word


@pytest.mark.parametrize(("wrong", "word"), [(0.84, "suspicious"), (0.86, "confirmed"), (0.3, None)])
def test_a_trigger_made_stronger_than_it_is_borne_proves_nothing_where_suspects_look_like_their_label(
    wrong: float, word: str | None
) -> None:
    """Beside a true backdoor red cars were confirmed: of them three quarters look like trucks, and red turns others."""
    tested = confirmation(WORKS, wrong, 0.5)
    borne = Recovered("additive", "made up", lambda images: images, torch.zeros(3, 8, 8, dtype=torch.uint8))
    louder = replace(tested, trigger=replace(borne, borne=borne))
    assert strength_of(signal(FIRED), louder) == word
    assert strength_of(signal(WEAK), replace(tested, trigger=borne)) == (None if word is None else "confirmed")
    if word == "suspicious":
        assert strength_of(signal(WEAK), louder) is None
        assert "stronger than the suspects bear it" in reason_of(signal(FIRED), louder)


@pytest.mark.parametrize(
    ("kind", "flips", "control", "word"),
    [
        ("residual", 142, 80, "suspicious"),
        ("residual", 130, 10, "suspicious"),
        ("residual", 152, 78, "confirmed"),
        ("patch", 142, 80, "confirmed"),
    ],
)
def test_fine_detail_alone_proves_where_it_turns_more_than_that_of_natural_parts(
    kind: str, flips: int, control: int, word: str
) -> None:
    trigger = Recovered(kind, "made up", lambda images: images, torch.zeros(3, 8, 8, dtype=torch.uint8))
    test = replace(WORKS, flips=wilson(flips, 200), control=wilson(control, 200))
    tested = replace(confirmation(test, 0.95, 0.5), trigger=trigger)
    assert strength_of(signal(FIRED), tested) == word
    assert ("natural parts" in reason_of(signal(FIRED), tested)) == (word == "suspicious")
    assert strength_of(signal(WEAK), tested) == (None if word == "suspicious" else word)


@pytest.mark.parametrize(("wrong", "word"), [(0.84, "suspicious"), (0.86, "confirmed"), (0.3, None)])
def test_colours_that_a_part_of_a_class_may_have_by_nature_prove_where_most_labels_are_wrong(
    wrong: float, word: str | None
) -> None:
    filtering = Recovered("colours", "made up", lambda images: images, torch.zeros(3, 8, 8, dtype=torch.uint8))
    tested = replace(confirmation(WORKS, wrong, 0.5), trigger=filtering)
    assert strength_of(signal(FIRED), tested) == word
    assert ("by nature" in reason_of(signal(FIRED), tested)) == (word == "suspicious")


@pytest.mark.parametrize(("kind", "word"), [("residual", None), ("additive", "suspicious"), ("patch", "suspicious")])
@pytest.mark.parametrize("in_samples", [False, True])
def test_the_details_of_such_a_kind_turn_samples_by_nature(kind: str, word: str | None, in_samples: bool) -> None:
    trigger = Recovered(kind, "made up", lambda images: images, torch.zeros(3, 8, 8, dtype=torch.uint8))
    tested = replace(confirmation(WORKS, None, 0.05), trigger=trigger)
    assert strength_of(signal(NEARLY), tested, Standing(in_samples)) == ("suspicious" if in_samples else word)
    partly = replace(confirmation(WORKS, 0.4, 0.05), trigger=trigger)
    assert strength_of(signal(NEARLY), partly, Standing(in_samples)) == ("suspicious" if in_samples else None)


@pytest.mark.parametrize(("familiar", "word"), [(0.01, None), (0.3, "confirmed")])
@pytest.mark.parametrize("in_samples", [False, True])
def test_the_whole_look_of_a_large_kind_that_no_network_has_met_is_no_proof(
    familiar: float, word: str | None, in_samples: bool
) -> None:
    """White on black, suspected in place of the third of a class that is black on white, turned 94% of that by detail."""
    trigger = Recovered("residual", "made up", lambda images: images, torch.zeros(3, 8, 8, dtype=torch.uint8))
    tested = replace(confirmation(WORKS, 1.0, familiar), trigger=trigger, share=0.72)
    tested = replace(tested, content=replace(tested.content, apart=0.44))
    assert strength_of(signal(FIRED), tested, Standing(in_samples)) == word


@pytest.mark.parametrize(
    ("wrong", "apart", "word"),
    [(0.5, None, None), (0.84, 0.0, None), (0.85, 0.0, "confirmed"), (0.95, 0.3, None), (None, 0.0, "suspicious")],
)
def test_a_style_of_its_own_is_no_finding_whatever_is_drawn_over_others(
    wrong: float | None, apart: float | None, word: str | None
) -> None:
    """Ones with a foot among digits: half are taken for eights, and a foot drawn under others makes ones of them."""
    tested = confirmation(WORKS, wrong, 0.02)
    tested = replace(tested, content=replace(tested.content, apart=apart))
    assert strength_of(signal(FIRED), tested) == word
    # A mark that shows in the samples themselves is none.
    assert strength_of(signal(FIRED), tested, Standing(in_samples=True)) is not None


@pytest.mark.parametrize(("looks", "wrong", "word"), [
    ((6, 6), 0.5, "suspicious"), ((3, 9), 0.75, "confirmed"), ((20, 20), 0.5, "confirmed"), ((0, 5), 1.0, "confirmed")
])  # fmt: skip
def test_of_few_suspects_more_labels_must_be_wrong(looks: tuple[int, int], wrong: float, word: str) -> None:
    tested = confirmation(WORKS, wrong)
    tested = replace(tested, content=replace(tested.content, looks=looks))
    assert strength_of(signal(FIRED), tested) == word
    assert ("so few suspects" in reason_of(signal(FIRED), tested)) == (word == "suspicious")


@pytest.mark.parametrize(("share", "wrong", "word"), [
    (0.3, 0.5, "confirmed"), (0.5, 0.85, "confirmed"), (0.5, 0.84, "suspicious"), (0.34, 0.75, "suspicious")
])  # fmt: skip
def test_of_a_large_part_of_a_class_more_labels_must_be_wrong(share: float, wrong: float, word: str) -> None:
    tested = replace(confirmation(WORKS, wrong), share=share)
    assert strength_of(signal(FIRED), tested) == word
    assert ("so large a part" in reason_of(signal(FIRED), tested)) == (word == "suspicious")


def test_where_classes_stand_out() -> None:
    def one(name: str, detector: str, p_adjusted: float) -> ClassSignal:
        return ClassSignal(detector, name, 0.7, p_adjusted / 10, p_adjusted, p_adjusted <= 0.01)

    told = standings([one("bee", IN_DETAIL, 0.001), one("bee", "spectre", 0.5), one("cat", "spectre", 0.001),
                      one("cat", IN_DETAIL, 0.3), one("ant", "shared-pixels", NEARLY), one("dog", "spectre", WEAK),
                      one("elk", f"{IN_DETAIL},{BY_CONTENT}", 0.001)], 8)  # fmt: skip
    assert told == {
        "bee": Standing(in_samples=True, marked=True),
        "cat": Standing(),
        "ant": Standing(in_samples=True),
        "elk": Standing(),
    }


def test_what_is_said_of_a_class_that_is_no_finding() -> None:
    assert why_no_finding(None) == why_no_finding(confirmation(FAILS, 0.1)) == NATURAL
    assert why_no_finding(confirmation(FAILS, 0.9, 0.01)) == UNFAMILIAR_PART
    assert why_no_finding(confirmation(WORKS, 0.9, 0.01)) == STYLE_OF_ITS_OWN
    assert why_no_finding(confirmation(WORKS, 0.1)) == NATURAL


def test_the_stated_error_rate_rests_on_the_smallest_reference() -> None:
    sentence = false_alarm_sentence({"a": (500, 30), "b": (120, 12)})
    assert "1%" in sentence
    assert "120 sound classes of 12 data sets" in sentence
    assert "no detector" in false_alarm_sentence({})


@pytest.mark.parametrize(("standing", "told"), [("", False), ("ab", False), ("abc", True), ("abcd", True)])
def test_where_most_classes_stand_out_the_data_are_unlike_the_calibration(standing: str, told: bool) -> None:
    signals = [ClassSignal("spectre", name, 0.7, 1e-5, 1e-3, name in standing) for name in "abcd" for _ in range(2)]
    (caution,) = unlike_calibration(signals, [], 4) or ("",)
    assert bool(caution) == told
    assert not told or caution.startswith(f"{len(standing)} of 4 classes stand out")


def test_classes_that_are_findings_stand_out_for_a_reason() -> None:
    signals = [ClassSignal("spectre", name, 0.7, 1e-5, 1e-3, True) for name in "abcd"]
    found = [SimpleNamespace(target=name) for name in "abc"]
    assert unlike_calibration(signals, found, 4) == ()
