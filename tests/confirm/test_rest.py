"""Of two halves of a class the one that turns the network which learnt it is marked; made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from confirm_toys import Rule
from hand_made import TARGET, by_hand, darkened, fooled, knows

from bezoar.confirm.confirm import witness_of
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.rest import rest_is_marked


def halves(answers, *, marked=True):
    """Genuine samples of the target under suspicion, and as many others with its label, with a dark corner or not."""
    data, suspected, networks = by_hand(knows)
    others = np.flatnonzero(data.labels.numpy() != TARGET)[:40]
    labels, inputs = data.labels.clone(), data.inputs.clone()
    labels[others] = TARGET
    if marked:
        inputs[others] = darkened(inputs[others])
    data = replace(data, labels=labels, inputs=inputs)
    rest = Hypothesis(TARGET, tuple(data.ids[row] for row in others), "made up")
    held_out = networks.held_out[~np.isin(networks.held_out, others)]
    return data, suspected, rest, witness_of(data, Rule(answers), held_out)


def test_the_rest_is_marked_where_its_trigger_turns_the_network_that_learnt_it() -> None:
    assert rest_is_marked(*halves(fooled))


@pytest.mark.parametrize("marked", [True, False])
def test_it_is_not_where_the_network_is_not_turned(marked: bool) -> None:
    assert not rest_is_marked(*halves(knows, marked=marked))


def test_what_the_suspects_do_as_well_is_no_mark_of_the_rest() -> None:
    data, suspected, rest, blind = halves(fooled)
    rows = data.positions(suspected.suspects)
    inputs = data.inputs.clone()
    inputs[rows] = darkened(inputs[rows])
    assert not rest_is_marked(replace(data, inputs=inputs), suspected, rest, blind)


def test_of_few_samples_and_of_other_data_nothing_is_said() -> None:
    data, suspected, rest, blind = halves(fooled)
    few = replace(rest, suspects=rest.suspects[:11])
    assert not rest_is_marked(data, suspected, few, blind)
    numbers = replace(data, inputs=torch.zeros(len(data), 4))
    assert not rest_is_marked(numbers, suspected, rest, blind)
