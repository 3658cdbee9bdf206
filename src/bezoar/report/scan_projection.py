"""The samples in the plane of their features as SVG text, coloured by score; suspects stand in rings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bezoar.records import ProjectedPoint, ScanRecord
from bezoar.report.phrases import brief, quoted, visible

WIDTH, HEIGHT, EDGE = 400, 300, 8
MOST_POINTS = 2500
MOST_CHARTS = 6
FEWEST_POINTS = 10
STEPS = 5
CORE = 0.01
BEYOND = 0.3


@dataclass(frozen=True)
class Map:
    """One drawing: what it shows, and how many of how many points are on it."""

    title: str
    drawing: Markup
    drawn: int
    points: int


def maps(record: ScanRecord) -> tuple[Map, ...]:
    """All samples together, then the class of each finding by itself, at most six drawings."""
    points = [point for point in record.projection if math.isfinite(point.x) and math.isfinite(point.y)]
    if not points:
        return ()
    targets = dict.fromkeys(finding.target for finding in record.findings)
    by_class = [
        (f"Labelled {quoted(brief(target, 60))}", [point for point in points if point.class_name == target])
        for target in targets
    ]
    chosen = [(title, some) for title, some in by_class if FEWEST_POINTS <= len(some) < len(points)]
    return tuple(_map(title, some) for title, some in [("All samples", points), *chosen][:MOST_CHARTS])


def _map(title: str, points: Sequence[ProjectedPoint]) -> Map:
    kept = thinned(points)
    return Map(title, scatter(kept, description=_description(title, points)), len(kept), len(points))


def _description(title: str, points: Sequence[ProjectedPoint]) -> str:
    suspects = sum(point.suspect for point in points)
    return f"{title}: {len(points):,} samples in the plane of their features, {suspects:,} of them suspects."


def thinned(points: Sequence[ProjectedPoint]) -> list[ProjectedPoint]:
    """At most 2,500 points, evenly chosen in their order; of them at most half are suspects if others are left out."""
    suspects, others = [p for p in points if p.suspect], [p for p in points if not p.suspect]
    room = max(MOST_POINTS // 2, MOST_POINTS - len(others))
    shown = _every(suspects, room)
    return [*_every(others, MOST_POINTS - len(shown)), *shown]


def _every(points: list[ProjectedPoint], most: int) -> list[ProjectedPoint]:
    if len(points) <= most:
        return points
    return [points[index * len(points) // most] for index in range(most)]


def scatter(points: Sequence[ProjectedPoint], *, description: str) -> Markup:
    """An SVG of finite points in five steps of score; one far from all others is drawn on the edge.

    Dots are pieces of a path of no length with round ends: a tenth of the text that circles would take.
    """
    places = list(zip(*(_placed(axis, size) for axis, size in _axes(points)), strict=True))
    rings = [place for point, place in zip(points, places, strict=True) if point.suspect]
    body = [_dots("dots ring", rings)] if rings else []
    for step in range(STEPS):
        some = [place for point, place in zip(points, places, strict=True) if score_step(point.score) == step]
        if some:
            body.append(_dots(f"dots d{step + 1}", some))
    return Markup(
        '<svg class="chart map" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        '<rect class="ground" x="0.5" y="0.5" width="{}" height="{}" rx="8"/>{}</svg>'
    ).format(WIDTH, HEIGHT, visible(description), WIDTH - 1, HEIGHT - 1, Markup("").join(body))


def score_step(score: float) -> int:
    """The step of a score in 0..1 on the scale of colours, 0 to 4."""
    return min(max(int(score * STEPS), 0), STEPS - 1) if math.isfinite(score) else 0


def step_labels() -> tuple[str, ...]:
    """What each step of colour means."""
    return tuple(f"{step / STEPS:.0%} to {(step + 1) / STEPS:.0%}" for step in range(STEPS))


def _axes(points: Sequence[ProjectedPoint]) -> tuple[tuple[list[float], int], tuple[list[float], int]]:
    return ([point.x for point in points], WIDTH), ([-point.y for point in points], HEIGHT)


def _placed(values: list[float], size: int) -> list[float]:
    """Places along an axis of `size`: the inner 98% and something beyond fill it, the rest is put on the edge."""
    ranked = sorted(values)
    tail = int(len(ranked) * CORE)
    low, high = ranked[tail], ranked[len(ranked) - 1 - tail]
    margin = (high - low) * BEYOND
    low, high = max(low - margin, ranked[0]), min(high + margin, ranked[-1])
    # Halved before they are subtracted: the difference of two finite numbers may be infinite.
    spread = high / 2 - low / 2
    if spread <= 0:
        return [size / 2 for _ in values]
    shares = (min(max((value / 2 - low / 2) / spread, 0.0), 1.0) for value in values)
    return [EDGE + share * (size - 2 * EDGE) for share in shares]


def _dots(style: str, places: Sequence[tuple[float, float]]) -> Markup:
    return Markup('<path class="{}" d="{}"/>').format(style, "".join(f"M{x:.1f} {y:.1f}h0" for x, y in places))
