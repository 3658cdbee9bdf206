"""Where much of a class is suspected: is it the rest that bears the trigger?"""

from __future__ import annotations

from collections.abc import Iterator

from bezoar.confirm.confirm import samples_of
from bezoar.confirm.flips import LEAST_FLIPS, LEAST_GAIN
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.recover.candidates import Candidate, from_samples, piecewise
from bezoar.confirm.recover.recovered import FEWEST_SUSPECTS
from bezoar.confirm.witness import Witness
from bezoar.data.dataset import Dataset
from bezoar.shapes import Images

MOST_CARRIERS = 1000
"""Enough to tell 30% from 10%."""


def rest_is_marked(data: Dataset, suspected: Hypothesis, rest: Hypothesis, blind: Witness) -> bool:
    """Whether what the rest of a class has in common turns the network that learnt the class from it.

    Of two halves of a class a detector can't know which is the odd one, and a network that was kept from the genuine
    half has learnt the backdoor from the other. A trigger that shows in the `rest`, or in pieces of it, turns 30% of
    held-out samples on that network, and 20 points more than one recovered the same way from the suspects. Fine
    details are not tried: any class has its own. A hint that calls for a test of the `rest`, no test by itself.
    """
    if not data.is_images or min(len(suspected.suspects), len(rest.suspects)) < FEWEST_SUSPECTS:
        return False
    odd, usual = samples_of(data, rest), samples_of(data, suspected)
    few = blind.first(MOST_CARRIERS)
    for candidate in _candidates(odd.inputs, usual.inputs, blind, rest.target):
        done = few.flips(candidate.trigger, rest.target).rate
        if done < LEAST_FLIPS:
            continue
        twin = few.flips(candidate.twin, rest.target).rate if candidate.twin else 0.0
        if done - twin >= LEAST_GAIN:
            return True
    return False


def _candidates(odd: Images, usual: Images, blind: Witness, target: int) -> Iterator[Candidate]:
    yield from (one for one in from_samples(odd, usual, blind.carriers.inputs) if one.trigger.kind != "residual")
    yield from piecewise(blind.model, odd, usual, target)
