"""Histograms of a detector's scores in one class as SVG text: the other samples upwards, the suspects downwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bezoar.records import Histogram, ScanRecord
from bezoar.report.phrases import brief, quoted, significant, visible

WIDTH, HEIGHT = 400, 200
LEFT, RIGHT, TOP, MIDDLE, BOTTOM = 8, 8, 22, 100, 178
MOST_CHARTS = 12
MOST_BINS = 200


@dataclass(frozen=True)
class Drawn:
    """One histogram: its title, and its drawing or none where the record holds nothing to draw."""

    title: str
    drawing: Markup | None


def histograms(record: ScanRecord) -> tuple[tuple[Drawn, ...], int]:
    """At most 12 histograms, those of the classes of findings first, and how many are left out."""
    targets = {finding.target for finding in record.findings}
    fired = {(signal.detector, signal.class_name) for signal in record.signals if signal.fired}

    def rank(one: Histogram) -> tuple[bool, bool]:
        return one.class_name not in targets, (one.detector, one.class_name) not in fired

    ranked = sorted(record.histograms, key=rank)[:MOST_CHARTS]
    return tuple(map(_drawn, ranked)), len(record.histograms) - len(ranked)


def _drawn(one: Histogram) -> Drawn:
    title = f"{brief(one.detector, 60)} on {quoted(brief(one.class_name, 60))}"
    return Drawn(title, histogram(one, title=title) if drawable(one) else None)


def drawable(one: Histogram) -> bool:
    """Whether edges and counts fit each other and there is anything to count."""
    bins = len(one.edges) - 1
    rising = all(low < high for low, high in zip(one.edges, one.edges[1:], strict=False))
    fits = 0 < bins <= MOST_BINS and len(one.others) == len(one.suspects) == bins
    return fits and rising and all(map(math.isfinite, one.edges)) and any((*one.others, *one.suspects))


def histogram(one: Histogram, *, title: str) -> Markup:
    """An SVG of counts between edges. Each side has a scale of its own, which its label gives."""
    others, suspects = sum(one.others), sum(one.suspects)
    text = f"{title}: scores of {others:,} other samples upwards and of {suspects:,} suspects downwards."
    body = [
        _bars("others", one.edges, one.others, MIDDLE, TOP),
        _bars("suspects", one.edges, one.suspects, MIDDLE, BOTTOM),
        Markup('<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(LEFT, WIDTH - RIGHT, MIDDLE, MIDDLE),
        _label(LEFT, 13, "start", f"{others:,} others, tallest bar {max(one.others):,}"),
        _label(LEFT, HEIGHT - 4, "start", f"{suspects:,} suspects, tallest bar {max(one.suspects):,}"),
        _label(WIDTH - RIGHT, 13, "end", f"{significant(one.edges[0])} to {significant(one.edges[-1])}"),
    ]
    return Markup('<svg class="chart histogram" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, visible(text), Markup("").join(body)
    )


def _bars(style: str, edges: Sequence[float], counts: Sequence[int], base: float, top: float) -> Markup:
    """Bars from `base` towards `top` as one path; the tallest reaches it, and no count above none is invisible."""
    tallest, spread = max(counts), edges[-1] - edges[0]
    pieces = []
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        if count <= 0:
            continue
        left, right = (LEFT + (edge - edges[0]) / spread * (WIDTH - LEFT - RIGHT) for edge in (low, high))
        height = (top - base) * count / tallest
        height = math.copysign(max(abs(height), 1.5), height)
        pieces.append(f"M{left:.1f} {base}h{max(right - left - 0.6, 0.6):.1f}v{height:.1f}H{left:.1f}z")
    return Markup('<path class="{}" d="{}"/>').format(style, "".join(pieces))


def _label(x: float, y: float, anchor: str, text: str) -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(x, y, anchor, visible(text))
