"""The pure functions behind the page: numbers, hidden characters, charts, matrices, pictures, catalogues."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sample_record import SIGNS, pair, rate, sample_record, several_record

from bezoar.errors import RecordError
from bezoar.records import Rate, Skipped
from bezoar.report import phrases
from bezoar.report.chart import HEIGHT, WIDTH, Line, interval_bar, line_chart, nice_ticks
from bezoar.report.classes import class_table
from bezoar.report.confusion import Matrix, largest_errors, matrix, step_labels, step_of
from bezoar.report.pictures import gallery
from bezoar.report.standards import frameworks, frameworks_for


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0%"),
        (1, "100%"),
        (0.5, "50.0%"),
        (0.9996, ">99.9%"),
        (0.9994, "99.9%"),
        (0.0001, "<0.1%"),
        (0.0006, "0.1%"),
        (float("nan"), "not a number"),
    ],
)
def test_percent_never_rounds_to_a_full_value_it_is_not(share: float, text: str):
    assert phrases.percent(share) == text


@given(st.floats(min_value=1e-12, max_value=1 - 1e-12))
def test_percent_of_a_true_fraction_is_neither_none_nor_all(share: float):
    assert phrases.percent(share) not in ("0%", "100%", "0.0%", "100.0%")


def test_rate_words():
    assert phrases.counts(Rate(1499, 1500, 0.99, 1.0)) == "1,499 of 1,500"
    assert phrases.interval(Rate(1499, 1500, 0.9912, 1.0)) == "99.1 to 100%"
    assert phrases.not_measured(Skipped("too few")) == "not measured: too few"
    assert phrases.measured(Rate(0, 0, 0, 1)) == Skipped("no sample to measure it on")
    assert phrases.points(-0.005) == "−0.5 points"
    assert phrases.points(0.0001) == "0.0 points"
    assert phrases.points(0.985) == "+98.5 points"
    assert phrases.points(0.1004) == "+10.0 points"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.44, "0.4 s"), (59.96, "1 min 00 s"), (125, "2 min 05 s"), (3725, "1 h 02 min")]
)
def test_duration(seconds: float, text: str):
    assert phrases.duration(seconds) == text


def test_names_are_listed_and_shortened():
    assert phrases.some_of([]) == "none"
    assert phrases.some_of(["a"]) == "“a”"
    assert phrases.some_of(["a", "b", "c"]) == "“a”, “b” and “c”"
    assert phrases.some_of(list("abcdef"), 4) == "“a”, “b”, “c” and 3 more"


@given(st.text(st.characters(codec=None), max_size=50))
def test_visible_text_can_be_written_and_hides_nothing(text: str):
    shown = phrases.visible(text)
    shown.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]", shown)


def test_visible_escapes_direction_and_keeps_ordinary_writing():
    assert phrases.visible("a\u202eb") == "a\\u202eb"
    assert phrases.visible("dir/\udc80.png") == "dir/\\udc80.png"
    assert phrases.visible("Straße 停 قف") == "Straße 停 قف"
    assert "1,000 more characters" in phrases.visible("x" * 3000)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.11, 2.04, [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]),
        (3.0, 3.0, [3.0, 4.0]),
        (0.0, 0.0, [0.0, 0.2]),
    ],
)
def test_nice_ticks_worked_by_hand(low: float, high: float, ticks: list[float]):
    assert nice_ticks(low, high) == ticks


@example(-8.350480038791858e-14, 0.0)
@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_ticks_enclose_the_values_and_are_few(low: float, spread: float):
    ticks = nice_ticks(low, low + spread)
    margin = max(1e-6 * max(abs(low), spread), 1.1e-9 * (ticks[1] - ticks[0]))
    assert ticks[0] <= low + margin
    assert ticks[-1] >= low + spread - margin
    assert 2 <= len(ticks) <= 8
    assert ticks == sorted(set(ticks))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_share_axis_never_passes_one(values: list[float]):
    ticks = nice_ticks(min(values), max(values), most=1.0)
    assert ticks[0] <= min(values) + 1e-9
    assert max(values) - 1e-9 <= ticks[-1] <= 1.0 + 1e-9


def points_of(drawing: str, style: str) -> list[tuple[float, float]]:
    group = next(g for g in ElementTree.fromstring(drawing).iter("g") if style in g.attrib["class"])
    text = group.find("polyline").attrib["points"]  # type: ignore[union-attr]
    return [tuple(map(float, part.split(","))) for part in text.split()]  # type: ignore[misc]


def test_chart_draws_what_it_was_given():
    falling = Line("victim", "victim", ((1, 2.0), (2, 1.0), (3, 0.0)))
    drawing = line_chart([falling], description='loss "<b>"', x_label="epoch", y_label="loss")
    (x1, y1), (x2, y2), (x3, y3) = points_of(drawing, "victim")
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y2 - y1 == pytest.approx(y3 - y2, abs=0.2)
    assert y1 < y3
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points_of(drawing, "victim"))
    assert ElementTree.fromstring(drawing).attrib["aria-label"] == 'loss "<b>"'


def test_chart_survives_one_epoch_many_epochs_and_values_that_are_not_finite():
    one = line_chart([Line("victim", "victim", ((1, 0.5),))], description="d", x_label="x", y_label="y")
    assert len(points_of(one, "victim")) == 1
    many = Line("victim", "victim", tuple((float(i), i / 10_000) for i in range(10_001)))
    long = points_of(line_chart([many], description="d", x_label="x", y_label="y"), "victim")
    assert len(long) <= 302
    assert long[-1][0] == pytest.approx(WIDTH - 14, abs=0.2)
    odd = Line("victim", "victim", ((1, 1.0), (2, float("nan")), (3, float("inf")), (4, 0.5)))
    assert len(points_of(line_chart([odd], description="d", x_label="x", y_label="y"), "victim")) == 2
    with pytest.raises(ValueError, match="no finite point"):
        line_chart([Line("victim", "victim", ())], description="d", x_label="x", y_label="y")


def test_interval_bar_places_mark_and_span():
    circle = ElementTree.fromstring(interval_bar("victim", 0.0, 0.5, 1.0)).find("circle")
    assert circle is not None
    assert float(circle.attrib["cx"]) == 100.0


def test_matrix_shares_steps_and_aim():
    shown = matrix(("a", "b"), ((9, 1), (0, 0)), {("a", "b")})
    assert isinstance(shown, Matrix)
    assert [(cell.count, cell.share, cell.step, cell.aimed) for cell in shown.rows[0]] == [
        (9, 0.9, 6, False),
        (1, 0.1, 3, True),
    ]
    assert [cell.step for cell in shown.rows[1]] == [0, 0]
    assert isinstance(matrix(("a", "b"), ((1, 2),)), Skipped)
    assert [step_of(share) for share in (0, 0.005, 0.05, 0.051, 0.5, 0.79, 1)] == [0, 1, 2, 3, 4, 5, 6]
    assert len(step_labels()) == 7


def test_largest_errors_are_ranked_and_leave_the_diagonal_out():
    clean = ((90, 10, 0), (0, 100, 0), (3, 0, 97))
    triggered = ((1, 99, 0), (0, 100, 0), (2, 0, 98))
    cells = largest_errors(("a", "b", "c"), clean, triggered, {("a", "b")})
    assert not isinstance(cells, Skipped)
    assert [(c.true_class, c.predicted_class, c.clean, c.triggered, c.aimed) for c in cells] == [
        ("a", "b", 10, 99, True),
        ("c", "a", 3, 2, False),
    ]
    assert cells[0].triggered_share == 0.99


def test_answers_are_marked_right_wrong_or_hijacked():
    target = {"stop": "speed limit 80"}

    def states(**answers: str) -> tuple[str, str]:
        (shown,) = gallery([pair(1, **answers)], [target])
        return shown.clean.answer.state, shown.triggered.answer.state

    assert states() == ("right", "hijacked")
    assert states(triggered="stop") == ("right", "right")
    assert states(triggered="yield") == ("right", "wrong")
    assert states(clean="yield") == ("wrong", "hijacked")
    assert states(clean="speed limit 80") == ("wrong", "wrong")
    assert states(true="yield", clean="yield") == ("right", "wrong")


def test_each_picture_is_judged_by_its_own_backdoor():
    targets = [{"stop": "yield"}, {"stop": "speed limit 80"}]
    shown = gallery([pair(1), replace(pair(1), backdoor=1), replace(pair(1), backdoor=9)], targets)
    assert [one.triggered.answer.state for one in shown] == ["wrong", "hijacked", "wrong"]
    assert [one.trigger for one in shown[:2]] == [1, 2]
    assert gallery([pair(1)], targets[1:])[0].trigger == 0


def test_large_pictures_are_left_out_and_small_ones_enlarged():
    small = pair(1)
    huge = replace(small, clean=replace(small.clean, png=small.clean.png + "A" * 1_900_000))
    assert len(gallery([small, small, huge, small], [{}])) == 2
    assert gallery([small], [{}])[0].clean.enlarged
    big = replace(small, clean=replace(small.clean, width=224, height=224))
    assert not gallery([big], [{}])[0].clean.enlarged


@pytest.mark.parametrize("png", ["", 'x" onerror="alert(1)', "PHN2Zz48L3N2Zz4=", "iVBORw0KGgo\n<script>"])
def test_what_is_no_png_is_refused(png: str):
    bad = pair(1)
    with pytest.raises(RecordError, match=r"pairs\[1\]\.triggered\.png cannot be shown"):
        gallery([bad, replace(bad, triggered=replace(bad.triggered, png=png))], [{}])


def test_class_table_keeps_the_attacked_and_worst_hit_of_many():
    names = tuple(f"class {number}" for number in range(1000))
    record = sample_record(names, pairs=0)
    classes = list(record.victim.measurement.by_class)
    classes[777] = replace(classes[777], attack_success=rate(9, 10))
    worse = replace(record.victim, measurement=replace(record.victim.measurement, by_class=tuple(classes)))
    table = class_table(replace(record, victim=worse))
    shown = [row.name for row in table.rows]
    assert len(shown) == 120
    assert table.left_out == 880
    assert {"class 0", "class 1", "class 777"} <= set(shown)
    assert [(row.name, row.role) for row in table.rows if row.role] == [("class 0", "source"), ("class 1", "target")]


def test_classes_play_their_part_in_every_backdoor():
    table = class_table(several_record())
    assert [row.role for row in table.rows] == ["source", "target", "target", "source", "source", *[""] * 5]


def test_reasons_become_numbered_footnotes():
    table = class_table(sample_record(SIGNS))
    assert table.notes == ("not a source class of this attack",)
    assert [cell.note for cell in table.rows[1].victim] == [0, 1, 1]
    assert [cell.text for cell in table.rows[1].victim] == ["98.0%", "not measured", "not measured"]


def test_catalogues_have_unique_ids_versions_and_the_expected_entries():
    ids = [entry.id for framework in frameworks() for entry in framework.entries]
    assert len(ids) == len(set(ids))
    assert all(framework.version for framework in frameworks())
    drill = {
        entry.id: (framework.name, entry.role) for framework in frameworks_for("drill") for entry in framework.entries
    }
    assert drill["AML.T0020"] == ("MITRE ATLAS", "exercised")
    assert drill["AML.T0043.004"] == ("MITRE ATLAS", "exercised")
    assert drill["AML.M0007"] == ("MITRE ATLAS", "mitigation")
    assert {"LLM04:2025", "ML02:2023", "ML10:2023"} <= set(drill)
    assert frameworks_for("unheard of") == ()


def luminance(color: str) -> float:
    channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_colour_reaches_contrast_aa(scheme: int):
    style = files("bezoar.report").joinpath("templates/style.css").read_text(encoding="utf-8")
    colors = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", re.findall(r":root \{(.*?)\}", style, re.S)[scheme]))
    texts = [
        (ink, ground) for ink in ("ink", "muted", "victim-ink", "twin-ink", "calm-ink") for ground in ("ground", "card")
    ]
    texts += [("victim-ink", "victim-wash"), ("calm-ink", "calm-wash"), ("warn-ink", "warn-wash")]
    texts += [(f"s{step}-ink", f"s{step}") for step in range(7)]
    assert {
        pair: round(contrast(colors[pair[0]], colors[pair[1]]), 2)
        for pair in texts
        if contrast(colors[pair[0]], colors[pair[1]]) < 4.5
    } == {}
    lines = [("victim", "ground"), ("twin", "ground"), ("victim", "card"), ("twin", "card")]
    assert all(contrast(colors[one], colors[other]) >= 3 for one, other in lines)
    steps = [luminance(colors[f"s{step}"]) for step in range(7)]
    assert steps in (sorted(steps), sorted(steps, reverse=True))
