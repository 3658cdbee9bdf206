"""The test of a trigger that was found in a model: what it does to clean samples beside matched controls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch import nn

from bezoar.confirm.flips import Carriers, Flips, flips
from bezoar.confirm.measured import flip_test
from bezoar.confirm.recover.candidates import Candidate
from bezoar.confirm.recover.inverted import as_small, proposed, recovered, scaled_by
from bezoar.confirm.recover.recovered import Recovered
from bezoar.confirm.trials import Trial
from bezoar.data.dataset import Dataset
from bezoar.detect.inversion.invert import Inverted
from bezoar.detect.models.base import Proposal
from bezoar.records import FlipTest, Skipped
from bezoar.shapes import FloatImages

OTHERS = "the triggers found for the other classes, made as small, each towards its own"
ELSEWHERE = "the same trigger turned upside down"
OPPOSITE = "the opposite change of colours"
MOVED = "the same trigger at another place, half an image away"
TURNED = "the same trigger turned by a right angle"
ITSELF_ELSEWHERE = frozenset((ELSEWHERE, MOVED, TURNED))
"""Controls that are the trigger itself, put on otherwise: of a pattern of which any part will do they work as well."""
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
    counts; and this trigger turned upside down, or a change of colours turned into its opposite, which is as large and
    means nothing.
    """
    trigger = recovered(found, target, held_out.shape)
    rows = np.arange(len(held_out), dtype=np.int64)
    carriers = Carriers.of(held_out, rows)
    right = carriers.answers(model) == carriers.labels
    done = flips(model, carriers, trigger, target, right)
    meaningless, what = _meaningless(found, trigger, target, held_out)
    controls = {what: flips(model, carriers, meaningless, target, right)}
    others = max(_others(model, found, target, carriers, right, held_out), key=_rate, default=None)
    if others is not None:
        controls[OTHERS] = others
    trial = Trial(Candidate(trigger, None), carriers.labels, done, controls)
    return Tried(trigger, flip_test(trial, target, (), held_out.class_names))


def tried_proposal(model: nn.Module, proposal: Proposal, held_out: Dataset) -> Tried:
    """Put a proposed trigger on held-out clean samples of its source classes, and its controls.

    Controls: the same trigger half an image further down, to the right, and both, of which the strongest counts; one
    that fills the image, such as a wave, is turned by a right angle.
    """
    trigger = proposed(proposal, held_out.shape)
    carriers = Carriers.of(held_out, np.arange(len(held_out), dtype=np.int64))
    right = carriers.answers(model) == carriers.labels
    among = np.isin(carriers.labels, proposal.sources) if proposal.sources else carriers.labels != proposal.target
    done = flips(model, carriers, trigger, proposal.target, right)
    what, elsewhere = _elsewhere(trigger, held_out.shape)
    moved = [flips(model, carriers, one, proposal.target, right) for one in elsewhere]
    strongest = max(moved, key=lambda one: np.nan_to_num(one.rate_among(among), nan=-1.0))
    trial = Trial(Candidate(trigger, None), carriers.labels, done, {what: strongest})
    return Tried(trigger, flip_test(trial, proposal.target, proposal.sources, held_out.class_names))


def _others(
    model: nn.Module, found: Inverted, target: int, carriers: Carriers, right: np.ndarray, held_out: Dataset
) -> Iterator[Flips]:
    size = float(found.sizes[target])
    for place, one in enumerate(found.hypotheses):
        if one.target != target:
            yield flips(model, carriers, as_small(found, place, size, held_out.shape), one.target, right)


def _meaningless(found: Inverted, trigger: Recovered, target: int, held_out: Dataset) -> tuple[Recovered, str]:
    """A trigger as large as the one found for `target`, and what it is in words."""
    if trigger.kind != "colours":
        return _upside_down(trigger), ELSEWHERE
    return scaled_by(found, target, -1.0, held_out.shape), OPPOSITE


def _rate(one: Flips) -> float:
    return -1.0 if np.isnan(one.rate) else one.rate


def _elsewhere(trigger: Recovered, shape: tuple[int, ...]) -> tuple[str, list[Recovered]]:
    """Triggers as large as a proposed one, at other places or in another direction, and what they are in words."""
    if trigger.kind != "patch":
        return (TURNED, [_turned(trigger)]) if shape[1] == shape[2] else (ELSEWHERE, [_upside_down(trigger)])
    down, right = shape[1] // 2, shape[2] // 2
    return MOVED, [_moved(trigger, *by) for by in ((down, 0), (0, right), (down, right))]


def _turned(trigger: Recovered) -> Recovered:
    """Put on images that lie on their side, which are then set upright."""

    def change(images: FloatImages) -> FloatImages:
        return trigger.change(images.rot90(1, (2, 3))).rot90(-1, (2, 3))

    return Recovered(trigger.kind, trigger.description, change, trigger.picture)


def _moved(trigger: Recovered, down: int, right: int) -> Recovered:
    """Put on images that were rolled, which are then rolled back: what leaves on one side comes in on the other."""

    def change(images: FloatImages) -> FloatImages:
        return trigger.change(images.roll((-down, -right), (2, 3))).roll((down, right), (2, 3))

    return Recovered(trigger.kind, trigger.description, change, trigger.picture)


def _upside_down(trigger: Recovered) -> Recovered:
    """Put on images that stand on their head, which are then set upright."""

    def change(images: FloatImages) -> FloatImages:
        return trigger.change(images.flip(2)).flip(2)

    return Recovered(trigger.kind, trigger.description, change, trigger.picture)
