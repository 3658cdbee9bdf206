"""Which detectors a scan asks, by budget, and what part of the evidence each of them needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from bezoar.detect.samples.hidden_pattern import HiddenPattern
from bezoar.detect.scores import SAMPLE_DETECTORS, SampleDetector
from bezoar.evidence.samples.pixels import PIXELS
from bezoar.evidence.samples.spectrum import SPECTRUM

Budget: TypeAlias = Literal["quick", "standard", "thorough"]

FROM_PICTURES = (SPECTRUM.name, PIXELS.name)
"""Evidence that no network had a part in."""
IN_DETAIL = f"hidden-pattern:rows={SPECTRUM.name}"
FROM_SAMPLES = (IN_DETAIL, "shared-pixels")
FROM_FEATURES = ("activation-clustering", "spectre", "scan:normalised=false")
RANKING = ("spectral", "beatrix", "layer-clustering", "training-dynamics", "neighbour-disagreement", "strip", "roni")
WITH_TRUST = ("asset", "confusion-training")


def panel(budget: Budget, layers: Sequence[str], *, trusted: bool = False) -> tuple[str, ...]:
    """Specifications of the detectors asked: `layers` are the names of the layers there is evidence of.

    Hidden patterns are sought in the samples and in every layer of the deeper half of a network: what a warp does to
    features shows there and nowhere else. `thorough` asks every detector there is; those that need a trusted set
    only where there is one.
    """
    if budget == "quick" or not layers:
        return FROM_SAMPLES
    deeper = tuple(f"hidden-pattern:rows={name}" for name in layers[len(layers) // 3 :])
    further = (*RANKING, *(WITH_TRUST if trusted else ())) if budget == "thorough" else ()
    return (*FROM_SAMPLES, *deeper, *FROM_FEATURES, *further)


def built(specs: Sequence[str]) -> tuple[SampleDetector, ...]:
    """The detectors of these specifications. Raises SpecError for one that can't be built."""
    return tuple(SAMPLE_DETECTORS.create(spec) for spec in specs)


def kinds_of(specs: Sequence[str]) -> dict[str, str]:
    """What each detector's statistic is comparable with: that of the same method on the same kind of evidence.

    `specs` are all detectors of a scan, layers in the order in which data pass them: the deeper half of the layers
    asked is of another kind than those before, where classes fall apart by colour and background.
    """
    layers = [spec for spec in specs if _rows(spec) not in (None, *FROM_PICTURES)]
    deep = set(layers[len(layers) // 2 :])
    return {spec: _kind(spec, deep=spec in deep) for spec in specs}


def _kind(spec: str, *, deep: bool) -> str:
    name, rows = spec.partition(":")[0], _rows(spec)
    if rows is None:
        return name
    return f"{name} on {'samples' if rows in FROM_PICTURES else 'deep layers' if deep else 'layers'}"


def _rows(spec: str) -> str | None:
    """The evidence in which a hidden pattern is sought, None for other detectors."""
    name, _, fields = spec.partition(":")
    if name != "hidden-pattern":
        return None
    return dict(field.partition("=")[::2] for field in fields.split(",")).get("rows", HiddenPattern.rows)
