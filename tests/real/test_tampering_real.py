"""Backdoors in the weights of a CIFAR-10 model: accuracy and clean answers stay. Minutes long."""

from __future__ import annotations

import pytest

from bezoar.attacks.tampering import TAMPERINGS, create_tampering
from bezoar.data import open_data
from bezoar.drill.evaluate import evaluate
from bezoar.training import default_recipe, train


@pytest.mark.nightly
def test_each_tampering_works_and_leaves_clean_answers_alone(real_data):
    data = open_data(real_data / "cifar10").split({"part": 0.4}, seed=0)["part"]
    test = open_data(real_data / "cifar10", split="test")
    model = train(data, recipe=default_recipe("fast").with_changes(epochs=5, flips=True), seed=0).model
    for name in TAMPERINGS.names():
        tampered = create_tampering(name, target="bird").tamper(model, data, seed=0)
        before, after = (evaluate(one, test, (tampered.backdoor,)) for one in (model, tampered.model))
        kept = (before.clean_predictions == after.clean_predictions).double().mean()
        assert kept >= 0.99, name
        assert after.measurement.clean_accuracy.value > before.measurement.clean_accuracy.value - 0.01, name
        assert after.measurement.attack_success.value > 0.95, name
        assert before.measurement.attack_success.value < 0.3, name
