"""Outlines of aircraft against what makes each type itself, and at any heading."""

from __future__ import annotations

import numpy as np
import pytest

from bezoar.data.embedded.aircraft import AIRCRAFT
from bezoar.data.embedded.aircraft_types import TYPES, Outline
from bezoar.data.embedded.brush import frame, joined

SIDE = 121
UNIT = 48
NO_SPIN = np.zeros((1, 1, 1, 1), dtype=np.float32)


def outline(name: str) -> Outline:
    brush = frame(SIDE, (60, 60), np.full((1, 1, 1, 1), UNIT, dtype=np.float32))
    return TYPES[name](brush, NO_SPIN)


def body(name: str) -> np.ndarray:
    drawn = outline(name)
    return joined(drawn.hull, drawn.wings)[0, 0] > 0.5


def span(name: str) -> float:
    return np.ptp(np.flatnonzero(body(name).any(axis=0))) / UNIT


def length(name: str) -> float:
    return np.ptp(np.flatnonzero(body(name).any(axis=1))) / UNIT


@pytest.mark.parametrize("name", sorted(set(TYPES) - {"helicopter"}))
def test_outlines_are_symmetrical(name):
    for mask in outline(name):
        if mask is not None:
            assert mask == pytest.approx(mask[..., ::-1], abs=1e-4)


@pytest.mark.parametrize("name", TYPES)
def test_outlines_fit_and_are_solid(name):
    drawn = outline(name)
    assert 0.8 < max(span(name), length(name)) < 2.25
    assert 0.05 < body(name).mean() < 0.4
    inside = joined(drawn.hull, drawn.wings)
    assert (drawn.dark * (1 - inside)).sum() < 0.5 * drawn.dark.sum(), "glass and intakes lie on the aircraft"


def test_types_have_their_proportions():
    assert span("glider") > 2 * length("glider") / 1.3
    assert span("bomber") > 2 * length("bomber")
    assert length("fighter") > span("fighter")
    assert length("delta fighter") > span("delta fighter")
    assert body("transport").sum() > 2 * body("glider").sum()
    assert abs(span("drone") - length("drone")) < 0.2


def test_a_sweep_tells_an_airliner_from_a_transport():
    """The tips of an airliner's wings lie behind the middle of the span, a transport's do not."""
    tips = {}
    for name in ("airliner", "transport"):
        rows, columns = np.nonzero(body(name))
        tips[name] = rows[columns >= columns.max() - 3].mean() - 60
    assert tips["airliner"] > 0.2 * UNIT
    assert tips["transport"] < 0


def test_blades_turn_with_the_spin():
    brush = frame(SIDE, (60, 60), np.full((1, 1, 1, 1), UNIT, dtype=np.float32))
    still, turned = (TYPES["helicopter"](brush, NO_SPIN + spin).wings for spin in (0.0, 0.4))
    assert not np.allclose(still, turned)


def test_aircraft_head_anywhere():
    """No direction is preferred: the mean picture of a type is about the same however it is turned."""
    data = AIRCRAFT.draw(1500, seed=2)
    mine = data.inputs[data.labels == 4].float().mean(dim=(0, 1))
    spread = mine.std()
    assert (mine - mine.rot90(2)).std() < 2 * spread
    assert spread < 20
