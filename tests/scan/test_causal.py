"""The causal test where a detector took the wrong half of a class for the odd one."""

from __future__ import annotations

import numpy as np
import pytest
from scan_toys import SMALL, TARGET, Toy, toy

from bezoar.records import ClassSignal
from bezoar.scan import ScanSettings
from bezoar.scan.causal import causal_test
from bezoar.scan.clock import Clock
from bezoar.scan.nominees import Expert, Nominee
from bezoar.scan.verdict import strength_of
from bezoar.training.listening import Silence

SETTINGS = ScanSettings(budget="standard", device="cpu", probe=SMALL)


@pytest.fixture(scope="module")
def half() -> Toy:
    """Of the target class every second sample carries the patch."""
    return toy(classes=5, each=150, share=0.5)


def nominee(made: Toy, *, wrongly: bool) -> Nominee:
    """The target class, its poisons suspected, or wrongly all others of it."""
    rows = np.flatnonzero(made.data.labels.numpy() == TARGET)
    odd = np.array([(made.data.ids[row] in made.poisons) != wrongly for row in rows])
    signal = ClassSignal("scan", f"kind {TARGET}", 9.0, 1e-6, 1e-5, True)
    return Nominee(TARGET, signal, (Expert(signal, rows, odd.astype(float), np.where(odd, 0.99, 0.01)),))


@pytest.mark.parametrize("wrongly", [False, True])
def test_whichever_half_is_suspected_the_one_with_the_trigger_is_confirmed(half: Toy, wrongly: bool) -> None:
    one = nominee(half, wrongly=wrongly)
    clock = Clock(Silence())
    (outcome,) = causal_test(half.data, (one,), SETTINGS, clock)
    assert outcome is not None
    suspects = {half.data.ids[row] for row in outcome.expert.suspects}
    assert suspects == half.poisons == set(outcome.confirmation.hypothesis.suspects)
    assert strength_of(one.signal, outcome.confirmation) == "confirmed"
    networks = [stage.stage for stage in clock.times].count("train a network without the suspects")
    assert networks == (2 if wrongly else 1)
