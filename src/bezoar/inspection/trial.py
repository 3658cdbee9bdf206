"""The test of a trigger that was found in a model: what it does to clean samples beside matched controls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch import nn

from bezoar.confirm.flips import Carriers, Flips, flips
from bezoar.confirm.measured import flip_test
from bezoar.confirm.recover.candidates import Candidate
from bezoar.confirm.recover.inverted import as_small, recovered
from bezoar.confirm.recover.recovered import Recovered
from bezoar.confirm.trials import Trial
from bezoar.data.dataset import Dataset
from bezoar.detect.inversion.invert import Inverted
from bezoar.records import FlipTest, Skipped

OTHERS = "the triggers found for the other classes, made as small, each towards its own"
ELSEWHERE = "the same trigger turned upside down"
LEAST_FLIPS, LEAST_GAIN = 0.5, 0.3
"""A trigger is proved that turns this share of held-out samples, and this much more than its strongest control."""


@dataclass(frozen=True, eq=False)
class Tried:
    """A trigger and its test."""

    trigger: Recovered
    test: FlipTest | Skipped

    @property
    def proved(self) -> bool:
        """Whether it turns samples as no control does."""
        if isinstance(self.test, Skipped):
            return False
        done, control = self.test.flips.value, self.test.control.value
        return done >= LEAST_FLIPS and done - control >= LEAST_GAIN


def tried(model: nn.Module, found: Inverted, target: int, held_out: Dataset) -> Tried:
    """Put the trigger found for `target` on held-out clean samples, and its controls.

    Controls: triggers of the same form found for the other classes, made as small as this one, of which the strongest
    counts; and this trigger turned upside down, which is as large and means nothing.
    """
    trigger = recovered(found, target, held_out.shape)
    rows = np.arange(len(held_out), dtype=np.int64)
    carriers = Carriers.of(held_out, rows)
    right = carriers.answers(model) == carriers.labels
    done = flips(model, carriers, trigger, target, right)
    controls = {ELSEWHERE: flips(model, carriers, _upside_down(trigger), target, right)}
    others = max(_others(model, found, target, carriers, right, held_out), key=_rate, default=None)
    if others is not None:
        controls[OTHERS] = others
    trial = Trial(Candidate(trigger, None), carriers.labels, done, controls)
    return Tried(trigger, flip_test(trial, target, (), held_out.class_names))


def _others(
    model: nn.Module, found: Inverted, target: int, carriers: Carriers, right: np.ndarray, held_out: Dataset
) -> Iterator[Flips]:
    size = float(found.sizes[target])
    for place, one in enumerate(found.hypotheses):
        if one.target != target:
            yield flips(model, carriers, as_small(found, place, size, held_out.shape), one.target, right)


def _rate(one: Flips) -> float:
    return -1.0 if np.isnan(one.rate) else one.rate


def _upside_down(trigger: Recovered) -> Recovered:
    """Put on images that stand on their head, which are then set upright."""

    def change(images):  # type: ignore[no-untyped-def]
        return trigger.change(images.flip(2)).flip(2)

    return Recovered(trigger.kind, trigger.description, change, trigger.picture)
