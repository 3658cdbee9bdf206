"""The causal test of all nominees: networks trained with and without their suspects, and triggers tried on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import compress
from typing import TypeAlias

from bezoar.confirm.confirm import shown_by, witness_of
from bezoar.confirm.flips import Rows
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.networks import Blind, halves, train_blind, train_shown
from bezoar.confirm.rest import rest_is_marked
from bezoar.confirm.rivals import confirm_rivals
from bezoar.confirm.witness import Witness, Witnesses
from bezoar.data.dataset import Dataset
from bezoar.errors import DataError, TrainingError
from bezoar.scan.clock import Clock
from bezoar.scan.finding import Tested
from bezoar.scan.gathering import untrainable
from bezoar.scan.nominees import Nominee
from bezoar.scan.settings import ScanSettings
from bezoar.scan.verdict import LARGE, QUICK, WITH_FLIPS, could_matter, strength_of
from bezoar.training import predict_logits

Outcomes: TypeAlias = tuple[Tested | None, ...]
"""What became of each nominee; None of one that no test could make a finding of."""
DOUBTFUL = 0.1
"""Samples with more than these odds, suspects or not, are kept from the networks that shall not meet any."""


def causal_test(data: Dataset, chosen: Sequence[Nominee], settings: ScanSettings, clock: Clock) -> Outcomes | str:
    """What the causal test made of each nominee, or why there is no test."""
    if settings.budget == "quick":
        return QUICK
    if not chosen:
        return ()
    reason = untrainable(data, settings.probe)
    if reason is not None:
        return f"no trigger could be tried: {reason}"
    try:
        return _with_networks(data, chosen, settings, clock)
    except (DataError, TrainingError) as error:  # too few samples that nobody doubts, or a training that diverged
        return f"no trigger could be tried: {error.what}"


def _with_networks(data: Dataset, chosen: Sequence[Nominee], settings: ScanSettings, clock: Clock) -> Outcomes:
    """The test; where it confirms nobody, once more with the rest of a class suspected that seems to bear a trigger.

    That counts if it confirms such a class.
    """
    blind = _blind(data, chosen, settings, clock)
    outcomes = _tested(data, chosen, blind, settings, clock)
    proved = any(_confirms(*pair) for pair in zip(chosen, outcomes, strict=True))
    if proved or not any(_is_large(one) for one in chosen):
        return outcomes
    with clock.stage("look at what large parts leave of a class"):
        witness = witness_of(data, blind.model, blind.parts.held_out)
        turned = {one.label: rest for one in chosen if (rest := _turned(data, one, witness)) is not None}
    if not turned:
        return outcomes
    again = _turned_test(data, chosen, turned, blind, settings, clock)
    return outcomes if again is None else again


def _turned_test(
    data: Dataset,
    chosen: Sequence[Nominee],
    turned: Mapping[int, Nominee],
    blind: Blind,
    settings: ScanSettings,
    clock: Clock,
) -> Outcomes | None:
    """The rest of a class tested on the network that learnt it, beside one that did not; then all other nominees.

    None where that confirms no class. `turned` are nominees of which the rest is suspected, by label.
    """
    suspected = [turned.get(one.label, one) for one in chosen]
    unmet = _blind(data, suspected, settings, clock, other=blind)
    networks = halves(blind, unmet)
    found: dict[int, Tested | None] = {}
    with clock.stage("recover triggers and try them"):
        witnesses = Witnesses.of(networks, witness_of(data, networks.blind, networks.held_out))
        for label, rest in turned.items():
            found[label] = _tried(data, rest, _hypotheses(data, rest), witnesses, networks.held_out, settings.seed)
    if not any(_confirms(rest, found[label]) for label, rest in turned.items()):
        return None
    others = [one for one in chosen if one.label not in turned]
    tested = _tested(data, others, unmet, settings, clock)
    found.update({one.label: outcome for one, outcome in zip(others, tested, strict=True)})
    return tuple(found[one.label] for one in chosen)


def _is_large(nominee: Nominee) -> bool:
    return nominee.experts[0].share > LARGE and nominee.signal.p_adjusted <= WITH_FLIPS


def _turned(data: Dataset, nominee: Nominee, blind: Witness) -> Nominee | None:
    """The nominee with the rest of its class suspected, where that seems to bear a trigger; None elsewhere."""
    if not _is_large(nominee):
        return None
    first = nominee.experts[0]
    suspected, rest = _hypotheses(data, replace(nominee, experts=(first, first.turned())))
    return replace(nominee, experts=(first.turned(),)) if rest_is_marked(data, suspected, rest, blind) else None


def _confirms(nominee: Nominee, outcome: Tested | None) -> bool:
    return outcome is not None and strength_of(nominee.signal, outcome.confirmation) == "confirmed"


def _blind(
    data: Dataset, chosen: Sequence[Nominee], settings: ScanSettings, clock: Clock, other: Blind | None = None
) -> Blind:
    experts = [expert for one in chosen for expert in one.experts]
    doubtful = {data.ids[row] for expert in experts for row in expert.rows[expert.odds > DOUBTFUL]}
    with clock.stage("train a network without the suspects"):
        return train_blind(
            data,
            [hypothesis for one in chosen for hypothesis in _hypotheses(data, one)],
            doubtful,
            recipe=settings.probe,
            seed=settings.seed,
            device=settings.device,
            progress=clock.listener.trains,
            other=other,
        )


def _tested(data: Dataset, chosen: Sequence[Nominee], blind: Blind, settings: ScanSettings, clock: Clock) -> Outcomes:
    """What the test made of each nominee, None of one that it could make no finding of."""
    hypotheses = [_hypotheses(data, one) for one in chosen]
    with clock.stage("see what the suspects show"):
        witness = witness_of(data, blind.model, blind.parts.held_out)
        contents = [[shown_by(data, hypothesis, witness) for hypothesis in rivals] for rivals in hypotheses]
    open_ones = [could_matter(one.signal, shown) for one, shown in zip(chosen, contents, strict=True)]
    if not any(open_ones):
        return (None,) * len(chosen)
    with clock.stage("train networks with the suspects and with others"):
        left = [hypothesis for rivals in compress(hypotheses, open_ones) for hypothesis in rivals]
        networks = train_shown(data, blind, left, seed=settings.seed, device=settings.device)
    with clock.stage("recover triggers and try them"):
        witnesses = Witnesses.of(networks, witness)
        return tuple(
            _tried(data, one, rivals, witnesses, networks.held_out, settings.seed) if matters else None
            for one, rivals, matters in zip(chosen, hypotheses, open_ones, strict=True)
        )


def _hypotheses(data: Dataset, nominee: Nominee) -> tuple[Hypothesis, ...]:
    """What each expert says of the class."""
    return tuple(
        Hypothesis(nominee.label, tuple(data.ids[row] for row in expert.suspects), expert.signal.detector)
        for expert in nominee.experts
    )


def _tried(
    data: Dataset, nominee: Nominee, rivals: tuple[Hypothesis, ...], witnesses: Witnesses, held_out: Rows, seed: int
) -> Tested:
    confirmation = confirm_rivals(data, rivals, witnesses, seed=seed)
    expert = nominee.experts[rivals.index(confirmation.hypothesis)]
    logits = predict_logits(witnesses.blind.model, data.inputs[expert.rows]).numpy()
    return Tested(confirmation, expert, logits, held_out)
