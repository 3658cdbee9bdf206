"""Layouts of documents: paper of the right form, writing within its margins, SPECIMEN where somebody is shown."""

from __future__ import annotations

import numpy as np
import pytest

from bezoar.data.embedded import documents
from bezoar.data.embedded.brush import frame
from bezoar.data.embedded.document_types import TYPES, Page

SIDE = 96
UNIT = 44


def page(n: int = 1, seed: int = 4) -> Page:
    """A blank, white page before a blue table, black ink, red accent."""
    brush = frame(SIDE, (47.5, 47.5), np.full((n, 1, 1, 1), UNIT, dtype=np.float32))
    one = np.ones((n, 3, 1, 1), dtype=np.float32)
    picture = np.zeros((n, 3, SIDE, SIDE), dtype=np.float32)
    picture[:, 2] = 1
    red = np.float32([0.8, 0.1, 0.1]).reshape(1, 3, 1, 1) * one
    return Page(np.random.default_rng(seed), picture, brush, one, one * np.float32(0.05), red)


def extent(name: str) -> tuple[float, float]:
    """Width and height of the paper: where the table's blue is gone."""
    drawn = page()
    TYPES[name](drawn)
    table = (drawn.picture[0, 2] - drawn.picture[0, 0]) > 0.6
    rows, columns = np.nonzero(~table)
    return np.ptp(columns) / UNIT, np.ptp(rows) / UNIT


@pytest.mark.parametrize("name", TYPES)
def test_every_layout_differs_from_every_other(name):
    mine = page()
    TYPES[name](mine)
    for other, layout in TYPES.items():
        if other != name:
            theirs = page()
            layout(theirs)
            assert abs(mine.picture - theirs.picture).mean() > 0.01


def test_papers_have_their_forms():
    for name in ("letter", "invoice", "form"):
        width, height = extent(name)
        assert height / width == pytest.approx(1.39, abs=0.1)
    for name in ("identity card", "driving licence"):
        width, height = extent(name)
        assert width / height == pytest.approx(1.58, abs=0.12)
    assert extent("receipt")[1] > 2 * extent("receipt")[0]
    assert extent("boarding pass")[0] > 2 * extent("boarding pass")[1]


def test_writing_keeps_its_margins_and_its_rows():
    drawn = page(3)
    drawn.sheet((1.0, 1.0))
    before = drawn.picture.copy()
    drawn.writing(-0.5, -0.4, 0.6, rows=3, pitch=0.2)
    ink = abs(drawn.picture - before).max(axis=1) > 0.1
    assert ink.any(axis=(1, 2)).all()
    for one in ink:
        rows, columns = (np.flatnonzero(one.any(axis=axis)) for axis in (1, 0))
        assert rows[0] >= 47.5 - 0.5 * UNIT
        assert rows[-1] <= 47.5 + 0.1 * UNIT
        assert columns[0] >= 47.5 - 0.4 * UNIT - 1
        assert columns[-1] <= 47.5 + 0.6 * UNIT + 1
        groups = np.flatnonzero(np.diff(rows) > 1)
        assert len(groups) == 2, "three rows, with space between"


def test_no_two_pages_say_the_same():
    drawn = page(2)
    TYPES["letter"](drawn)
    assert not np.array_equal(drawn.picture[0], drawn.picture[1])


def test_specimen_runs_aslant_through_the_middle():
    drawn = page()
    drawn.sheet((1.0, 0.7))
    before = drawn.picture.copy()
    drawn.specimen()
    rows, columns = np.nonzero(abs(drawn.picture - before).max(axis=1)[0] > 0.05)
    assert np.ptp(columns) > 1.2 * UNIT
    assert np.corrcoef(rows, columns)[0, 1] < -0.8, "from the lower left to the upper right"
    assert rows.mean() == pytest.approx(47.5, abs=3)


@pytest.mark.parametrize("happen", [happen for _, happen in documents._HAPPENINGS], ids=lambda happen: happen.__name__)
def test_what_happens_to_a_page_leaves_most_of_it(happen):
    brush = frame(48, (23.5, 23.5), np.full((8, 1, 1, 1), 21, dtype=np.float32))
    picture = np.full((8, 3, 48, 48), 0.8, dtype=np.float32)
    happen(np.random.default_rng(4), picture, brush)
    changed = (abs(picture - np.float32(0.8)) > 0.02).any(axis=1).mean(axis=(1, 2))
    assert (changed > 0).mean() > 0.7
    assert (changed < 0.55).all()
