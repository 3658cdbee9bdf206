"""Where no trigger stands out: what is supposed, what a model that unlearnt it gives away, and what a repair does then."""

from __future__ import annotations

from dataclasses import replace

import pytest
from torch import Tensor

from bezoar.records import Skipped
from bezoar.repair.auto import Auto
from bezoar.repair.base import unheard
from bezoar.repair.checks import Bar
from bezoar.repair.checks.giving_away import poisons_given_away
from bezoar.repair.checks.search import MOST_SUPPOSED, Suspected, suspected_trigger
from bezoar.repair.given import Aimed, Given
from bezoar.repair.ready import made_ready
from bezoar.repair.settings import Patient, RepairSettings
from bezoar.repair.story import repair_model
from bezoar.training import build_model, train
from bezoar.training.clock import Clock
from bezoar.training.listening import Silence
from repair_toys import NETWORKS, RECIPES, TARGET, TRAINED, Victim, attack_success, clean_accuracy, stripes, victim

QUICK = (Bar("neural-cleanse:steps=60,lessons=60", 1e9), Bar("added-pattern:steps=60,lessons=60", 1e9))
"""Detectors that nothing stands out for."""


def square(top: int, left: int, level: int):
    """A trigger that somebody may suppose: 3x3 of one grey."""

    def stamped(batch: Tensor) -> Tensor:
        changed = batch.clone()
        changed[:, :, top : top + 3, left : left + 3] = level
        return changed

    return stamped


def mostly(batch: Tensor) -> Tensor:
    """Not the trigger but like it: its corner pixels are grey."""
    changed = batch.clone()
    changed[:, :, -3:, -3:] = 0
    changed[:, :, -2, -2] = 255
    changed[:, :, -3, -2:] = 255
    return changed


SUPPOSED = (
    Aimed(square(0, 0, 255), 1),
    Aimed(mostly, TARGET),
    Aimed(square(4, 5, 0), 2),
    Aimed(square(9, 0, 200), 3),
)


@pytest.fixture(scope="module")
def fast() -> Victim:
    return victim("fast")


@pytest.fixture(scope="module")
def sound() -> Victim:
    data = stripes(TRAINED, seed=1, name="train")
    start = build_model(NETWORKS["fast"], classes=4, sample=data.inputs, seed=0)
    model = train(data, recipe=RECIPES["fast"], seed=0, start=start, device="cpu", precision="float32").model
    return Victim(model, Given(stripes(200, seed=2, name="trusted"), data))


def unsuspecting(one: Victim) -> Given:
    return Given(one.given.trusted, one.given.training)


def nothing_stands_out() -> Suspected:
    return Suspected(SUPPOSED[0].trigger, 1, False, "found", "a square", supposed=SUPPOSED)


def ready(one: Victim, given: Given, auto: Auto | None = None):
    settings = RepairSettings(auto or Auto(), QUICK, device="cpu")
    patient = Patient(one.model, "toy", "run", one.given.trusted.class_names)
    return made_ready(patient, given, settings, nothing_stands_out, unheard, Clock(Silence()))


def test_all_that_were_inverted_are_supposed_where_none_stands_out(fast):
    found = suspected_trigger(fast.model, fast.given.trusted, bars=QUICK, seed=0, device="cpu")
    assert not found.stands_out
    assert 4 <= len(found.supposed) <= MOST_SUPPOSED
    assert {one.target for one in found.supposed} == {0, 1, 2, 3}
    heard = tuple(replace(one, cut=1e-9) for one in QUICK)
    found = suspected_trigger(fast.model, fast.given.trusted, bars=heard, seed=0, device="cpu")
    assert found.stands_out
    assert found.supposed == ()


def test_a_model_that_unlearnt_them_gives_its_poisons_away(fast):
    found = poisons_given_away(fast.model, unsuspecting(fast), SUPPOSED, seed=0, device="cpu")
    poisons = fast.given.suspects
    assert found.likely.target == f"way{TARGET}"
    assert len(poisons & found.moved) >= 0.8 * len(poisons)
    assert len(poisons & set(found.likely.ids)) >= 0.8 * len(found.likely.ids)


def test_a_sound_model_gives_nothing_away(sound):
    assert poisons_given_away(sound.model, sound.given, SUPPOSED, seed=0, device="cpu") is None


def test_what_is_given_away_is_suspected_and_shows_the_trigger(fast):
    made = ready(fast, unsuspecting(fast))
    poisons = fast.given.suspects
    assert made.turned is not None
    assert made.given.suspects == made.turned.moved
    assert len(poisons & made.given.suspects) >= 0.8 * len(poisons)
    assert made.told.suspects == 0  # nobody handed any over
    assert made.given.target == TARGET
    assert "suspects" in made.trigger.description
    assert any("no trigger stood out" in note and "became suspects" in note for note in made.notes)


def test_without_training_data_what_is_supposed_is_unlearnt(fast):
    made = ready(fast, Given(fast.given.trusted))
    assert made.turned is None
    assert made.given.trigger is None
    assert set(SUPPOSED) <= set(made.given.supposed)
    assert "no trigger stands out" in made.trigger.reason
    assert any("were supposed to be triggers and unlearnt" in note for note in made.notes)


def test_one_method_alone_is_given_what_is_supposed_and_nothing_is_asked_of_the_data(fast):
    made = ready(fast, unsuspecting(fast), Auto(methods=("unlearn",)))
    assert made.turned is None
    assert not made.given.suspects
    assert made.given.supposed


def test_the_backdoor_goes_although_no_trigger_stood_out(fast):
    patient = Patient(fast.model, "toy", "run", fast.given.trusted.class_names)
    settings = RepairSettings(Auto(methods=("unlearn", "adversarial-training")), QUICK, device="cpu")
    cured = repair_model(patient, unsuspecting(fast), settings, finder=nothing_stands_out)
    assert attack_success(fast.model) > 0.9
    assert attack_success(cured.model) < 0.1
    assert clean_accuracy(cured.model) > clean_accuracy(fast.model) - 0.05
    assert cured.record.turned is not None
    assert cured.record.turned.target == f"way{TARGET}"
    assert cured.record.turned.examples
    assert not isinstance(cured.record.trigger, Skipped)
