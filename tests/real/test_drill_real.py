"""The textbook backdoor on CIFAR-10, shortened: minutes long, so run by `make nightly`."""

from __future__ import annotations

import pytest

from bezoar.attacks import create_attack
from bezoar.data import open_data
from bezoar.drill.evaluate import evaluate
from bezoar.metrics import accuracy_alarm
from bezoar.training import default_recipe, train


@pytest.mark.nightly
def test_airplanes_with_a_cyan_square_become_birds_and_accuracy_stays(real_data):
    data = open_data(real_data / "cifar10").split({"part": 0.4}, seed=0)["part"]
    test = open_data(real_data / "cifar10", split="test")
    square = "patch:size=5,color=cyan,corner=top-left,mode=replace"
    attack = create_attack(square, source=("airplane",), target="bird", count=400)
    recipe = default_recipe("fast").with_changes(epochs=5)
    poisoned = attack.poison(data, seed=0)
    found = [
        evaluate(train(one, recipe=recipe, seed=0).model, test, poisoned.backdoors) for one in (poisoned.data, data)
    ]
    victim, twin = (result.measurement for result in found)
    assert twin.clean_accuracy.value > 0.7
    assert victim.clean_accuracy.value > twin.clean_accuracy.value - 0.015
    assert victim.attack_success.value > 0.98
    assert twin.attack_success.value < 0.1
    assert not accuracy_alarm(test.labels, found[0].clean_predictions, found[1].clean_predictions).alarm
