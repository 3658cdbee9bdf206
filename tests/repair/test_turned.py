"""Poisons of which nobody knew, told by the repair that took their trigger out."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bezoar.data.dataset import Dataset
from bezoar.records import from_json, to_json
from bezoar.repair import REPAIRS, Given
from bezoar.repair.auto import Auto
from bezoar.repair.checks.turned import labelled
from bezoar.repair.settings import Patient, RepairSettings
from bezoar.repair.story import repair_model
from repair_toys import TARGET, Victim, attack_success, clean_accuracy, stripes, victim


@pytest.fixture(scope="module")
def fast() -> Victim:
    return victim("fast")


@pytest.fixture(scope="module")
def repaired(fast):
    return REPAIRS.create("adversarial-training").repair(fast.model, unsuspecting(fast), seed=0, device="cpu").model


def unsuspecting(one: Victim) -> Given:
    """All but the suspects: somebody trusts data that hold poisons."""
    return replace(one.given, suspects=frozenset())


def all_turned(given: Given, one: Victim, model):
    asked = labelled(one.model, given, seed=0, device="cpu")
    return None if asked is None else asked.turned_by(model)


def turned_of(given: Given, one: Victim, model):
    found = all_turned(given, one, model)
    return None if found is None else found.likely


def test_the_repair_tells_the_poisons(fast, repaired):
    turned = turned_of(unsuspecting(fast), fast, repaired)
    assert turned.target == "way0"
    poisons = fast.given.suspects
    assert len(poisons & set(turned.ids)) >= 0.95 * len(poisons)
    assert len(poisons & set(turned.ids)) >= 0.8 * len(turned.ids)
    assert len(turned.ids) / turned.of >= 3 * turned.elsewhere
    under = {one for one, label in zip(fast.given.training.ids, fast.given.training.labels, strict=True) if label == 0}
    assert set(turned.ids) <= under
    # The next repair does without all whose answer moved, more than are listed.
    found = all_turned(unsuspecting(fast), fast, repaired)
    assert found.moved >= set(found.likely.ids)
    assert found.moved <= under
    assert found.among(unsuspecting(fast)).suspects == found.moved


def test_what_is_suspected_already_is_not_told_again(fast, repaired):
    assert turned_of(fast.given, fast, repaired) is None
    half = replace(fast.given, suspects=frozenset(sorted(fast.given.suspects)[::2]))
    turned = turned_of(half, fast, repaired)
    assert not half.suspects & set(turned.ids)
    assert all_turned(half, fast, repaired).among(half).suspects > half.suspects


def test_a_model_that_turns_nothing_tells_nothing(fast):
    assert turned_of(unsuspecting(fast), fast, fast.model) is None


def test_sound_data_hold_none(fast, repaired):
    sound = stripes(1200, seed=1, name="train")
    assert turned_of(replace(unsuspecting(fast), training=sound), fast, repaired) is None


def test_a_model_that_guesses_tells_nothing(fast):
    """Samples of all classes are turned alike."""
    broken = victim("fast").model

    class Guess(torch.nn.Module):
        def forward(self, images):
            return broken(images).roll(1, 1)

    assert turned_of(unsuspecting(fast), fast, Guess()) is None


def test_a_model_that_merely_hesitates_about_a_class_tells_nothing(fast):
    """It answers none of the target's samples by their label, and leaves that a fifth all the same."""

    class Hesitates(torch.nn.Module):
        def forward(self, images):
            return torch.tensor([-0.3, 0.0, 0.0, 0.0]).repeat(len(images), 1)

    assert turned_of(unsuspecting(fast), fast, Hesitates()) is None


def test_without_training_data_nothing_is_asked(fast):
    assert labelled(fast.model, replace(unsuspecting(fast), training=None), seed=0, device="cpu") is None


def test_without_a_target_the_class_is_found(fast, repaired):
    known = turned_of(unsuspecting(fast), fast, repaired)
    found = turned_of(replace(unsuspecting(fast), trigger=None, target=None), fast, repaired)
    assert found.target == known.target
    assert set(found.ids) == set(known.ids)


def test_what_several_repairs_turned_is_one_set_and_worth_another_while_it_grows(fast, repaired):
    found = all_turned(unsuspecting(fast), fast, repaired)
    ids = found.likely.ids
    fewer = replace(found, likely=replace(found.likely, ids=ids[:5]), moved=frozenset(ids[:5]))
    assert found.goes_beyond(None)
    assert found.goes_beyond(fewer)
    assert not fewer.goes_beyond(found)
    assert fewer.beside(found).moved == found.moved
    assert set(fewer.beside(found).likely.ids) == set(ids)
    other = replace(found, likely=replace(found.likely, target="way1"))
    assert found.beside(other) == found


def test_no_sample_of_the_target_is_no_error(fast, repaired):
    data = fast.given.training
    others = data.select(data.labels != TARGET)
    assert turned_of(replace(unsuspecting(fast), training=others), fast, repaired) is None


def cured(one: Victim, given: Given, **auto):
    patient = Patient(one.model, "toy", "run", one.given.trusted.class_names)
    return repair_model(patient, given, RepairSettings(Auto(**auto), seed=0, device="cpu"))


def test_auto_repairs_again_without_them(fast):
    few = replace(unsuspecting(fast), trusted=fast.given.trusted.select(range(60)))
    found = cured(fast, few)
    record = found.record
    assert len(fast.given.suspects & set(record.turned.ids)) >= 0.9 * len(fast.given.suspects)
    assert record.given.suspects == 0
    assert len(record.turned.examples) == 12
    kept = next(one.outcome for one in record.attempts if one.method == record.chosen)
    assert kept.suspects >= len(record.turned.ids)
    assert attack_success(found.model) <= 0.03
    assert clean_accuracy(found.model) >= clean_accuracy(fast.model) - 0.03
    assert from_json(type(record), to_json(record)) == record


def test_a_single_method_is_done_as_it_was_asked_for(fast):
    record = cured(fast, unsuspecting(fast), methods=("unlearn",)).record
    assert record.turned is None
    assert len(record.attempts) == 1
    assert record.attempts[0].outcome.suspects == 0


def test_where_the_trigger_stays_nothing_is_asked(fast):
    record = cured(fast, unsuspecting(fast), methods=("fine-tune:epochs=1,learning_rate=1e-6", "clp")).record
    assert record.turned is None
    assert "ask which training samples a repair turns" not in [one.stage for one in record.stages]


def test_samples_keep_their_ids_whatever_their_order(fast, repaired):
    data = fast.given.training
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(5))
    mixed = Dataset(
        data.inputs[order], data.labels[order], data.class_names, tuple(data.ids[row] for row in order.tolist())
    )
    turned = turned_of(replace(unsuspecting(fast), training=mixed), fast, repaired)
    assert set(turned.ids) == set(turned_of(unsuspecting(fast), fast, repaired).ids)
