"""What suspects show where no network is trained: their coarse content alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bezoar.confirm.coarse import coarse_sight
from bezoar.confirm.confirm import shown_by, witness_of
from bezoar.confirm.content import Content, surely_right
from bezoar.confirm.networks import divided
from bezoar.data.dataset import Dataset
from bezoar.scan.case import doubtful, hypotheses_of
from bezoar.scan.finding import Untested
from bezoar.scan.nominees import Nominee
from bezoar.scan.signals import SIGNIFICANCE
from bezoar.scan.verdict import QUICK

FEWEST = 100
"""From fewer samples no coarse content is learnt."""


def glance(data: Dataset, chosen: Sequence[Nominee], *, seed: int) -> tuple[Untested, ...]:
    """For each nominee what its suspects show to one who sees 8 pixels a side, who learnt from samples nobody doubts.

    Of experts who name different suspects the one with most wrong labels speaks; nobody where one can't be judged, or
    where no nominee stands out enough to be a finding. Takes seconds.
    """
    unseen = tuple(Untested(QUICK) for _ in chosen)
    if all(one.signal.p_adjusted > SIGNIFICANCE for one in chosen):
        return unseen
    parts = divided(data, {data.ids[row] for one in chosen for row in doubtful(one)}, seed)
    sight = coarse_sight(data, parts.trained)
    if sight is None or len(parts.trained) < FEWEST:
        return unseen
    witness = witness_of(data, sight.network, parts.held_out)
    shown = ([shown_by(data, hypothesis, witness) for hypothesis in hypotheses_of(data, one)] for one in chosen)
    return tuple(Untested(QUICK, _most_blamed([replace(one, coarsely=True) for one in told])) for told in shown)


def marks_of_many(chosen: Sequence[Nominee], outcomes: Sequence[object]) -> bool:
    """Whether several marked classes have suspects with surely right labels: a clean-label attack has one target."""
    right = [
        one.standing.marked
        for one, outcome in zip(chosen, outcomes, strict=True)
        if isinstance(outcome, Untested) and outcome.shown is not None and surely_right(outcome.shown)
    ]
    return sum(right) > 1


def _most_blamed(contents: Sequence[Content]) -> Content | None:
    known = [(one.mislabelled, place) for place, one in enumerate(contents) if one.mislabelled is not None]
    return contents[max(known)[1]] if len(known) == len(contents) else None
