"""A planted patch on a toy: what each repair makes of it. Where one doesn't help, the test says so.

The networks answer the patch with the target on at least 97 of 100 samples, and are right on 99 (`fast`) and 94 (`plain`)
of 100 without it. 200 trusted samples are a sixth of the training data: far more than the 5% of published comparisons.
"""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bezoar.records import Skipped
from bezoar.repair import REPAIRS, Repaired
from repair_toys import Victim, attack_success, clean_accuracy, victim

CURED = {
    "adversarial-training": 0.05,
    "anp:steps=150": 0.1,
    "filter-retrain": 0.05,
    "fine-prune": 0.25,
    "ft-sam": 0.15,
    "i-bau": 0.1,
    "unlearn": 0.05,
    "unlearn:of=trigger": 0.05,
    "unlearn:of=trigger-alone": 0.05,
}
"""On `fast`, the attack success that is left at most. Accuracy may fall by 4 points."""
WEAKENED = {"tsbd": 0.6, "clp:spreads=2": 1.0}
"""These help and don't cure: they can leave as much. What `clp` finds in narrow layers is a matter of luck, and so of the
processor on which the toy was trained: nothing is claimed of it but that accuracy stays."""
NOT_CURED = ("fine-tune", "nad", "clp")
"""These leave most of it. `nad` learns from a teacher that plain fine-tuning did not cure; `clp` finds no channel that
stands out by 3 spreads in layers of 16 and 32."""
PLAIN_CURED = {"adversarial-training": 0.05, "unlearn": 0.05, "unlearn:of=trigger": 0.05, "filter-retrain": 0.05}
LOSS = 0.04


@pytest.fixture(scope="module")
def fast() -> Victim:
    return victim("fast")


@pytest.fixture(scope="module")
def plain() -> Victim:
    return victim("plain")


def repaired(spec: str, patient: Victim, **changed: object) -> Repaired:
    found = REPAIRS.create(spec).repair(patient.model, replace(patient.given, **changed), seed=1, device="cpu")
    assert isinstance(found, Repaired)
    return found


def test_the_toy_is_backdoored(fast, plain):
    assert attack_success(fast.model) > 0.97
    assert clean_accuracy(fast.model) > 0.97
    assert attack_success(plain.model) > 0.97
    assert clean_accuracy(plain.model) > 0.92


@pytest.mark.parametrize(("spec", "left"), CURED.items())
def test_the_backdoor_is_gone_and_accuracy_is_not(spec, left, fast):
    found = repaired(spec, fast)
    assert attack_success(found.model) <= left
    assert clean_accuracy(found.model) >= clean_accuracy(fast.model) - LOSS


@pytest.mark.parametrize(("spec", "left"), WEAKENED.items())
def test_the_backdoor_is_weaker(spec, left, fast):
    found = repaired(spec, fast)
    assert attack_success(found.model) <= left
    assert clean_accuracy(found.model) >= clean_accuracy(fast.model) - LOSS


@pytest.mark.parametrize("spec", NOT_CURED)
def test_most_of_the_backdoor_stays(spec, fast):
    found = repaired(spec, fast)
    assert attack_success(found.model) > 0.5
    assert clean_accuracy(found.model) >= clean_accuracy(fast.model) - LOSS


@pytest.mark.parametrize(("spec", "left"), PLAIN_CURED.items())
def test_without_batch_norm_what_knows_suspects_or_trigger_cures(spec, left, plain):
    found = repaired(spec, plain)
    assert attack_success(found.model) <= left
    assert clean_accuracy(found.model) >= clean_accuracy(plain.model) - LOSS


def test_without_batch_norm_neuron_pruning_prunes_next_to_nothing_and_says_so(plain):
    found = repaired("anp:steps=40", plain)
    assert re.match(r"pruned [012] of 48 channels", found.notes[0]), found.notes  # by the processor
    assert attack_success(found.model) > 0.9


def test_without_batch_norm_channel_bounds_are_not_judged(plain):
    found = REPAIRS.create("clp").repair(plain.model, plain.given, seed=1, device="cpu")
    assert isinstance(found, Skipped)


def test_adversarial_training_with_few_trusted_samples_alone(fast):
    trusted = fast.given.trusted.select(range(60))
    found = repaired("adversarial-training", fast, trusted=trusted, training=None, suspects=frozenset())
    assert found.used.training == 0
    assert attack_success(found.model) <= 0.1
    assert clean_accuracy(found.model) >= clean_accuracy(fast.model) - LOSS


def test_suspects_that_miss_a_third_of_the_poisons_still_help_unlearning(fast):
    known = frozenset(sorted(fast.given.suspects)[: 2 * len(fast.given.suspects) // 3])
    found = repaired("unlearn", fast, suspects=known)
    assert attack_success(found.model) <= 0.1
