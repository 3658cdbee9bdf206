"""Line charts and interval bars as SVG text. Pure functions; colours come from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 400, 240
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 14, 44
MOST_POINTS = 300
MOST_MARKS = 40


@dataclass(frozen=True)
class Line:
    """One curve; `style` ('victim' or 'twin') chooses colour, dash and mark together."""

    label: str
    style: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class _Frame:
    """Where data coordinates fall on the drawing."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def x(self, value: float) -> float:
        return LEFT + (value - self.x_low) / (self.x_high - self.x_low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (value - self.y_low) / (self.y_high - self.y_low) * (HEIGHT - TOP - BOTTOM)


def line_chart(
    lines: Sequence[Line],
    *,
    description: str,
    x_label: str,
    y_label: str,
    y_text: Callable[[float], str] = lambda value: f"{value:g}",
    y_most: float | None = None,
) -> Markup:
    """An SVG of `lines` with axes and grid; `description` is its text alternative.

    Points that are not finite are left out; past 300 points a line is thinned, its last point kept.
    `y_most` caps the vertical axis (1 for shares). Raises ValueError when no finite point is left.
    """
    kept = [Line(line.label, line.style, _thinned(line.points)) for line in lines]
    points = [point for line in kept for point in line.points]
    if not points:
        raise ValueError("no finite point to draw")
    y_ticks = nice_ticks(min(y for _, y in points), max(y for _, y in points), most=y_most)
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    frame = _Frame(first, last if last > first else first + 1, y_ticks[0], y_ticks[-1])
    body = [
        *(_y_tick(frame, tick, y_text(tick)) for tick in y_ticks),
        *(_x_tick(frame, tick) for tick in _x_ticks(first, last)),
        *(_curve(frame, line) for line in kept if line.points),
        _axis_titles(x_label, y_label),
    ]
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, description, Markup("").join(body)
    )


def nice_ticks(low: float, high: float, *, count: int = 5, most: float | None = None) -> list[float]:
    """Round tick values (1, 2 or 5 times a power of ten apart) that enclose low..high, to a billionth of a step."""
    spread = high - low
    if spread <= 1e-9 * max(abs(low), abs(high), 1.0):
        spread = abs(high) if abs(high) > 1e-6 else 1.0
    magnitude = 10.0 ** math.floor(math.log10(spread / count))
    step = next(magnitude * factor for factor in (1, 2, 5, 10) if magnitude * factor * count >= spread * (1 - 1e-9))
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    ticks = [round(index * step, 12) for index in range(first, last + 1)]
    if most is None or ticks[-1] <= most:
        return ticks
    kept = [tick for tick in ticks if tick <= most]
    return kept if len(kept) > 1 else [round(most - step, 12), most]


def _thinned(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    finite = [point for point in points if math.isfinite(point[0]) and math.isfinite(point[1])]
    stride = math.ceil(len(finite) / MOST_POINTS) or 1
    chosen = finite[::stride]
    return tuple(chosen if not finite or chosen[-1] == finite[-1] else [*chosen, finite[-1]])


def _x_ticks(first: float, last: float) -> list[int]:
    step = max(1, math.ceil((last - first) / 6))
    return [int(first) + index * step for index in range(int((last - first) // step) + 1)]


def _y_tick(frame: _Frame, tick: float, text: str) -> Markup:
    return Markup(
        '<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
        '<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>'
    ).format(LEFT, WIDTH - RIGHT, frame.y(tick), frame.y(tick), LEFT - 8, frame.y(tick) + 4, text)


def _x_tick(frame: _Frame, tick: int) -> Markup:
    return Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
        frame.x(tick), HEIGHT - BOTTOM + 18, tick
    )


def _axis_titles(x_label: str, y_label: str) -> Markup:
    middle = (TOP + HEIGHT - BOTTOM) / 2
    return Markup(
        '<text class="axis" x="{}" y="{}" text-anchor="middle">{}</text>'
        '<text class="axis" transform="translate(12 {}) rotate(-90)" text-anchor="middle">{}</text>'
    ).format((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, x_label, middle, y_label)


def _curve(frame: _Frame, line: Line) -> Markup:
    drawn = [(frame.x(x), frame.y(y)) for x, y in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
    shown = drawn if len(drawn) <= MOST_MARKS else drawn[-1:]
    marks = Markup("").join(_mark(line.style, x, y) for x, y in shown)
    return Markup('<g class="line {}"><polyline points="{}"/>{}</g>').format(line.style, path, marks)


def _mark(style: str, x: float, y: float) -> Markup:
    if style == "twin":
        return Markup('<rect x="{:.1f}" y="{:.1f}" width="6" height="6"/>').format(x - 3, y - 3)
    return Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3"/>').format(x, y)


def interval_bar(style: str, low: float, value: float, high: float) -> Markup:
    """A share in 0..1 with its interval on a 0 to 100% track; the numbers stand beside it as text."""
    low, value, high = (min(max(share, 0.0), 1.0) for share in (low, value, high))
    mark = (
        Markup('<rect x="{:.2f}" y="4" width="8" height="8"/>').format(196 * value - 2)
        if style == "twin"
        else Markup('<circle cx="{:.2f}" cy="8" r="4.5"/>').format(196 * value + 2)
    )
    return Markup(
        '<svg class="bar {}" viewBox="-4 0 208 16" aria-hidden="true">'
        '<line class="track" x1="2" x2="198" y1="8" y2="8"/>'
        '<line class="span" x1="{:.2f}" x2="{:.2f}" y1="8" y2="8"/>{}</svg>'
    ).format(style, 196 * low + 2, 196 * high + 2, mark)
