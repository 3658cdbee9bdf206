"""From scores to nominees: planted scores name the class, the expert and the suspects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from bezoar.detect.scores import SAMPLE_DETECTORS, Scores
from bezoar.evidence import Evidence
from bezoar.records import Skipped
from bezoar.scan.calibration import Reference, reference_of
from bezoar.scan.signals import SIGNIFICANCE, Answers, ask, nominees, signals_of

CLASSES = ("ant", "bee", "cat")
SIZES = (100, 100, 30)
POISON = np.arange(100, 120)
"""Rows of the first 20 bees."""


def reference(scale: float = 1.0, smallest: int = 60) -> Reference:
    return reference_of([scale * number / 100 for number in range(100)], 4, smallest=smallest)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the references of this test."""

    def put(**references: Reference) -> None:
        monkeypatch.setattr("bezoar.scan.signals.references", lambda: references)

    return put


def bare_evidence() -> Evidence:
    labels = np.repeat(np.arange(3), SIZES)
    return Evidence(tuple(f"id {row}" for row in range(len(labels))), labels, CLASSES)


def answers(**scores: Scores) -> Answers:
    return Answers(scores, ())


def planted(
    statistics: tuple[float, ...] | None, *, rows: np.ndarray = POISON, far: float = 9.0, seed: int = 0
) -> Scores:
    evidence = bare_evidence()
    values = np.random.default_rng(seed).normal(size=len(evidence))
    values[rows] += far
    return Scores(evidence.ids, values, None if statistics is None else np.array(statistics))


def test_signals_hold_statistic_p_value_and_holm(known: Callable[..., None]) -> None:
    known(loud=reference(), soft=reference(2.0))
    both = answers(loud=planted((0.2, 1.5, 0.1)), soft=planted((0.3, 0.2, 0.1)))
    found = {(one.detector, one.class_name): one for one in signals_of(both, bare_evidence())}
    assert set(found) == {(detector, name) for detector in ("loud", "soft") for name in ("ant", "bee")}
    loud = found["loud", "bee"]
    assert (loud.statistic, loud.p_value) == (1.5, reference().p_value(1.5))
    assert loud.p_adjusted == pytest.approx(4 * loud.p_value)
    assert loud.fired == (loud.p_adjusted <= SIGNIFICANCE)
    assert loud.fired
    assert not any(one.fired for key, one in found.items() if key != ("loud", "bee"))


def test_classes_too_small_for_the_reference_are_left_out_and_so_is_what_cannot_be_told(
    known: Callable[..., None],
) -> None:
    known(loud=reference(smallest=30), soft=reference(smallest=31), dumb=reference(smallest=1))
    three = answers(
        loud=planted((0.1, 0.1, 9.0)),
        soft=planted((0.1, 0.1, 9.0)),
        dumb=planted((np.nan, np.inf, 0.1)),
        rank=planted(None),
    )
    assert {(one.detector, one.class_name) for one in signals_of(three, bare_evidence())} == {
        ("loud", "ant"),
        ("loud", "bee"),
        ("loud", "cat"),
        ("soft", "ant"),
        ("soft", "bee"),
        ("dumb", "cat"),
    }


def test_a_detector_without_a_reference_gives_no_signal(known: Callable[..., None]) -> None:
    known()
    assert signals_of(answers(loud=planted((9.0, 9.0, 9.0))), bare_evidence()) == ()


def chosen(three: Answers) -> tuple:
    evidence = bare_evidence()
    return nominees(three, signals_of(three, evidence), evidence)


def test_planted_scores_are_nominated_with_their_suspects_first(known: Callable[..., None]) -> None:
    known(loud=reference())
    (found,) = chosen(answers(loud=planted((0.2, 5.0, 0.1))))
    assert (found.label, found.signal.class_name, found.signal.detector) == (1, "bee", "loud")
    assert sorted(found.suspects.tolist()) == POISON.tolist()
    odds = dict(zip(found.rows.tolist(), found.odds.tolist(), strict=True))
    scores = dict(zip(found.rows.tolist(), found.scores.tolist(), strict=True))
    ranked = [(odds[row], scores[row]) for row in found.suspects.tolist()]
    assert ranked == sorted(ranked, reverse=True)
    assert all(odds[row] < 0.5 for row in range(120, 200))


def test_nobody_is_nominated_where_nothing_speaks(known: Callable[..., None]) -> None:
    known(loud=reference())
    assert chosen(answers(loud=planted((0.3, 0.4, 0.2)))) == ()


@pytest.mark.parametrize("order", [("clear", "vague"), ("vague", "clear")])
def test_the_clearest_expert_names_the_suspects_although_both_reach_the_least_p_value(
    known: Callable[..., None], order: tuple[str, str]
) -> None:
    known(clear=reference(0.1), vague=reference(1.0))
    # The vague one's scores lie farther apart, in the wrong rows: how far says nothing between detectors.
    speak = {"clear": planted((0.0, 5.0, 0.0)), "vague": planted((0.0, 5.0, 0.0), rows=np.arange(150, 180), far=90.0)}
    both = answers(**{name: speak[name] for name in order})
    p_values = {one.p_value for one in signals_of(both, bare_evidence()) if one.class_name == "bee"}
    assert len(p_values) == 1
    (found,) = chosen(both)
    assert found.signal.detector == "clear"
    assert sorted(found.suspects.tolist()) == POISON.tolist()


def test_an_expert_without_suspects_is_passed_over_for_the_next(known: Callable[..., None]) -> None:
    known(clear=reference(0.1), vague=reference(1.0))
    three = planted((0.0, 5.0, 0.0), rows=POISON[:3])
    (found,) = chosen(answers(clear=three, vague=planted((0.0, 5.0, 0.0))))
    assert found.signal.detector == "vague"
    assert chosen(answers(clear=three)) == ()


def test_the_clearest_class_comes_first(known: Callable[..., None]) -> None:
    known(loud=reference())
    scores = planted((3.0, 9.0, 0.0), rows=np.concatenate([np.arange(15), POISON]))
    assert [found.signal.class_name for found in chosen(answers(loud=scores))] == ["bee", "ant"]
    evidence = bare_evidence()
    few = nominees(answers(loud=scores), signals_of(answers(loud=scores), evidence), evidence, most=1)
    assert [found.signal.class_name for found in few] == ["bee"]


@SAMPLE_DETECTORS.register("of-this-test")
@dataclass(frozen=True)
class OfThisTest:
    """Scores all alike, or none."""

    silent: bool = False

    def score(self, evidence: Evidence, *, trusted: Evidence | None = None, seed: int) -> Scores | Skipped:
        if self.silent:
            return Skipped("it is silent")
        return Scores(evidence.ids, np.full(len(evidence), float(seed)), np.full(3, 0.5))


def test_skipped_detectors_are_kept_with_their_reason(known: Callable[..., None]) -> None:
    known(**{"of-this-test": reference()})
    heard = ask(bare_evidence(), ("of-this-test", "of-this-test:silent=true", "spectral"), trusted=None, seed=7)
    assert list(heard.scores) == ["of-this-test"]
    assert heard.scores["of-this-test"].values[0] == 7.0
    said, silent, without = heard.runs
    assert (said.detector, said.skipped, said.cut) == ("of-this-test", None, reference().start)
    assert (silent.detector, silent.skipped) == ("of-this-test:silent=true", Skipped("it is silent"))
    assert isinstance(without.skipped, Skipped)
    assert without.cut is None
    assert all(run.seconds >= 0 for run in heard.runs)
