"""From scores to signals: planted scores name the class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from signal_toys import answers, bare_evidence, planted, reference

from bezoar.detect.scores import SAMPLE_DETECTORS, Scores
from bezoar.evidence import Evidence
from bezoar.records import Skipped
from bezoar.scan.signals import SIGNIFICANCE, ask, signals_of


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
