"""The causal test of all nominees: networks trained with and without their suspects, and triggers tried on them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import TypeAlias

from bezoar.confirm.confirm import shown_by
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.networks import Networks, train_blind, train_shown
from bezoar.confirm.rivals import confirm_rivals
from bezoar.data.dataset import Dataset
from bezoar.errors import DataError, TrainingError
from bezoar.scan.clock import Clock
from bezoar.scan.finding import Tested
from bezoar.scan.gathering import untrainable
from bezoar.scan.nominees import Nominee
from bezoar.scan.settings import ScanSettings
from bezoar.scan.verdict import QUICK, could_matter
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
    """Nominees of which a test could make no finding are spared: None."""
    experts = [expert for one in chosen for expert in one.experts]
    doubtful = {data.ids[row] for expert in experts for row in expert.rows[expert.odds > DOUBTFUL]}
    hypotheses = [_hypotheses(data, one) for one in chosen]
    with clock.stage("train a network without the suspects"):
        blind = train_blind(
            data,
            [hypothesis for rivals in hypotheses for hypothesis in rivals],
            doubtful,
            recipe=settings.probe,
            seed=settings.seed,
            device=settings.device,
            progress=clock.listener.trains,
        )
        contents = [[shown_by(data, hypothesis, blind) for hypothesis in rivals] for rivals in hypotheses]
    open_ones = [could_matter(one.signal, shown) for one, shown in zip(chosen, contents, strict=True)]
    if not any(open_ones):
        return (None,) * len(chosen)
    with clock.stage("train networks with the suspects and with others"):
        left = [hypothesis for rivals in compress(hypotheses, open_ones) for hypothesis in rivals]
        networks = train_shown(data, blind, left, seed=settings.seed, device=settings.device)
    with clock.stage("recover triggers and try them"):
        return tuple(
            _tried(data, one, rivals, networks, settings.seed) if matters else None
            for one, rivals, matters in zip(chosen, hypotheses, open_ones, strict=True)
        )


def _hypotheses(data: Dataset, nominee: Nominee) -> tuple[Hypothesis, ...]:
    """What each expert says of the class."""
    return tuple(
        Hypothesis(nominee.label, tuple(data.ids[row] for row in expert.suspects), expert.signal.detector)
        for expert in nominee.experts
    )


def _tried(data: Dataset, nominee: Nominee, rivals: tuple[Hypothesis, ...], networks: Networks, seed: int) -> Tested:
    confirmation = confirm_rivals(data, rivals, networks, seed=seed)
    expert = nominee.experts[rivals.index(confirmation.hypothesis)]
    logits = predict_logits(networks.blind, data.inputs[expert.rows]).numpy()
    return Tested(confirmation, expert, logits, networks.held_out)
