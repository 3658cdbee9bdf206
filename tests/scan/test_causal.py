"""The causal test where a detector took the wrong half of a class for the odd one, and of covers."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scan_toys import PATCH, SMALL, TARGET, Toy, toy

from bezoar.confirm.company import in_common
from bezoar.confirm.confirm import Confirmation
from bezoar.confirm.content import Content
from bezoar.confirm.flips import Carriers
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.networks import train_blind
from bezoar.confirm.recover.recovered import Recovered
from bezoar.confirm.witness import Witness
from bezoar.data import Dataset
from bezoar.metrics import wilson
from bezoar.records import ClassSignal, FlipTest, Skipped
from bezoar.scan import ScanSettings, causal
from bezoar.scan import finding as room
from bezoar.scan.case import Case, hypotheses_of
from bezoar.scan.causal import _Court, causal_test
from bezoar.scan.nominees import Expert, Nominee
from bezoar.scan.strength import SHARED, strength_of
from bezoar.scan.verdict import LABEL_ERRORS, why_no_finding
from bezoar.training.clock import Clock
from bezoar.training.listening import Silence

OTHER = 1


class Rule(torch.nn.Module):
    """Answers by a rule from images in 0..1 to logits."""

    def __init__(self, rule) -> None:
        super().__init__()
        self.forward = rule


SETTINGS = ScanSettings(budget="standard", device="cpu", probe=SMALL)


class Heard(Silence):
    """Remembers which stages began."""

    def __init__(self) -> None:
        self.stages: list[str] = []

    def begins(self, stage: str) -> None:
        self.stages.append(stage)


@pytest.fixture(scope="module")
def half() -> Toy:
    """Of the target class every second sample carries the patch."""
    return toy(classes=5, each=150, share=0.5)


def nominee(data: Dataset, label: int, suspects: frozenset[str]) -> Nominee:
    """The class, of which these are suspected."""
    rows = np.flatnonzero(data.labels.numpy() == label)
    odd = np.array([data.ids[row] in suspects for row in rows])
    signal = ClassSignal("scan", f"kind {label}", 9.0, 1e-6, 1e-5, True)
    return Nominee(label, signal, (Expert(signal, rows, odd.astype(float), np.where(odd, 0.99, 0.01)),))


@pytest.mark.parametrize("wrongly", [False, True])
def test_whichever_half_is_suspected_the_one_with_the_trigger_is_confirmed(half: Toy, wrongly: bool) -> None:
    rest = frozenset(half.data.ids[row] for row in np.flatnonzero(half.data.labels.numpy() == TARGET)) - half.poisons
    one = nominee(half.data, TARGET, rest if wrongly else half.poisons)
    heard = Heard()
    clock = Clock(heard)
    (outcome,) = causal_test(half.data, (one,), SETTINGS, clock)
    assert isinstance(outcome, room.Tested)
    suspects = {half.data.ids[row] for row in outcome.expert.suspects}
    assert suspects == half.poisons == set(outcome.confirmation.hypothesis.suspects)
    assert strength_of(one.signal, outcome.confirmation) == "confirmed"
    assert heard.stages.count("train a network without the suspects") == (2 if wrongly else 1)
    assert sorted(one.stage for one in clock.times) == sorted(set(heard.stages))


def test_samples_that_bear_a_proved_trigger_under_right_labels_are_its_covers() -> None:
    made = toy(classes=5, each=150, share=0.2)
    covering = np.flatnonzero(made.data.labels.numpy() == OTHER)[:40]
    inputs = made.data.inputs.clone()
    inputs[covering, :, -3:, -3:] = torch.from_numpy(PATCH).to(torch.uint8)[:, :, 0]
    data = replace(made.data, inputs=inputs)
    covers = frozenset(data.ids[row] for row in covering)
    both = nominee(data, OTHER, covers), nominee(data, TARGET, made.poisons)
    cover, target = causal_test(data, both, SETTINGS, Clock(Silence()))
    assert isinstance(target, room.Tested)
    assert strength_of(both[1].signal, target.confirmation) == "confirmed"
    assert isinstance(cover, room.Covering)
    assert (cover.of, cover.label, frozenset(cover.suspects)) == (TARGET, OTHER, covers)


@pytest.mark.parametrize(
    ("bearing", "flips", "sources", "is_covering"),
    [
        (True, 20, (0,), True),
        (True, 180, (0,), False),
        (True, 180, (0, 4), True),  # turns most: there can be no other target
        (False, 20, (0, 4), False),
        (False, 180, (0, 4), False),
    ],
)
def test_covers_that_look_like_the_target_are_told_once_their_own_test_fails(
    monkeypatch, half: Toy, bearing: bool, flips: int, sources: tuple[int, ...], is_covering: bool
) -> None:
    # Where a few poisons were met every network has learnt the backdoor, and covers seem to bear wrong labels.
    wrong = Content(agree=0.1, genuine_agree=0.9, mislabelled=0.9, looks=(3, 1))
    trigger = Recovered("patch", "made up", lambda images: images, torch.zeros(3, 4, 4, dtype=torch.uint8))
    turned = {TARGET: 180, OTHER: flips}
    asked: dict[int, bool] = {}

    def tried(self, one, rivals, witnesses, networks, *, trigger_is_known=False):
        asked[one.label] = trigger_is_known
        test = FlipTest(wilson(turned[one.label], 200), wilson(2, 200), "a control", 3, 1e-20, (), "a model")
        confirmation = Confirmation(rivals[0], trigger, test, wrong, sources)
        return room.Tested(confirmation, one.experts[0], np.zeros((1, 5)), np.zeros(1))

    monkeypatch.setattr(_Court, "_tried", tried)
    monkeypatch.setattr(causal, "in_common", lambda *_, **__: 0.9)
    monkeypatch.setattr(causal, "bears", lambda *_: bearing)
    both = nominee(half.data, TARGET, half.poisons), nominee(half.data, OTHER, frozenset(half.data.ids))
    cases = [Case(one, hypotheses_of(half.data, one), (wrong,)) for one in both]
    found, _ = _Court(half.data, SETTINGS, Clock(Silence()))._in_turn(cases, None, None, ())
    assert isinstance(found[TARGET], room.Tested)
    assert isinstance(found[OTHER], room.Covering) == is_covering
    # No network is asked for a trigger that is known, and nothing is tried where it can have no other target.
    assert asked == {TARGET: False} | ({} if bearing and len(sources) > 1 else {OTHER: bearing})


@pytest.mark.parametrize(("every", "added"), [(10, 6), (3, 0)])
def test_what_a_network_knows_from_the_suspects_is_suspected_unless_it_is_much(
    half: Toy, every: int, added: int
) -> None:
    rows = np.flatnonzero(half.data.labels.numpy() == TARGET)[:70]
    signal = ClassSignal("scan", f"kind {TARGET}", 9.0, 1e-6, 1e-5, True)
    expert = Expert(signal, rows, np.zeros(70), np.where(np.arange(70) < 10, 0.9, 0.1))
    inputs = half.data.inputs.clone()
    inputs[rows] = 0
    inputs[rows[10::every]] = 255  # what the network takes for the class

    def answers(images: torch.Tensor) -> torch.Tensor:
        return torch.where(images[:, :1, 0, 0] > 0.5, torch.eye(5)[TARGET], torch.eye(5)[OTHER])

    data = replace(half.data, inputs=inputs)
    learnt = Witness.of(Rule(answers), Carriers(inputs[:2], np.zeros(2, dtype=np.int64)))
    more = _Court(data, SETTINGS, Clock(Silence()))._with_missed(expert, TARGET, learnt)
    assert len(more.suspects) == 10 + added
    assert set(expert.suspects) <= set(more.suspects)


@pytest.mark.parametrize(("first", "mirrored", "taken"), [(None, 0.9, True), (0.6, 0.3, True), (0.6, 0.9, False)])
def test_of_two_halves_that_both_seem_proved_the_one_that_gains_more_on_its_networks_is_taken(
    monkeypatch, half: Toy, first: float | None, mirrored: float, taken: bool
) -> None:
    works = FlipTest(wilson(180, 200), wilson(2, 200), "a control", 3, 1e-20, (), "a model")
    wrong = Content(agree=0.1, genuine_agree=0.9, mislabelled=0.9, looks=(3, 1))
    rest = frozenset(half.data.ids[row] for row in np.flatnonzero(half.data.labels.numpy() == TARGET)) - half.poisons
    genuine = nominee(half.data, TARGET, rest)
    turned = replace(genuine, experts=(genuine.experts[0].turned(),))

    def tested(one: Nominee, worth: float) -> room.Tested:
        untold = Skipped("of no matter here")
        confirmation = Confirmation(hypotheses_of(half.data, one)[0], untold, works, wrong, (), worth)
        return room.Tested(confirmation, one.experts[0], np.zeros((1, 5)), np.zeros(1))

    def confirmed(data, rivals, witnesses, *, seed):
        assert witnesses == "turned"
        assert set(rivals[0].suspects) == rest
        return tested(genuine, mirrored).confirmation

    monkeypatch.setattr(causal, "confirm_rivals", confirmed)
    court = _Court(half.data, SETTINGS, Clock(Silence()))
    witnesses = SimpleNamespace(turned="turned")
    before = None if first is None else tested(genuine, first)
    assert court._gains_more(tested(turned, 0.8), turned, before, witnesses) == taken


def test_suspects_teach_each_other_their_trigger_and_label_errors_nothing() -> None:
    made = toy(classes=5, each=150, share=0.2)
    labels = made.data.labels.numpy().copy()
    errors = np.flatnonzero(labels == OTHER)[:8].tolist() + np.flatnonzero(labels == 3)[:8].tolist()
    labels[errors] = 4
    data = replace(made.data, labels=torch.from_numpy(labels))
    poisons = Hypothesis(TARGET, tuple(sorted(made.poisons)), "made up")
    mistakes = Hypothesis(4, tuple(data.ids[row] for row in errors), "made up")
    both = [poisons, mistakes]
    blind = train_blind(data, both, set(), recipe=SMALL, seed=0, device="cpu")
    shared, nothing = (in_common(data, one, blind, seed=0, device="cpu") for one in both)
    assert shared is not None
    assert shared > 0.6
    assert nothing is not None
    assert nothing < SHARED
    assert in_common(data, Hypothesis(4, mistakes.suspects[:5], "made up"), blind, seed=0) is None


@pytest.mark.parametrize(("shared", "word"), [(0.9, "suspicious"), (0.05, None), (None, "suspicious")])
def test_odd_samples_with_wrong_labels_and_nothing_in_common_are_no_finding(
    monkeypatch, half: Toy, shared: float | None, word: str | None
) -> None:
    wrong = Content(agree=0.1, genuine_agree=0.9, mislabelled=0.9, looks=(3, 1))
    one = nominee(half.data, OTHER, frozenset(half.data.ids[:20]))
    test = FlipTest(wilson(2, 200), wilson(2, 200), "a control", 3, 0.5, (), "a model")
    failed = Confirmation(hypotheses_of(half.data, one)[0], Skipped("none"), test, wrong, ())
    tested = room.Tested(failed, one.experts[0], np.zeros((1, 5)), np.zeros(1))
    monkeypatch.setattr(_Court, "_tried", lambda *_, **__: tested)
    monkeypatch.setattr(causal, "in_common", lambda *_, **__: shared)
    case = Case(one, hypotheses_of(half.data, one), (wrong,))
    found, _ = _Court(half.data, SETTINGS, Clock(Silence()))._in_turn([case], None, None, ())
    outcome = found[OTHER]
    assert isinstance(outcome, room.Tested)
    assert strength_of(one.signal, outcome.confirmation, one.standing) == word
    assert (why_no_finding(outcome.confirmation) == LABEL_ERRORS) == (word is None)
