"""A trial as a record: rates with intervals, the strongest control, and how likely the difference is chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bezoar.confirm.flips import Flags, Flips
from bezoar.confirm.trials import Trial
from bezoar.metrics.intervals import mcnemar_exact, rate_or_skipped, wilson
from bezoar.records import FlipTest, Rate, Skipped, SourceFlips

MODEL = "a small network that met the suspects among other samples"
NONE_OF_SOURCES = "the network gets no held-out sample of the source classes right"
NONE_FOR_CONTROLS = "the controls get no held-out sample of the source classes right"
NONE_OF_CLASS = "the network gets no held-out sample of this class right"
NONE_FOR_CONTROL = "the control leads to this very class, or its network gets no held-out sample of it right"


def flip_test(trial: Trial, target: int, sources: Sequence[int], class_names: Sequence[str]) -> FlipTest | Skipped:
    """Flips of carriers of the `sources`, or of all classes but the target, beside the strongest control.

    The p-value is one-sided and exact, from carriers that both networks get right without a trigger.
    """
    among = np.isin(trial.labels, sources) if sources else trial.labels != target
    if not (trial.done.counted & among).any():
        return Skipped(NONE_OF_SOURCES)
    controls = {name: one for name, one in trial.controls.items() if (one.counted & among).any()}
    if not controls:
        return Skipped(NONE_FOR_CONTROLS)
    name, strongest = max(controls.items(), key=lambda pair: pair[1].rate_among(among))
    return FlipTest(
        flips=_rate(trial.done, among),
        control=_rate(strongest, among),
        control_kind=name,
        controls=len(controls),
        p_value=_p_value(trial.done, strongest, among),
        by_source=tuple(
            _source_flips(class_name, trial.done, strongest, trial.labels == label)
            for label, class_name in enumerate(class_names)
            if label != target
        ),
        model=MODEL,
    )


def _rate(flips: Flips, among: Flags) -> Rate:
    return wilson(int((flips.flipped & among).sum()), int((flips.counted & among).sum()))


def _p_value(done: Flips, control: Flips, among: Flags) -> float:
    """McNemar's exact test on carriers that count for both."""
    both = done.counted & control.counted & among
    only = int((done.flipped & ~control.flipped & both).sum())
    other = int((~done.flipped & control.flipped & both).sum())
    return mcnemar_exact(only, other).first_worse


def _source_flips(name: str, done: Flips, control: Flips, among: Flags) -> SourceFlips:
    return SourceFlips(
        name, _rate_or_skipped(done, among, NONE_OF_CLASS), _rate_or_skipped(control, among, NONE_FOR_CONTROL)
    )


def _rate_or_skipped(flips: Flips, among: Flags, reason: str) -> Rate | Skipped:
    return rate_or_skipped(int((flips.flipped & among).sum()), int((flips.counted & among).sum()), reason)
