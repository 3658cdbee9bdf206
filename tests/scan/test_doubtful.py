"""Who is kept from the networks that shall meet no suspect: the doubtful, unless too little of a class were left."""

from __future__ import annotations

import numpy as np
import pytest

from bezoar.records import ClassSignal
from bezoar.scan.case import DOUBTFUL, doubtful
from bezoar.scan.nominees import Expert, Nominee

SIGNAL = ClassSignal("loud", "bee", 5.0, 1e-6, 1e-4, True)


def expert(doubted: range) -> Expert:
    rows = np.arange(100, 200)
    return Expert(SIGNAL, rows, np.zeros(100), np.where(np.isin(rows, doubted), DOUBTFUL + 0.01, DOUBTFUL))


@pytest.mark.parametrize(
    ("experts", "kept"),
    [
        ((range(100, 120),), 20),
        ((range(100, 120), range(110, 130)), 30),
        ((range(100, 160),), 60),
        ((range(100, 161),), 0),
        ((range(100, 120), range(120, 190)), 0),
    ],
)
def test_the_doubtful_are_kept_away_unless_they_are_most_of_their_class(experts: tuple[range, ...], kept: int) -> None:
    rows = doubtful(Nominee(1, SIGNAL, tuple(expert(one) for one in experts)))
    assert len(rows) == kept
    assert rows == list(range(100, 100 + kept))
