"""The drawings of a scan's page: dots and bars stand where the numbers say."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from sample_scan import TARGET, histogram, points, quiet_scan, sample_scan

from bezoar.records import ProjectedPoint
from bezoar.report import phrases
from bezoar.report.scan_histogram import drawable, histograms
from bezoar.report.scan_histogram import histogram as drawn
from bezoar.report.scan_projection import EDGE, HEIGHT, MOST_POINTS, WIDTH, maps, scatter, score_step, thinned


def point(x: float, y: float, score: float = 0.1, suspect: bool = False) -> ProjectedPoint:
    return ProjectedPoint(x, y, "a", score, suspect)


def dots(drawing: str) -> dict[str, list[tuple[float, float]]]:
    return {
        path.attrib["class"]: [(float(x), float(y)) for x, y in re.findall(r"M([\d.]+) ([\d.]+)h0", path.attrib["d"])]
        for path in ElementTree.fromstring(drawing).iter("path")
    }


def test_corners_of_the_data_are_corners_of_the_drawing():
    drawing = scatter([point(-2, -1), point(2, 3, 0.95, True)], description="d")
    shown = dots(drawing)
    assert shown["dots d1"] == [(EDGE, HEIGHT - EDGE)]
    assert shown["dots d5"] == shown["dots ring"] == [(WIDTH - EDGE, EDGE)]


def test_one_far_outlier_does_not_squeeze_the_rest():
    shown = dots(scatter([*(point(n / 500, n / 500) for n in range(500)), point(1e6, 0.5)], description="d"))["dots d1"]
    assert shown[-1][0] == WIDTH - EDGE
    assert shown[250][0] - shown[0][0] > WIDTH / 4


@pytest.mark.parametrize("places", [[(0.0, 0.0)], [(5.0, 5.0)] * 3, [(-1.7e308, 0.0), (1.7e308, 1.0)]])
def test_degenerate_points_are_drawn_inside(places: list[tuple[float, float]]):
    shown = dots(scatter([point(x, y) for x, y in places], description="d"))["dots d1"]
    assert len(shown) == len(places)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in shown)


def test_scores_fall_into_five_steps():
    assert [score_step(score) for score in (-1.0, 0.0, 0.19, 0.2, 0.5, 0.99, 1.0, 2.0, math.nan)] == [
        0,
        0,
        0,
        1,
        2,
        4,
        4,
        4,
        0,
    ]


def test_thinning_keeps_suspects_among_many_others():
    kept = thinned([*(point(n, 0) for n in range(20_000)), *(point(n, 1, 0.9, True) for n in range(300))])
    assert len(kept) == MOST_POINTS
    assert sum(one.suspect for one in kept) == 300
    flooded = thinned([*(point(n, 0) for n in range(5000)), *(point(n, 1, 0.9, True) for n in range(5000))])
    assert sum(one.suspect for one in flooded) == MOST_POINTS // 2
    few = [point(n, 0) for n in range(10)]
    assert thinned(few) == few


def test_maps_show_all_samples_and_the_class_of_each_finding():
    shown = maps(sample_scan())
    assert [(one.title, one.points) for one in shown] == [("All samples", 1260), (f"Labelled “{TARGET}”", 180)]
    assert "1,260 samples in the plane of their features, 60 of them suspects" in shown[0].drawing
    assert maps(replace(quiet_scan(), projection=())) == ()
    odd = replace(quiet_scan(), projection=(point(math.nan, 0), *points(("a",), 0, 20)))
    assert [one.points for one in maps(odd)] == [20]


def bars(drawing: str, style: str) -> list[tuple[float, float, float]]:
    path = next(p for p in ElementTree.fromstring(drawing).iter("path") if p.attrib["class"] == style)
    found = re.findall(r"M([\d.]+) \d+h([\d.]+)v(-?[\d.]+)H", path.attrib["d"])
    return [(float(left), float(width), float(height)) for left, width, height in found]


def test_bars_are_as_tall_as_their_counts_each_side_by_itself():
    one = replace(histogram("d", "c"), edges=(0.0, 1.0, 2.0, 4.0), others=(100, 50, 0), suspects=(0, 1, 4))
    drawing = drawn(one, title="t")
    others, suspects = bars(drawing, "others"), bars(drawing, "suspects")
    assert [height for _, _, height in others] == [-78.0, -39.0]
    assert [height for _, _, height in suspects] == [19.5, 78.0]
    assert suspects[1][1] > 1.9 * suspects[0][1]
    assert "150 others, tallest bar 100" in drawing
    assert "5 suspects, tallest bar 4" in drawing


def test_a_single_sample_beside_very_many_is_still_seen():
    one = replace(histogram("d", "c"), edges=(0.0, 1.0, 2.0), others=(1_000_000, 1), suspects=(0, 0))
    assert [height for _, _, height in bars(drawn(one, title="t"), "others")] == [-78.0, -1.5]


def test_what_does_not_fit_is_not_drawn():
    good = histogram("d", "c")
    assert drawable(good)
    for bad in (
        replace(good, edges=()),
        replace(good, edges=good.edges[:-1]),
        replace(good, suspects=()),
        replace(good, edges=tuple(reversed(good.edges))),
        replace(good, edges=(0.0,) * 33),
        replace(good, others=(0,) * 32, suspects=(0,) * 32),
        replace(good, edges=(*good.edges[:-1], math.inf)),
    ):
        assert not drawable(bad)
    shown, _ = histograms(replace(sample_scan(), histograms=(replace(good, edges=()),)))
    assert shown[0].drawing is None


def test_histograms_of_findings_come_first():
    shown, left_out = histograms(replace(sample_scan(), histograms=sample_scan().histograms * 2))
    assert left_out == 8
    assert [TARGET in one.title for one in shown] == [True] * 10 + [False] * 2
    assert shown[0].title == f"spectral-residual on “{TARGET}”"
    assert "training-dynamics" not in "".join(one.title for one in shown[:6])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (0.05, "0.05"),
        (0.001, "0.001"),
        (0.00099, "9.9×10⁻⁴"),
        (3e-300, "3.0×10⁻³⁰⁰"),
        (0.0, "below 10⁻³⁰⁰"),
        (math.nan, "not a number"),
    ],
)
def test_p_values(value: float, text: str):
    assert phrases.p_value(value) == text


def test_brief_keeps_both_ends_and_its_length():
    assert phrases.brief("x" * 96) == "x" * 96
    assert phrases.brief("a" * 50 + "b" * 51, 21) == "aaaaaaaa ... bbbbbbbb"
    assert len(phrases.brief("y" * 1000)) <= 96


def test_sentences_end_with_one_mark():
    assert [phrases.sentence(text) for text in ("a", "a.", "a? ", "")] == ["a.", "a.", "a?", ""]
