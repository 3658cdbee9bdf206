"""Which detectors a scan asks, by budget, and what part of the evidence each of them needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from bezoar.detect.samples.hidden_pattern import HiddenPattern
from bezoar.detect.scores import SAMPLE_DETECTORS, SampleDetector
from bezoar.evidence.samples.content import CONTENT
from bezoar.evidence.samples.pixels import PIXELS
from bezoar.evidence.samples.spectrum import SPECTRUM

Budget: TypeAlias = Literal["quick", "standard", "thorough"]

FROM_PICTURES = (SPECTRUM.name, PIXELS.name)
"""Evidence that no network had a part in."""
IN_DETAIL = f"hidden-pattern:rows={SPECTRUM.name}"
BY_CONTENT = f"first={CONTENT.name}"
MARKS = (IN_DETAIL, "shared-pixels")
"""Detectors of marks in the samples as such, whatever they show."""
IN_DOUBTED_DETAIL = f"{IN_DETAIL},{BY_CONTENT}"
FROM_FEATURES = ("activation-clustering", "spectre", "scan:normalised=false")
_WORDS = {
    SPECTRUM.name: "the fine detail of its samples",
    PIXELS.name: "the pixels of its samples",
    "shared-pixels": "pixels that many of its samples share",
    "activation-clustering": "two clusters in the deepest layer of a network",
    "spectre": "the deepest layer of a network, robustly whitened",
    "scan": "two groups in the deepest layer of a network",
}
RANKING = ("spectral", "beatrix", "layer-clustering", "training-dynamics", "neighbour-disagreement", "strip", "roni")
WITH_TRUST = ("asset", "confusion-training")


def panel(budget: Budget, layers: Sequence[str], *, trusted: bool = False) -> tuple[str, ...]:
    """Specifications of the detectors asked: `layers` are the names of the layers there is evidence of.

    Hidden patterns are sought in the samples and in the layers of a network: from the labels that features tell, in the
    deeper two thirds, since what a warp does shows there and nowhere else, and before them classes fall apart by colour
    and background. From coarse content they are sought in all layers, and in the samples where a test can tell what is
    found: among 64 noisy waves of a class those that are doubted lie apart by their phase. `thorough` asks every
    detector there is; those that need a trusted set only where there is one.
    """
    if budget == "quick" or not layers:
        return MARKS
    deeper = set(layers[len(layers) // 3 :])
    sought = [
        spec
        for name in layers
        for spec in (f"hidden-pattern:rows={name}", f"hidden-pattern:rows={name},{BY_CONTENT}")
        if name in deeper or _by_content(spec)
    ]
    further = (*RANKING, *(WITH_TRUST if trusted else ())) if budget == "thorough" else ()
    return (*MARKS, IN_DOUBTED_DETAIL, *sought, *FROM_FEATURES, *further)


def built(specs: Sequence[str]) -> tuple[SampleDetector, ...]:
    """The detectors of these specifications. Raises SpecError for one that can't be built."""
    return tuple(SAMPLE_DETECTORS.create(spec) for spec in specs)


def kinds_of(specs: Sequence[str]) -> dict[str, str]:
    """What each detector's statistic is comparable with: that of the same method on the same kind of evidence.

    `specs` are all detectors of a scan, layers in the order in which data pass them. The first layers, where classes
    fall apart by colour and background, are of another kind than those behind them: half of those in which a pattern
    is sought from labels, a third of those in which it is sought from content.
    """
    in_layers = [spec for spec in specs if _rows(spec) not in (None, *FROM_PICTURES)]
    by_labels = [spec for spec in in_layers if not _by_content(spec)]
    by_content = [spec for spec in in_layers if _by_content(spec)]
    deep = {*by_labels[len(by_labels) // 2 :], *by_content[len(by_content) // 3 :]}
    return {spec: _kind(spec, deep=spec in deep) for spec in specs}


def _kind(spec: str, *, deep: bool) -> str:
    name, rows = spec.partition(":")[0], _rows(spec)
    if rows is None:
        return name
    place = "samples" if rows in FROM_PICTURES else "deep layers" if deep else "layers"
    return f"{name} by content on {place}" if _by_content(spec) else f"{name} on {place}"


def in_words(spec: str) -> str:
    """What the detector of this specification looks at, to end a sentence with "stands out by"."""
    rows = _rows(spec)
    if rows is None:
        return _WORDS.get(spec.partition(":")[0], spec)
    where = _WORDS.get(rows, f"what the layer {rows} of a network makes of its samples")
    return f"{where}, above all where coarse content speaks against labels" if _by_content(spec) else where


def _rows(spec: str) -> str | None:
    """The evidence in which a hidden pattern is sought, None for other detectors."""
    name, _, fields = spec.partition(":")
    return _fields(fields).get("rows", HiddenPattern.rows) if name == "hidden-pattern" else None


def _by_content(spec: str) -> bool:
    """Whether a hidden pattern is sought from what coarse content says against labels."""
    return _fields(spec.partition(":")[2]).get("first") == CONTENT.name


def _fields(text: str) -> dict[str, str]:
    return dict(field.partition("=")[::2] for field in text.split(","))
