from dataclasses import replace

import numpy as np
import pytest
from hand_made import TARGET, before, by_hand, darkened, fooled, knows

from bezoar.confirm.confirm import Confirmation
from bezoar.confirm.content import Content
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.rivals import borne_out, confirm_rivals
from bezoar.records import FlipTest, Skipped


def tried(worth, wrong, suspects=10):
    hypothesis = Hypothesis(1, tuple(f"{worth} {wrong} {number}" for number in range(suspects)), "made up")
    untold = Skipped("of no matter here")
    return Confirmation(hypothesis, untold, untold, Content(0.1, 0.9, wrong, (1, 2)), (), worth)


@pytest.mark.parametrize(
    ("rivals", "right"),
    [
        ([(0.9, 0.9), (0.2, 1.0)], 0),  # the trigger decides
        ([(0.2, 1.0), (0.9, 0.9)], 1),
        ([(0.85, 0.55), (0.9, 1.0)], 1),  # nearly the same trigger: the labels do
        ([(0.9, 0.6, 60), (0.85, 1.0, 38)], 1),  # 36 of 60 against 38 of 38
        ([(0.9, 1.0, 19), (0.9, 0.98, 38)], 1),  # half of them against all
        ([(0.9, 0.2, 500), (0.9, 0.9, 120)], 1),
        ([(0.9, 0.1, 40), (0.9, 0.0, 4)], 0),  # right labels all over: the most trusted
        ([(0.9, None, 40), (0.9, 0.9, 20)], 1),
        ([(-1.0, None), (-1.0, None)], 0),
        ([(-0.1, 1.0, 120), (0.06, 1.0, 56)], 0),  # no trigger to speak of
        ([(0.06, 1.0, 56), (-0.1, 1.0, 120)], 1),
    ],
)
def test_flips_then_labels_decide_between_rivals(rivals, right):
    made = [tried(*one) for one in rivals]
    assert borne_out(made) is made[right]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_rival_that_names_the_carriers_is_taken(order):
    data, hypothesis, networks = by_hand(knows, exposed=fooled)
    others = np.flatnonzero(data.labels.numpy() != TARGET)[:40]
    # Forty samples of all other classes, with a dark corner and the target's label, and forty genuine ones.
    labels, inputs = data.labels.clone(), data.inputs.clone()
    labels[others], inputs[others] = TARGET, darkened(inputs[others])
    data = replace(data, labels=labels, inputs=inputs)
    networks = replace(networks, held_out=networks.held_out[~np.isin(networks.held_out, others)])
    carriers = replace(hypothesis, suspects=tuple(data.ids[row] for row in others))
    rivals = [(carriers, hypothesis)[place] for place in order]
    found = confirm_rivals(data, rivals, before(data, networks), seed=0)
    assert found.hypothesis == carriers
    assert isinstance(found.flip_test, FlipTest)
    assert (found.flip_test.flips.value, found.flip_test.control.value) == (1.0, 0.0)
    assert found.content.mislabelled == 1.0


def test_one_alone_is_confirmed_as_ever():
    data, hypothesis, networks = by_hand(knows, exposed=fooled, suspects=darkened)
    assert confirm_rivals(data, [hypothesis], before(data, networks), seed=0).flip_test.flips.value == 1.0
