"""The trigger that a scan's suspects bear, as far as it works on the model."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from bezoar.confirm.flips import LEAST_FLIPS, LEAST_GAIN, Carriers, flips
from bezoar.confirm.recover.candidates import from_samples
from bezoar.confirm.recover.recovered import FEWEST_SUSPECTS, Recovered
from bezoar.data.dataset import Dataset
from bezoar.records import Skipped
from bezoar.repair.checks.search import Suspected, Worn
from bezoar.repair.given import Given, drawn
from bezoar.shapes import Images
from bezoar.training.elsewhere import computing_on

MOST_SUSPECTS, MOST_ORDINARY, MOST_ASKED = 100, 500, 500


@dataclass(frozen=True, eq=False)
class _Shown:
    """Images from which a trigger is recovered: suspects of one class, innocent ones of it, and ordinary ones."""

    suspects: Images
    innocent: Images
    ordinary: Images
    target: int


def trigger_of_suspects(
    model: nn.Module, fit: Dataset, given: Given, *, seed: int, device: str = "auto"
) -> Suspected | Skipped:
    """Of the triggers that the suspects of the commonest label share the one that turns most of the trusted samples.

    It stands out where it turns 30% of them, and 20 points more than its twin: recovered the same way from innocent
    samples of that class.
    """
    shown = _shown(given, seed)
    if shown is None:
        return Skipped(f"there are no {FEWEST_SUSPECTS} suspects of one class, and as many others of it, to look at")
    with computing_on(model, device):
        return _of_shown(model, fit, shown, seed)


def _of_shown(model: nn.Module, fit: Dataset, shown: _Shown, seed: int) -> Suspected | Skipped:
    carriers = Carriers.of(asked := drawn(fit, MOST_ASKED, seed), torch.arange(len(asked)).numpy())
    right = carriers.answers(model) == carriers.labels

    def turned(trigger: Recovered | None) -> float:
        share = 0.0 if trigger is None else flips(model, carriers, trigger, shown.target, right).rate
        return share if share == share else 0.0  # NaN where no sample counts

    found = [(turned(one.trigger), one) for one in from_samples(shown.suspects, shown.innocent, shown.ordinary)]
    if not found:
        return Skipped("the suspects share no trigger that could be recovered")
    share, best = max(found, key=lambda pair: pair[0])
    beside = turned(best.twin)
    how = (
        f"recovered from {len(shown.suspects):,} suspects; it turns {share:.0%} of trusted samples, and what innocent "
        f"samples share in its place {beside:.0%}"
    )
    works = share >= LEAST_FLIPS and share - beside >= LEAST_GAIN
    return Suspected(Worn(best.trigger), shown.target, works, how, best.trigger.description, best.trigger.picture)


def _shown(given: Given, seed: int) -> _Shown | None:
    flagged, rest = given.flagged(), given.unflagged()
    if flagged is None or rest is None or not flagged.is_images:
        return None
    target = int(torch.bincount(flagged.labels).argmax())
    same, own = flagged.labels == target, rest.labels == target
    if min(int(same.sum()), int(own.sum())) < FEWEST_SUSPECTS:
        return None
    suspects = drawn(flagged.select(same), MOST_SUSPECTS, seed)
    innocent = drawn(rest.select(own), len(suspects), seed)
    return _Shown(suspects.inputs, innocent.inputs, drawn(rest, MOST_ORDINARY, seed).inputs, target)
