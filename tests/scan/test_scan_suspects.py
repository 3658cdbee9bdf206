"""Suspects: sharpened by what samples show, listed with evidence that belongs to them, drawn and counted."""

from __future__ import annotations

import numpy as np
import pytest

from bezoar.detect.numerics.two_groups import two_groups
from bezoar.detect.scores import Scores
from bezoar.evidence import Evidence
from bezoar.metrics import auroc
from bezoar.records import ClassSignal
from bezoar.scan.nominees import Expert
from bezoar.scan.suspects import listed, with_content
from bezoar.scan.views import POINTS, histograms, projection

CLASSES = ("ant", "bee", "cat")


def blind_logits(wrong: np.ndarray, generator: np.random.Generator, *, sure: float = 4.0) -> np.ndarray:
    """A network's answers to samples labelled 1, of which those that are `wrong` show class 0 or 2."""
    logits = generator.normal(size=(len(wrong), 3))
    shown = np.where(wrong, 2 * generator.integers(0, 2, len(wrong)), 1)
    logits[np.arange(len(wrong)), shown] += sure
    return logits.astype(np.float32)


def test_content_raises_carriers_that_were_missed_and_lowers_innocents() -> None:
    generator = np.random.default_rng(0)
    poison = np.arange(500) < 100
    odds = np.where(poison, 0.9, 0.02)
    missed, accused = slice(0, 20), slice(480, 500)
    odds[missed], odds[accused] = 0.3, 0.7
    sharpened = with_content(odds, blind_logits(poison, generator), 1)
    assert ((sharpened >= 0) & (sharpened <= 1)).all()
    assert (sharpened[missed] > 0.5).mean() >= 0.9
    assert (sharpened[accused] < 0.5).mean() >= 0.9
    assert sharpened[missed].mean() > odds[missed].mean() + 0.3
    assert sharpened[accused].mean() < odds[accused].mean() - 0.15
    assert auroc(sharpened, poison) > auroc(odds, poison)


def test_content_that_says_nothing_changes_little() -> None:
    generator = np.random.default_rng(1)
    odds = generator.beta(0.3, 0.9, 4000)
    sharpened = with_content(odds, generator.normal(size=(4000, 3)).astype(np.float32), 1)
    assert np.abs(sharpened - np.clip(odds, 1e-4, 1 - 1e-4)).max() < 0.06


def test_equal_answers_change_nothing() -> None:
    odds = np.array([0.1, 0.5, 0.9] * 10)
    assert with_content(odds, np.zeros((30, 3), np.float32), 1) == pytest.approx(odds)


def made_up(order: np.ndarray) -> tuple[Evidence, Expert, np.ndarray, np.ndarray, dict[str, Scores], np.ndarray]:
    """Evidence of 60 samples whose rows are in `order`; of the 30 bees the first 8 are odd."""
    generator = np.random.default_rng(5)
    labels = np.repeat(np.arange(2), 30)
    values = generator.normal(size=60)
    values[30:38] += 8
    space = generator.normal(size=(60, 4))
    space[:, 0] = 10 * np.arange(60)
    logits = blind_logits(np.arange(60) < 38, generator, sure=50.0)
    evidence = Evidence(
        tuple(f"id {row}" for row in range(60)),
        labels,
        CLASSES,
        layers={"deep": space.astype(np.float16)},
        sources=tuple(f"source {row}" for row in range(60)),
    ).select(order)
    values, logits = values[order], logits[order]
    rows = evidence.members(1)
    groups = two_groups(values[rows])
    signal = ClassSignal("spectral", "bee", 1.0, 1e-6, 1e-5, fired=True)
    expert = Expert(signal, rows, values[rows], groups.odds(values[rows]))
    scores = {"spectral": Scores(evidence.ids, values), "backwards": Scores(evidence.ids, -values)}
    return evidence, expert, groups.odds(values[rows]), logits[rows].argmax(1), scores, values


@pytest.mark.parametrize("order", [np.arange(60), np.random.default_rng(9).permutation(60)], ids=["given", "shuffled"])
def test_what_is_told_of_a_suspect_travels_with_its_id(order: np.ndarray) -> None:
    evidence, expert, odds, looks, scores, values = made_up(order)
    suspects = listed(evidence, 1, expert, odds, looks, scores)
    assert sorted(one.id for one in suspects) == [f"id {row}" for row in range(30, 38)]
    assert [one.score for one in suspects] == sorted((one.score for one in suspects), reverse=True)
    of_id = dict(zip(evidence.ids, values.tolist(), strict=True))
    bees = sorted(of_id[f"id {row}"] for row in range(30, 60))
    for one in suspects:
        number = int(one.id.removeprefix("id "))
        assert (one.label, one.source) == ("bee", f"source {number}")
        assert one.looks_like in {"ant", "cat"}
        # Of 30 bees, so many have a lower score; by the other detector the others.
        below = bees.index(of_id[one.id])
        assert dict(one.evidence) == pytest.approx({"spectral": below / 30, "backwards": (29 - below) / 30}, abs=1e-3)
        # The space is laid out by number: the nearest bee that is no suspect is number 38.
        assert one.neighbour == "id 38"


def test_without_answers_and_space_nothing_is_made_up() -> None:
    evidence, expert, odds, _, scores, _ = made_up(np.arange(60))
    bare = Evidence(evidence.ids, evidence.labels, CLASSES)
    suspects = listed(bare, 1, expert, odds, None, scores)
    assert {(one.looks_like, one.neighbour, one.source) for one in suspects} == {(None, None, None)}


def test_the_projection_shows_suspects_and_their_class_alone() -> None:
    evidence, *_ = made_up(np.arange(60))
    chances = {f"id {row}": 0.9 for row in range(30, 38)}
    points = projection(evidence, chances, seed=0)
    assert len(points) == 30
    assert {point.class_name for point in points} == {"bee"}
    assert sum(point.suspect for point in points) == 8
    assert {point.score for point in points if point.suspect} == {0.9}
    # The first direction is the one along which samples were laid out.
    along = np.array([point.x for point in points if point.suspect])
    others = np.array([point.x for point in points if not point.suspect])
    assert along.max() < others.min() or along.min() > others.max()


def test_the_projection_is_bounded_and_absent_where_there_is_nothing_to_project() -> None:
    generator = np.random.default_rng(0)
    many = Evidence(
        tuple(map(str, range(6000))),
        generator.integers(0, 3, 6000),
        CLASSES,
        inputs={"pixels": generator.normal(size=(6000, 5)).astype(np.float16)},
    )
    assert len(projection(many, {}, seed=0)) == POINTS // 2
    assert len(projection(many, dict.fromkeys(many.ids[:2000], 0.8), seed=0)) == POINTS
    assert projection(Evidence(("a", "b", "c"), np.zeros(3, np.int64), CLASSES), {}, seed=0) == ()
    assert projection(many.select([0, 1]), {}, seed=0) == ()
    assert len(projection(many.select(range(5)), {}, seed=0)) == 5


def test_histograms_count_every_sample_of_the_class_once() -> None:
    evidence, expert, odds, looks, scores, _ = made_up(np.arange(60))
    suspects = listed(evidence, 1, expert, odds, looks, scores)

    class Found:
        target, signals = "bee", (expert.signal,)

    Found.suspects = suspects
    (drawn,) = histograms(evidence, scores, [Found])
    assert (drawn.detector, drawn.class_name) == ("spectral", "bee")
    assert len(drawn.edges) == len(drawn.others) + 1 == len(drawn.suspects) + 1
    assert (sum(drawn.suspects), sum(drawn.others)) == (8, 22)
    # Suspects lie above the others.
    assert np.flatnonzero(drawn.suspects).min() > np.flatnonzero(drawn.others).max()
